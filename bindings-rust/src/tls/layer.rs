//! One TLS connection, between plaintext and a socket that does not wait.

use std::io::{self, BufRead as _, IoSlice, Write};
use std::sync::Arc;

use okuru_core::client::TlsInfo;
use okuru_core::{Error, ErrorCode, Step};
use rustls::{CertificateError, ClientConnection, ProtocolVersion};

use super::channel_binding;
use super::verifier::Verifier;
use crate::server_info::TlsSession;
use crate::transport::Transport;

/// One TLS connection.
#[derive(Debug)]
pub(crate) struct TlsLayer {
    connection: ClientConnection,
    verifier: Arc<Verifier>,
}

impl TlsLayer {
    pub(super) fn new(connection: ClientConnection, verifier: Arc<Verifier>) -> Self {
        Self { connection, verifier }
    }

    /// Whether the handshake is still under way.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Takes plaintext to be sent, as much as there is room for until the next [`flush`](Self::flush).
    pub(crate) fn write(&mut self, plaintext: &[u8]) -> usize {
        self.connection.writer().write(plaintext).unwrap_or(0)
    }

    /// Whether something is to be sent.
    pub(crate) fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }

    /// Sends what has been encrypted.
    pub(crate) fn flush(&mut self, transport: &mut impl Transport) -> io::Result<()> {
        while self.connection.wants_write() {
            if self.connection.write_tls(&mut Writer(transport))? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Takes octets from the network, and appends the plaintext in them; also what came before an error.
    pub(crate) fn receive(&mut self, mut raw: &[u8], plaintext: &mut Vec<u8>) -> Result<(), Error> {
        while !raw.is_empty() {
            let handshaking = self.is_handshaking();
            let taken = self.connection.read_tls(&mut raw).map_err(|error| broken(&error))?;
            let processed = self.connection.process_new_packets();
            let mut reader = self.connection.reader();
            while let Ok(chunk @ [_, ..]) = reader.fill_buf() {
                let length = chunk.len();
                plaintext.extend_from_slice(chunk);
                reader.consume(length);
            }
            processed.map_err(|error| if handshaking { failure(&error) } else { broken(&error) })?;
            if taken == 0 {
                // Behind close_notify nothing is taken.
                break;
            }
        }
        Ok(())
    }

    /// Whether the peer has said that nothing more comes.
    pub(crate) fn is_over(&mut self) -> bool {
        matches!(self.connection.reader().fill_buf(), Ok([]))
    }

    /// Says that nothing more comes.
    pub(crate) fn close(&mut self) {
        self.connection.send_close_notify();
    }

    /// What the core wants to know, once the handshake has ended.
    pub(crate) fn info(&self) -> TlsInfo {
        TlsInfo {
            verified: matches!(self.verifier.result(), Some(Ok(()))),
            channel_binding: channel_binding::of(&self.connection),
        }
    }

    /// Whether the server has come so far as to show a certificate.
    pub(crate) fn has_certificate(&self) -> bool {
        !self.verifier.shown().is_empty()
    }

    /// What the user may want to know, once the handshake has ended, or has failed since the certificate does not verify.
    pub(crate) fn session(&self) -> TlsSession {
        TlsSession {
            version: match self.connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                _ => "TLSv1.2",
            },
            cipher_suite: self
                .connection
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .unwrap_or_default(),
            distrust: match self.verifier.result() {
                Some(Err(error)) => Some(failure(error)),
                _ => None,
            },
            certificates: self.verifier.shown().to_vec(),
        }
    }
}

/// Why a handshake failed.
fn failure(error: &rustls::Error) -> Error {
    let (code, what) = match error {
        rustls::Error::InvalidCertificate(reason) => (ErrorCode::TlsCertificate, distrust(reason)),
        rustls::Error::InvalidMessage(_) => (ErrorCode::TlsHandshake, "the server does not speak TLS here".to_owned()),
        rustls::Error::AlertReceived(alert) => {
            (ErrorCode::TlsHandshake, format!("the server ended the TLS handshake: {alert:?}"))
        }
        other => (ErrorCode::TlsHandshake, format!("the TLS handshake failed: {other}")),
    };
    Error::new(code, what).at(Step::StartTls)
}

fn distrust(reason: &CertificateError) -> String {
    match reason {
        CertificateError::UnknownIssuer => "no trusted authority has issued the server's certificate".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet".to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let expected = expected.to_str();
            let presented: Vec<_> = presented.iter().map(|name| bare(name)).collect();
            format!("the server's certificate is not for {expected} but for {}", presented.join(", "))
        }
        other => format!("the server's certificate does not verify: {other}"),
    }
}

/// The name in what rustls says of it, `DnsName("mx.example")` for instance.
fn bare(presented: &str) -> &str {
    presented
        .split_once('(')
        .and_then(|(_, name)| name.strip_suffix(')'))
        .map_or(presented, |name| name.trim_matches('"'))
}

/// Why an established connection can't go on.
fn broken(what: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorCode::ConnectLost, format!("the TLS connection broke: {what}"))
}

struct Writer<'a, T>(&'a mut T);

impl<T: Transport> Write for Writer<'_, T> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.try_write(&[IoSlice::new(buffer)])
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write(buffers)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
