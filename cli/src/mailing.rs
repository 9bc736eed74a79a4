//! `okuru send` over many connections, to many servers.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use okuru::mailer::{Backoff, DirectOptions, Mailer, MailerOptions, PopLogin, Relay, Retry, Way};
use okuru::{Message, Outcome, Tls};

use crate::arguments::{MailerArguments, SendArguments};
use crate::connection;
use crate::envelope::in_option;
use crate::exit::{Failure, usage};
use crate::journal::Journal;
use crate::send::{Messages, relay, tell, transferring};

/// Whether one connection to one server does not do.
pub(crate) fn wants_mailer(arguments: &SendArguments) -> bool {
    let MailerArguments { direct, direct_then_relay, connections, rate, retry_for, pop_before, resume, .. } =
        &arguments.mailer;
    *direct
        || direct_then_relay.is_some()
        || connections.is_some()
        || rate.is_some()
        || retry_for.is_some()
        || pop_before.is_some()
        || resume.is_some()
        || arguments.server.len() > 1
}

/// What the command line says of the mailer.
pub(crate) fn options(arguments: &SendArguments) -> Result<MailerOptions, Failure> {
    let asked = &arguments.mailer;
    let mut options = MailerOptions::new(way(arguments)?);
    if asked.direct || asked.direct_then_relay.is_some() {
        options = options.direct(direct(arguments)?);
    } else {
        options = options.connections(1);
    }
    if let Some(connections) = asked.connections {
        options = options.connections(connections);
    }
    if let Some(rate) = asked.rate {
        options = options.rate(rate);
    }
    if let Some(within) = asked.retry_for {
        options = options.retry(retry(within));
    }
    if let Some(deadline) = arguments.transfer.deadline {
        options = options.deadline(deadline);
    }
    Ok(options)
}

fn way(arguments: &SendArguments) -> Result<Way, Failure> {
    let asked = &arguments.mailer;
    if asked.direct {
        return match asked.pop_before {
            Some(_) => Err(usage("--pop-before needs a server to send by, which --direct has not")),
            None => Ok(Way::direct()),
        };
    }
    let urls = match &asked.direct_then_relay {
        Some(url) => std::slice::from_ref(url),
        None => &arguments.server,
    };
    let mut relays = Vec::new();
    for url in urls {
        let mut relay = Relay::new(relay(url, arguments)?);
        if let Some(url) = &asked.pop_before {
            let login = PopLogin::new(url).map_err(in_option("--pop-before"))?;
            relay = relay.pop_login(login.dangerously_allow_plaintext_auth(arguments.login.allow_plaintext_auth));
        }
        relays.push(relay);
    }
    Ok(match (&asked.direct_then_relay, asked.round_robin) {
        (Some(_), _) => Way::direct_then(Way::relays(relays)),
        (None, true) => Way::round_robin(relays),
        (None, false) => Way::relays(relays),
    })
}

fn direct(arguments: &SendArguments) -> Result<DirectOptions, Failure> {
    // The address is that of each server; only what stands beside it counts.
    let options = connection::options("smtp://localhost", &arguments.connection, arguments.trace)?;
    let tls = arguments.connection.tls.map_or(Tls::Opportunistic, Into::into);
    let mut direct = DirectOptions::like(transferring(options.tls(tls), arguments));
    if let Some(port) = arguments.mailer.mx_port {
        direct = direct.port(port);
    }
    if let Some(address) = arguments.mailer.dns.dns {
        direct = direct.name_server(address);
    }
    for address in &arguments.mailer.dns.self_address {
        direct = direct.self_address(*address);
    }
    Ok(direct)
}

/// Sooner than usual where there is little time.
fn retry(within: Duration) -> Retry {
    let usual = Retry::default();
    let first = usual.backoff.first.min(within / 10).max(Duration::from_millis(200));
    Retry { backoff: Backoff { first, ..usual.backoff }, within, ..usual }
}

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
