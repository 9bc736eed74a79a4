//! Where a server is and how it is spoken to, as a URL.

use alloc::borrow::ToOwned as _;
use alloc::string::String;

use super::config::{Protocol, Tls};
use super::url::{Place, Url};
use crate::error::{Error, ErrorCode};
use crate::sasl::Secret;
use crate::syntax::Domain;

/// Where a server is and how it is spoken to.
///
/// | URL | port | TLS |
/// |---|---|---|
/// | `smtp://host[:port]` | 587 | by STARTTLS, required |
/// | `smtps://host[:port]` | 465 | from the first byte |
/// | `lmtp://host[:port]` | 24 | none |
/// | `lmtp:///path/to/socket` | | none |
///
/// `user:password@` before the host are credentials; both are percent-decoded.
#[derive(Clone, Debug)]
pub struct ServerUrl {
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// When TLS begins.
    pub tls: Tls,
    /// Where the server is.
    pub address: ServerAddress,
    /// As whom to log in.
    pub user: Option<String>,
    /// With which password. There is none without a user.
    pub password: Option<Secret>,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerAddress {
    /// A name in ASCII or an address without brackets, and a port.
    Host(String, u16),
    /// The path of a Unix socket.
    Socket(String),
}

impl ServerUrl {
    /// Takes `url` apart. Nothing of it is repeated in the error, since it may hold a password.
    ///
    /// # Errors
    ///
    /// `usage` if it is not of this form; as [`Domain::to_ascii`] for a host outside ASCII.
    pub fn parse(url: &str) -> Result<Self, Error> {
        let Url { scheme, user, password, place } = Url::parse(url)?;
        let (protocol, tls, usual_port) = match scheme.as_str() {
            "smtp" => (Protocol::Smtp, Tls::StartTls, 587),
            "smtps" => (Protocol::Smtp, Tls::Implicit, 465),
            "lmtp" => (Protocol::Lmtp, Tls::None, 24),
            _ => return Err(usage("a server's URL begins with smtp://, smtps:// or lmtp://")),
        };
        let address = match place {
            Place::Host(host, port) => ServerAddress::Host(in_ascii(host)?, port.unwrap_or(usual_port)),
            Place::Path(_) if protocol == Protocol::Smtp => return Err(usage("only lmtp:// goes over a Unix socket")),
            Place::Path(path) => ServerAddress::Socket(path),
        };
        if user.is_none() && password.is_some() {
            return Err(usage("the URL has a password, but no user"));
        }
        Ok(Self { protocol, tls, address, user, password })
    }
}

impl ServerAddress {
    /// What a certificate is checked against where nothing else is said.
    pub fn server_name(&self) -> &str {
        match self {
            Self::Host(host, _) => host,
            Self::Socket(_) => "localhost",
        }
    }
}

fn in_ascii(host: String) -> Result<String, Error> {
    if host.is_ascii() {
        return Ok(host);
    }
    Ok(host.parse::<Domain>()?.to_ascii()?.as_str().to_owned())
}

fn usage(what: &'static str) -> Error {
    Error::new(ErrorCode::Usage, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn urls_say_protocol_port_and_tls() {
        let host = |host: &str, port| ServerAddress::Host(host.to_owned(), port);
        for (url, address, protocol, tls) in [
            ("smtp://mx.example", host("mx.example", 587), Protocol::Smtp, Tls::StartTls),
            ("smtp://mx.example:25", host("mx.example", 25), Protocol::Smtp, Tls::StartTls),
            ("smtps://[::1]", host("::1", 465), Protocol::Smtp, Tls::Implicit),
            ("lmtp://127.0.0.1", host("127.0.0.1", 24), Protocol::Lmtp, Tls::None),
            ("lmtp:///run/lmtp", ServerAddress::Socket("/run/lmtp".into()), Protocol::Lmtp, Tls::None),
        ] {
            let parsed = ServerUrl::parse(url).expect(url);
            assert_eq!((parsed.address, parsed.protocol, parsed.tls), (address, protocol, tls), "{url}");
        }
    }

    #[cfg(feature = "idna")]
    #[test]
    fn hosts_are_in_ascii() {
        let parsed = ServerUrl::parse("smtp://ex\u{e4}mple.test").unwrap();
        assert_eq!(parsed.address.server_name(), "xn--exmple-cua.test");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for url in ["imap://mx.example", "smtp:///run/smtp", "smtp://:secret@mx.example", "mx.example:25"] {
            let error = ServerUrl::parse(url).expect_err(url);
            assert_eq!(error.code(), ErrorCode::Usage, "{url}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
