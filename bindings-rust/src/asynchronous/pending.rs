//! What a task waits for, beside its socket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use okuru_core::client::MessageId;
use okuru_core::sasl::Secret;
use okuru_core::{Error, ErrorCode, Step};
use tokio::io::ReadBuf;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::content::Reader;
use crate::flight::Loan;
use crate::message::Message;
use crate::token::{TokenFuture, TokenSource};

/// A message whose file is being opened. Gives it back, without its content where the thread has gone wrong.
pub(super) type Opening = JoinHandle<(Message, io::Result<()>)>;

pub(super) fn open(mut message: Message) -> Opening {
    spawn_blocking(move || {
        let result = message.content.open();
        (message, result)
    })
}

/// Content that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) message: MessageId,
    how: How,
}

#[derive(Debug)]
enum How {
    OnThread(JoinHandle<(Loan, io::Result<usize>)>),
    InTask(Option<Loan>),
}

impl Reading {
    pub(super) fn begin(message: MessageId, mut loan: Loan) -> Self {
        let how = match &loan.reader {
            Reader::Async(_) => How::InTask(Some(loan)),
            _ => How::OnThread(spawn_blocking(move || {
                let result = loan.read();
                (loan, result)
            })),
        };
        Self { message, how }
    }

    /// What was read; no loan where the thread has gone wrong.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<(Option<Loan>, io::Result<usize>)> {
        match &mut self.how {
            How::OnThread(thread) => Poll::Ready(match ready!(Pin::new(thread).poll(context)) {
                Ok((loan, result)) => (Some(loan), result),
                Err(error) => (None, Err(error.into())),
            }),
            How::InTask(loan) => {
                let result = match loan {
                    Some(Loan { reader: Reader::Async(reader), rewind: false, buffer }) => {
                        let mut buffer = ReadBuf::new(buffer);
                        ready!(reader.as_mut().poll_read(context, &mut buffer)).map(|()| buffer.filled().len())
                    }
                    _ => Err(io::ErrorKind::NotSeekable.into()),
                };
                Poll::Ready((loan.take(), result))
            }
        }
    }
}

/// A token that is being got.
pub(super) struct GettingToken(TokenFuture);

impl GettingToken {
    pub(super) fn begin(source: Option<&TokenSource>) -> Self {
        let missing = |what: String| Error::new(ErrorCode::AuthToken, what).at(Step::Auth);
        Self(match source {
            Some(TokenSource::Future(source)) => source(),
            Some(TokenSource::Blocking(source)) => {
                let source = source.clone();
                let token = spawn_blocking(move || source());
                Box::pin(async move {
                    token.await.unwrap_or_else(|_| Err(missing("the source of tokens gave up".to_owned())))
                })
            }
            None => Box::pin(std::future::ready(Err(missing("no token was given".to_owned())))),
        })
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Secret, Error>> {
        self.0.as_mut().poll(context)
    }
}

/// Wakes the task at a deadline, or before: it is set anew only where that can't be avoided, since the deadline moves with
/// each reply.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    timer: Option<Pin<Box<Sleep>>>,
    /// For when it is set.
    at: Duration,
}

impl Alarm {
    /// Whether it is `deadline`, on a clock that began at `start`.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, start: Instant, deadline: Duration) -> Poll<()> {
        let Some(at) = start.checked_add(deadline) else {
            return Poll::Pending;
        };
        let timer = match &mut self.timer {
            Some(timer) => {
                if deadline < self.at || timer.is_elapsed() && self.at < deadline {
                    timer.as_mut().reset(at);
                    self.at = deadline;
                }
                timer
            }
            None => {
                self.at = deadline;
                self.timer.insert(Box::pin(sleep_until(at)))
            }
        };
        ready!(timer.as_mut().poll(context));
        if self.at < deadline {
            timer.as_mut().reset(at);
            self.at = deadline;
            return timer.as_mut().poll(context);
        }
        Poll::Ready(())
    }
}
