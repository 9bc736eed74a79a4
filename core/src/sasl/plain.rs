//! PLAIN (RFC 4616): user name and password as they are, for a connection that is protected already.
//!
//! They are sent as the user gave them. Preparing them (SASLprep) is for the server, which does it before it compares
//! (RFC 4616 §2); many servers compare the bytes as they came, and would not know a password that had been prepared.

use super::secret::{Response, Secret};
use alloc::string::String;

/// ```abnf
/// message = [authzid] UTF8NUL authcid UTF8NUL passwd    ; RFC 4616 §2
/// ```
pub(super) fn response(authzid: Option<&str>, user: &str, password: &str) -> Response {
    Response::concat(&[authzid.unwrap_or_default().as_bytes(), b"\0", user.as_bytes(), b"\0", password.as_bytes()])
}

/// What the client has said; neither name nor password is empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) authzid: Option<String>,
    pub(super) user: String,
    pub(super) password: Secret,
}

impl Request {
    /// `None` if it is not what [`response`] gives.
    pub(super) fn parse(message: &[u8]) -> Option<Self> {
        let mut parts = core::str::from_utf8(message).ok()?.split('\0');
        let (authzid, user, password) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || user.is_empty() || password.is_empty() {
            return None;
        }
        let authzid = (!authzid.is_empty()).then(|| authzid.into());
        Some(Self { authzid, user: user.into(), password: password.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_go_both_ways() {
        for (authzid, user, password) in [(None, "tim", "x"), (Some("Ursel"), "Kurt", "I\u{AD}X")] {
            let request = Request { authzid: authzid.map(String::from), user: user.into(), password: password.into() };
            assert_eq!(Request::parse(response(authzid, user, password).as_bytes()), Some(request));
        }
    }

    #[test]
    fn what_is_no_request() {
        for message in ["", "\0", "\0\0", "tim\0x", "\0tim\0", "\0\0x", "a\0\0x", "\0tim\0x\0", "\0tim\0x\0y"] {
            assert_eq!(Request::parse(message.as_bytes()), None, "{message:?}");
        }
        assert_eq!(Request::parse(b"\0tim\0\xff"), None);
    }

    #[test]
    fn the_examples_of_rfc_4616_section_4() {
        assert_eq!(response(None, "tim", "tanstaaftanstaaf").as_bytes(), b"\0tim\0tanstaaftanstaaf");
        assert_eq!(response(Some("Ursel"), "Kurt", "xipj3plmq").as_bytes(), b"Ursel\0Kurt\0xipj3plmq");
    }

    #[test]
    fn beyond_ascii_goes_as_it_is() {
        assert_eq!(response(None, "jos\u{e9}", "I\u{AD}X").as_bytes(), "\0jos\u{e9}\0I\u{AD}X".as_bytes());
    }
}
