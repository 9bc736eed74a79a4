//! Where a server or a proxy is, as a URL.
//!
//! `scheme://[user[:password]@]host[:port]`, or `scheme:///path` for a Unix socket (RFC 3986 §3.2). There is no path behind
//! a host, no query and no fragment. User, password and path are percent-decoded.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;

use percent_encoding::percent_decode_str;

use crate::error::{Error, ErrorCode};
use crate::sasl::Secret;

/// A URL, taken apart.
#[derive(Clone, Debug)]
pub struct Url {
    /// In lower case.
    pub scheme: String,
    /// Not empty.
    pub user: Option<String>,
    /// Not empty.
    pub password: Option<Secret>,
    /// Where it points to.
    pub place: Place,
}

/// Where it points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A host by name or address, without brackets, and a port if there is one.
    Host(String, Option<u16>),
    /// The path of a Unix socket.
    Path(String),
}

impl Url {
    /// Takes `url` apart. Nothing of it is repeated in the error, since it may hold a password.
    ///
    /// # Errors
    ///
    /// `usage` if it is not of that form.
    pub fn parse(url: &str) -> Result<Self, Error> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("is not of the form scheme://host"))?;
        if rest.starts_with('/') {
            let place = Place::Path(decode(rest)?);
            return Ok(Self { scheme: scheme.to_ascii_lowercase(), user: None, password: None, place });
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return Err(wrong("has something behind the host and port"));
        }
        let (user_info, host_port) = match authority.rsplit_once('@') {
            Some((user_info, host_port)) => (Some(user_info), host_port),
            None => (None, authority),
        };
        let (user, password) = match user_info.map(|info| info.split_once(':').unwrap_or((info, ""))) {
            Some((user, password)) => (decode(user)?, decode(password)?),
            None => (String::new(), String::new()),
        };
        let (host, port) = split_port(host_port)?;
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            user: Some(user).filter(|user| !user.is_empty()),
            password: Some(password).filter(|password| !password.is_empty()).map(Secret::new),
            place: Place::Host(host.to_owned(), port),
        })
    }
}

fn split_port(host_port: &str) -> Result<(&str, Option<u16>), Error> {
    let (host, port) = match host_port.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']').ok_or_else(|| wrong("has a bracket without its partner"))?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').unwrap_or("no port")) })
        }
        None => match host_port.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (host_port, None),
        },
    };
    if host.is_empty() || host.bytes().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control()) {
        return Err(wrong("has no host"));
    }
    let port = match port {
        Some(port) if port.bytes().all(|digit| digit.is_ascii_digit()) => {
            Some(port.parse().ok().filter(|&port| port != 0).ok_or_else(|| wrong("has a port outside of 1 to 65535"))?)
        }
        Some(_) => return Err(wrong("has a port that is not a number")),
        None => None,
    };
    Ok((host, port))
}

fn decode(text: &str) -> Result<String, Error> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| wrong("is not UTF-8 when percent-decoded"))?;
    Ok(decoded.into_owned())
}

fn wrong(what: &'static str) -> Error {
    Error::new(ErrorCode::Usage, format!("the URL {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    fn host(host: &str, port: Option<u16>) -> Place {
        Place::Host(host.to_owned(), port)
    }

    #[test]
    fn urls_are_taken_apart() {
        let known = [
            ("smtp://mx.example", "smtp", None, None, host("mx.example", None)),
            ("SMTPS://mx.example:2465/", "smtps", None, None, host("mx.example", Some(2465))),
            ("smtp://me@mx.example", "smtp", Some("me"), None, host("mx.example", None)),
            ("smtp://me%40x:p%3A%2F%40%C3%BC@[::1]:25", "smtp", Some("me@x"), Some("p:/@ü"), host("::1", Some(25))),
            ("smtp://me:a:b@127.0.0.1", "smtp", Some("me"), Some("a:b"), host("127.0.0.1", None)),
            ("lmtp:///run/d%20c/lmtp", "lmtp", None, None, Place::Path("/run/d c/lmtp".into())),
        ];
        for (text, scheme, user, password, place) in known {
            let url = Url::parse(text).expect(text);
            assert_eq!((url.scheme.as_str(), url.user.as_deref(), url.place), (scheme, user, place), "{text}");
            assert_eq!(url.password.as_ref().map(Secret::expose), password, "{text}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused_without_repeating_it() {
        for text in [
            "",
            "mx.example",
            "smtp://",
            "smtp://:25",
            "smtp://me:secret@",
            "smtp://me:secret@mx.example:port",
            "smtp://me:secret@mx.example:0",
            "smtp://me:secret@mx.example:65536",
            "smtp://me:secret@mx.example:+25",
            "smtp://me:secret@[::1",
            "smtp://me:secret@[::1]25",
            "smtp://me:secret@mx.example/inbox",
            "smtp://me:secret@mx.example?x",
            "smtp://me:secret%FF@mx.example",
            "smtp://me:secret@mx example",
        ] {
            let error = Url::parse(text).expect_err(text);
            assert_eq!(error.code(), ErrorCode::Usage, "{text}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
