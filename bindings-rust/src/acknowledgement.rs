//! When TCP acknowledges what was read.
//!
//! A server may give the replies to one group of commands in two segments; Postfix does, where its buffer ends between the
//! end of a content and the commands behind it. If Nagle's algorithm is on there, the second segment waits until the first
//! is acknowledged (RFC 1122 §4.2.3.4), and we delay that in the hope of something to send along (§4.2.3.2): 40 ms on
//! Linux, for a message that takes one. So whoever has read, has written nothing since and is about to wait again
//! acknowledges at once. In a steady stream that never happens, and costs nothing.
//!
//! Elsewhere there is no way to ask for that.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::AsFd;

/// Whether something was read that nothing was written in answer to.
#[derive(Debug, Default)]
pub(crate) struct Acknowledgement {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    is_owed: bool,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Acknowledgement {
    pub(crate) fn has_read(&mut self) {
        self.is_owed = true;
    }

    pub(crate) fn has_written(&mut self) {
        self.is_owed = false;
    }

    /// Nothing will be done with `socket` before more comes.
    pub(crate) fn about_to_wait(&mut self, socket: impl AsFd) {
        if std::mem::take(&mut self.is_owed) {
            // A socket that is not TCP refuses, and has nothing to acknowledge.
            let _ = rustix::net::sockopt::set_tcp_quickack(socket, true);
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Acknowledgement {
    pub(crate) fn has_read(&mut self) {}

    pub(crate) fn has_written(&mut self) {}

    pub(crate) fn about_to_wait<S>(&mut self, _: S) {}
}
