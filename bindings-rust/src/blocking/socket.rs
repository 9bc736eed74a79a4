//! A connected socket: reads that wait, writes that don't.
//!
//! In a steady stream a round trip costs two system calls, one write and one read. The read waits by itself, no longer than
//! SO_RCVTIMEO, which is set to less than the time that is left and so seldom has to be changed. poll(2) is asked only
//! where there is something to be written and no room for it.

use std::io::{self, IoSlice};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, recv};
#[cfg(unix)]
use rustix::net::{SendAncillaryBuffer, SendFlags, send, sendmsg};
use socket2::Socket as RawSocket;

#[cfg(unix)]
use crate::acknowledgement::Acknowledgement;
use crate::transport::Transport;

/// A connected socket.
#[derive(Debug)]
pub(super) struct Socket {
    raw: RawSocket,
    /// SO_RCVTIMEO.
    #[cfg(unix)]
    timeout: Option<Duration>,
    #[cfg(unix)]
    acknowledgement: Acknowledgement,
}

/// A time-out of at least this is left as it is: waking up too early that seldom costs nothing.
#[cfg(unix)]
const LONG: Duration = Duration::from_secs(1);

impl Socket {
    /// From a socket that is connected.
    pub(super) fn new(raw: RawSocket) -> io::Result<Self> {
        // Elsewhere there is no way to say for a single call that it must not wait.
        raw.set_nonblocking(cfg!(not(unix)))?;
        raw.set_read_timeout(None)?;
        Ok(Self {
            raw,
            #[cfg(unix)]
            timeout: None,
            #[cfg(unix)]
            acknowledgement: Acknowledgement::default(),
        })
    }

    pub(super) fn raw(&self) -> &RawSocket {
        &self.raw
    }

    /// Waits until there is something to read, and reads it; 0 is the end. [`WouldBlock`](io::ErrorKind::WouldBlock) where
    /// nothing has come `within` that time, or a shorter one.
    pub(super) fn read(&mut self, buffer: &mut [u8], within: Option<Duration>) -> io::Result<usize> {
        #[cfg(unix)]
        {
            let timeout = receive_timeout(self.timeout, within);
            if timeout != self.timeout {
                self.raw.set_read_timeout(timeout)?;
                self.timeout = timeout;
            }
            self.acknowledgement.about_to_wait(&self.raw);
            let (_, length) = recv(&self.raw, buffer, RecvFlags::empty())?;
            self.acknowledgement.has_read();
            Ok(length)
        }
        #[cfg(not(unix))]
        {
            match self.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            self.poll(PollFlags::IN, within)?;
            self.try_read(buffer)
        }
    }

    /// Waits `within` that time until there is something to read, or room to write.
    pub(super) fn wait_for_both(&mut self, within: Option<Duration>) -> io::Result<()> {
        self.poll(PollFlags::IN | PollFlags::OUT, within)
    }

    /// Waits `within` that time until there is room to write.
    pub(super) fn wait_for_room(&mut self, within: Option<Duration>) -> io::Result<()> {
        self.poll(PollFlags::OUT, within)
    }

    fn poll(&self, flags: PollFlags, within: Option<Duration>) -> io::Result<()> {
        poll_all(&mut [PollFd::new(&self.raw, flags)], within)
    }
}

/// Waits `within` that time until something happens to any of `sockets`.
pub(super) fn poll_all(sockets: &mut [PollFd<'_>], within: Option<Duration>) -> io::Result<()> {
    let timeout = within.and_then(|within| Timespec::try_from(within).ok());
    match poll(sockets, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl Transport for Socket {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(unix)]
        let flags = RecvFlags::DONTWAIT;
        #[cfg(not(unix))]
        let flags = RecvFlags::empty();
        let (_, length) = recv(&self.raw, buffer, flags)?;
        Ok(length)
    }

    #[cfg(unix)]
    fn try_write(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        #[cfg(target_vendor = "apple")]
        let flags = SendFlags::DONTWAIT;
        #[cfg(not(target_vendor = "apple"))]
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let length = match buffers {
            [buffer] => send(&self.raw, buffer, flags)?,
            buffers => sendmsg(&self.raw, buffers, &mut SendAncillaryBuffer::default(), flags)?,
        };
        self.acknowledgement.has_written();
        Ok(length)
    }

    #[cfg(not(unix))]
    fn try_write(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.raw.send_vectored(buffers)
    }
}

/// What SO_RCVTIMEO is to be, where it is `current` and `within` that time the wait is to end: a power of two of
/// milliseconds, so that it stays the same while the time that is left hardly changes.
#[cfg(unix)]
fn receive_timeout(current: Option<Duration>, within: Option<Duration>) -> Option<Duration> {
    let within = within?;
    if let Some(current) = current
        && current <= within
        && (current >= LONG || current * 2 > within)
    {
        return Some(current);
    }
    // Zero would be for ever.
    let milliseconds = u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1);
    Some(Duration::from_millis(1 << milliseconds.ilog2()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const MS: fn(u64) -> Option<Duration> = |ms| Some(Duration::from_millis(ms));

    #[test]
    fn the_timeout_is_never_longer_than_the_time_that_is_left() {
        for (current, within, expected) in [
            (None, None, None),
            (MS(1024), None, None),
            (None, MS(300_000), MS(262_144)),
            (MS(262_144), MS(299_990), MS(262_144)),
            (MS(262_144), MS(600_000), MS(262_144)),
            (MS(262_144), MS(37_856), MS(32_768)),
            (MS(1024), MS(120_000), MS(1024)),
            (MS(512), MS(120_000), MS(65_536)),
            (MS(4), MS(7), MS(4)),
            (None, MS(1), MS(1)),
            (None, MS(0), MS(1)),
        ] {
            assert_eq!(receive_timeout(current, within), expected, "{current:?} {within:?}");
        }
        assert_eq!(receive_timeout(None, Some(Duration::MAX)), Some(Duration::from_millis(1 << 63)));
    }
}
