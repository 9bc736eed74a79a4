//! `okuru send` over many connections, to many servers.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use okuru::mailer::{Mailer, MailerOptions};
use okuru::{Message, Outcome};

use crate::exit::{Failure, usage};
use crate::journal::Journal;
use crate::send::{Messages, tell};

/// Sends the messages, and tells what becomes of each.
pub(crate) fn run(
    options: MailerOptions,
    messages: Messages<'_>,
    journal: Option<&Arc<Journal>>,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| usage(format!("the program can't be set up: {error}")))?;
    runtime.block_on(async {
        let mailer = Mailer::new(options)?;
        let (under_way, report) = (messages.under_way, messages.report);
        let mut outcomes = mailer.send_many(Iter(messages));
        if let Some(journal) = journal {
            outcomes = outcomes.journal(Arc::clone(journal) as _);
        }
        let mut several = Vec::new();
        loop {
            // All that there are, so that the books are written to disc once for them.
            std::future::poll_fn(|context| poll_several(context, Pin::new(&mut outcomes), &mut several)).await;
            if let Some(journal) = journal {
                journal.settle(&several)?;
            }
            if several.is_empty() {
                break;
            }
            let told = several.drain(..).try_for_each(|outcome| tell(under_way, report, &outcome));
            if told.is_break() {
                break;
            }
        }
        drop(outcomes);
        mailer.stop().await;
        Ok(())
    })
}

/// How many outcomes are told at once, at most.
const SEVERAL: usize = 1000;

/// Waits for an outcome, and takes those that are there with it; none when there will be none.
fn poll_several<S: Stream<Item = Outcome>>(
    context: &mut Context<'_>,
    mut outcomes: Pin<&mut S>,
    several: &mut Vec<Outcome>,
) -> Poll<()> {
    while several.len() < SEVERAL {
        match outcomes.as_mut().poll_next(context) {
            Poll::Ready(Some(outcome)) => several.push(outcome),
            Poll::Ready(None) => break,
            Poll::Pending if several.is_empty() => return Poll::Pending,
            Poll::Pending => break,
        }
    }
    Poll::Ready(())
}

/// Messages that are there when they are asked for.
struct Iter<I>(I);

impl<I: Iterator<Item = Message> + Unpin> Stream for Iter<I> {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Message>> {
        Poll::Ready(self.0.next())
    }
}
