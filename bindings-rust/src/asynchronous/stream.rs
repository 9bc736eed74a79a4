//! A connected socket of tokio's, as the shared code wants it.

use std::io::{self, IoSlice, Read as _};
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::acknowledgement::Acknowledgement;
use crate::transport::Transport;

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream, Acknowledgement),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Stream {
    pub(crate) fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        let polled = match self {
            Self::Tcp(stream, acknowledgement) => {
                let polled = Pin::new(&mut *stream).poll_read(context, &mut buffer);
                match polled {
                    Poll::Ready(_) => acknowledgement.has_read(),
                    Poll::Pending => acknowledgement.about_to_wait(stream),
                }
                polled
            }
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_read(context, &mut buffer),
        };
        polled.map_ok(|()| buffer.filled().len())
    }

    /// Reads from the socket itself. What tokio has heard of it is old news, where the runtime has not run since the last
    /// call: that the server has closed it, for instance.
    fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream, _) => (&*SockRef::from(stream)).read(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => (&*SockRef::from(stream)).read(buffer),
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match (self, buffers) {
            (Self::Tcp(stream, acknowledgement), _) => {
                acknowledgement.has_written();
                match buffers {
                    [buffer] => Pin::new(stream).poll_write(context, buffer),
                    _ => Pin::new(stream).poll_write_vectored(context, buffers),
                }
            }
            #[cfg(unix)]
            (Self::Unix(stream), [buffer]) => Pin::new(stream).poll_write(context, buffer),
            #[cfg(unix)]
            (Self::Unix(stream), _) => Pin::new(stream).poll_write_vectored(context, buffers),
        }
    }
}

/// A socket within a task: whatever can't be done now wakes the task when it can.
pub(crate) struct InTask<'a, 'b> {
    pub(crate) stream: &'a mut Stream,
    pub(crate) context: &'a mut Context<'b>,
}

impl Transport for InTask<'_, '_> {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stream.poll_read(self.context, buffer) {
            Poll::Ready(result) => result,
            Poll::Pending => self.stream.read_now(buffer),
        }
    }

    fn try_write(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        ready(self.stream.poll_write(self.context, buffers))
    }
}

fn ready(polled: Poll<io::Result<usize>>) -> io::Result<usize> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}
