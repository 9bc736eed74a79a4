//! What both drivers do with a socket at once, without waiting.

use std::io::{self, IoSlice};

/// A stream of octets that does not block: what can't be done now is [`WouldBlock`](io::ErrorKind::WouldBlock).
pub(crate) trait Transport {
    /// Reads what is there; 0 is the end.
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes as much of `buffers`, one behind the other, as there is room for.
    fn try_write(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize>;
}

/// Without a connection there is nothing to read or write.
impl<T: Transport> Transport for Option<T> {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Some(transport) => transport.try_read(buffer),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn try_write(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Some(transport) => transport.try_write(buffers),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}
