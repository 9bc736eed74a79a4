//! What a task waits for, beside its socket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use okuru_core::client::MessageId;
use okuru_core::sasl::Secret;
use okuru_core::{Error, ErrorCode, Step};
use tokio::io::ReadBuf;
use tokio::task::{JoinHandle, spawn_blocking};

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
