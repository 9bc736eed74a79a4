//! A socket that does not do what it should.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use okuru::server::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Writes octet by octet.
pub(super) struct Dribble {
    inner: Box<dyn Stream>,
    pause: Duration,
    /// Until when nothing is written.
    until: Option<Pin<Box<Sleep>>>,
}

impl Dribble {
    pub(super) fn new(inner: Box<dyn Stream>, pause: Duration) -> Self {
        Self { inner, pause, until: None }
    }
}

impl AsyncRead for Dribble {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for Dribble {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(until) = &mut self.until {
            ready!(until.as_mut().poll(context));
            self.until = None;
        }
        let first = bytes.get(..1).unwrap_or_default();
        let written = ready!(Pin::new(&mut self.inner).poll_write(context, first))?;
        self.until = Some(Box::pin(sleep(self.pause)));
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// Says more than the server does behind the reply to STARTTLS: what a client must not take for what comes inside TLS.
pub(super) struct Inject {
    inner: Box<dyn Stream>,
    state: State,
    /// What is still to be written of what was taken.
    unsent: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    /// STARTTLS has come.
    Asked,
    Done,
}

const COMMAND: &[u8] = b"STARTTLS\r\n";
const INJECTED: &[u8] = b"250-injected.invalid\r\n250 AUTH PLAIN LOGIN\r\n";

impl Inject {
    pub(super) fn new(inner: Box<dyn Stream>) -> Self {
        Self { inner, state: State::Waiting, unsent: Vec::new() }
    }

    fn poll_unsent(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, &self.unsent))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Inject {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        let read = buffer.filled().get(before..).unwrap_or_default();
        // Clients send it in a segment of its own, since nothing may follow.
        if self.state == State::Waiting && read.eq_ignore_ascii_case(COMMAND) {
            self.state = State::Asked;
        }
        polled
    }
}

impl AsyncWrite for Inject {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_unsent(context))?;
        if self.state == State::Asked {
            self.state = State::Done;
            self.unsent = [bytes, INJECTED].concat();
            return match self.poll_unsent(context) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => Poll::Ready(Ok(bytes.len())),
            };
        }
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_unsent(context))?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_unsent(context))?;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
