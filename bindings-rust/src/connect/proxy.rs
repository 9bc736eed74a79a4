//! Which proxy the connection goes through, and the dialogue with it.
//!
//! The name of the server is looked up by the proxy, not here. Nothing in these files opens a socket: a tunnel is asked
//! what is [`next`](Tunnel::next) until it is open.

use okuru_core::client::{Place, Url};
use okuru_core::sasl::Secret;
use okuru_core::{Error, ErrorCode, Step};

use super::http_connect::HttpConnect;
use super::socks5::Socks5;

/// A proxy, from `socks5://[user:password@]host[:1080]` or `http://[user:password@]host[:80]`.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    kind: Kind,
    pub(crate) host: String,
    pub(crate) port: u16,
    user: Option<(String, Secret)>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Socks5,
    HttpConnect,
}

impl Proxy {
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let Url { scheme, user, password, place } = Url::parse(url)?;
        let (kind, usual_port) = match scheme.as_str() {
            "socks5" | "socks5h" => (Kind::Socks5, 1080),
            "http" => (Kind::HttpConnect, 80),
            _ => return Err(usage("a proxy's URL begins with socks5:// or http://")),
        };
        let Place::Host(host, port) = place else {
            return Err(usage("a proxy's URL needs a host"));
        };
        let user = user.map(|user| (user, password.unwrap_or_else(|| Secret::new(""))));
        if let (Kind::Socks5, Some((user, password))) = (kind, &user) {
            // RFC 1929 §2 has one octet for each length, and none of them may be empty.
            if !(1..=255).contains(&user.len()) || !(1..=255).contains(&password.expose().len()) {
                return Err(usage("a SOCKS5 proxy takes a user name and a password of 1 to 255 octets each"));
            }
        }
        if let (Kind::HttpConnect, Some((user, _))) = (kind, &user) {
            // RFC 7617 §2.
            if user.contains(':') {
                return Err(usage("an HTTP proxy takes no user name with a colon"));
            }
        }
        Ok(Self { kind, host, port: port.unwrap_or(usual_port), user })
    }

    /// The dialogue that leads through the proxy to `host`.
    pub(crate) fn tunnel(&self, host: &str, port: u16) -> Tunnel {
        match self.kind {
            Kind::Socks5 => Tunnel::Socks5(Socks5::new(host, port, self.user.clone())),
            Kind::HttpConnect => Tunnel::HttpConnect(HttpConnect::new(host, port, self.user.as_ref())),
        }
    }
}

/// A dialogue with a proxy.
#[derive(Debug)]
pub(crate) enum Tunnel {
    Socks5(Socks5),
    HttpConnect(HttpConnect),
}

/// What is next in a dialogue with a proxy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Write(Vec<u8>),
    /// Read more, behind what there is.
    Read,
    /// Whatever is left in the input comes from the server.
    Open,
}

impl Tunnel {
    /// Takes what belongs to the proxy from the front of `input`, and says what is next.
    pub(crate) fn next(&mut self, input: &mut Vec<u8>) -> Result<Next, Error> {
        match self {
            Self::Socks5(dialogue) => dialogue.next(input),
            Self::HttpConnect(dialogue) => dialogue.next(input),
        }
    }
}

/// The proxy did not let us through.
pub(super) fn refused(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorCode::ConnectProxy, what).at(Step::Connect)
}

fn usage(what: &'static str) -> Error {
    Error::new(ErrorCode::Usage, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_have_usual_ports() {
        for (url, host, port) in [
            ("socks5://proxy.example", "proxy.example", 1080),
            ("socks5h://me:pw@[::1]:9050", "::1", 9050),
            ("http://proxy.example", "proxy.example", 80),
            ("http://me@proxy.example:3128", "proxy.example", 3128),
        ] {
            let proxy = Proxy::parse(url).expect(url);
            assert_eq!((proxy.host.as_str(), proxy.port), (host, port), "{url}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused() {
        for url in ["https://p", "socks4://p", "smtp://p", "http:///p", "socks5://me@p", "http://a%3Ab:c@p", "p:80"] {
            assert_eq!(Proxy::parse(url).expect_err(url).code(), ErrorCode::Usage, "{url}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let proxy = Proxy::parse("http://me:hunter2@p").unwrap();
        assert!(!format!("{proxy:?} {:?}", proxy.tunnel("h", 25)).contains("hunter2"));
    }
}
