//! What lies between a machine and its socket: what is to be written, and TLS.

use std::io;

use okuru_core::client::TlsInfo;
use okuru_core::{Error, ErrorCode};

use crate::gather::Gather;
use crate::server_info::TlsSession;
#[cfg(feature = "rustls")]
use crate::tls::{TlsLayer, Trust};
use crate::transport::Transport;

/// What lies between a machine and its socket.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    /// What is to be written, before TLS.
    pub(crate) gather: Gather,
    #[cfg(feature = "rustls")]
    tls: Option<TlsLayer>,
    #[cfg(feature = "rustls")]
    plaintext: Vec<u8>,
}

/// What was in octets from the network, in the order in which the machine is to be told.
pub(crate) struct Received<'a> {
    /// TLS has come to be.
    pub(crate) handshake: Option<(TlsSession, TlsInfo)>,
    pub(crate) plaintext: &'a [u8],
    /// TLS has not come to be, and this is what the server has shown.
    pub(crate) shown: Option<TlsSession>,
    /// Whether the peer has said that nothing more comes, or why the connection can't go on.
    pub(crate) is_over: Result<bool, Error>,
}

impl Wire {
    /// Whether there is something to be written.
    pub(crate) fn wants_write(&self) -> bool {
        #[cfg(feature = "rustls")]
        if self.tls.as_ref().is_some_and(TlsLayer::wants_write) {
            return true;
        }
        !self.gather.is_empty()
    }

    /// Writes as much as can be written now. Says how many octets of what was gathered have gone.
    pub(crate) fn write(&mut self, transport: &mut impl Transport) -> (u64, io::Result<()>) {
        let before = self.gather.len();
        let result = self.write_on(transport);
        ((before - self.gather.len()) as u64, result)
    }

    /// Why the connection has failed, if it ends now.
    pub(crate) fn cut_short(&self) -> Option<Error> {
        let what = "the server closed the connection during the TLS handshake";
        self.is_handshaking().then(|| Error::new(ErrorCode::TlsHandshake, what))
    }

    fn write_plain(&mut self, transport: &mut impl Transport) -> io::Result<()> {
        while !self.gather.is_empty() {
            match self.gather.write(|buffers| transport.try_write(buffers)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(feature = "rustls")]
impl Wire {
    /// Whether TLS has begun, and has not come to be.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(TlsLayer::is_handshaking)
    }

    pub(crate) fn begin_tls(&mut self, trust: Option<&Trust>, server_name: &str, verify: bool) -> Result<(), Error> {
        let not_set_up = || Error::new(ErrorCode::TlsConfiguration, "TLS was not set up");
        self.tls = Some(trust.ok_or_else(not_set_up)?.begin(server_name, verify)?);
        Ok(())
    }

    /// Takes octets from the network.
    pub(crate) fn receive<'a>(&'a mut self, bytes: &'a [u8]) -> Received<'a> {
        let Some(tls) = &mut self.tls else {
            return Received { handshake: None, plaintext: bytes, shown: None, is_over: Ok(false) };
        };
        let was_handshaking = tls.is_handshaking();
        self.plaintext.clear();
        let result = tls.receive(bytes, &mut self.plaintext);
        let handshake = (was_handshaking && !tls.is_handshaking()).then(|| (tls.session(), tls.info()));
        let has_failed = result.is_err() && was_handshaking && tls.is_handshaking();
        let shown = (has_failed && tls.has_certificate()).then(|| tls.session());
        let is_over = result.map(|()| tls.is_over());
        Received { handshake, plaintext: &self.plaintext, shown, is_over }
    }

    /// Says that nothing more comes, where all else has been written.
    pub(crate) fn close(&mut self, transport: &mut impl Transport) {
        if let Some(tls) = self.tls.as_mut().filter(|_| self.gather.is_empty()) {
            tls.close();
            // Whoever closed first does not listen any more.
            let _ = tls.flush(transport);
        }
    }

    fn write_on(&mut self, transport: &mut impl Transport) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            return self.write_plain(transport);
        };
        loop {
            match tls.flush(transport) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            if tls.is_handshaking() || self.gather.is_empty() {
                return Ok(());
            }
            let taken = tls.write(self.gather.front());
            if taken == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.gather.advance(taken);
        }
    }
}

#[cfg(not(feature = "rustls"))]
impl Wire {
    pub(crate) fn is_handshaking(&self) -> bool {
        false
    }

    pub(crate) fn receive<'a>(&'a mut self, bytes: &'a [u8]) -> Received<'a> {
        Received { handshake: None, plaintext: bytes, shown: None, is_over: Ok(false) }
    }

    pub(crate) fn close(&mut self, _: &mut impl Transport) {}

    fn write_on(&mut self, transport: &mut impl Transport) -> io::Result<()> {
        self.write_plain(transport)
    }
}

/// Why TLS can't begin.
#[cfg(not(feature = "rustls"))]
pub(crate) fn without_tls() -> Error {
    Error::new(ErrorCode::TlsConfiguration, "this program was built without TLS")
}
