//! EXTERNAL (RFC 4422 appendix A): the connection has proved who the client is, for instance by a TLS certificate.

use super::failure::malformed_response;
use super::secret::Response;
use crate::error::Error;
use alloc::string::String;

/// Whom to act for; nothing at all for whoever the connection belongs to.
///
/// ```abnf
/// external-initial-response = authzid-string
/// authzid-string            = *( UTF8-char-no-nul )
/// ```
pub(super) fn response(authzid: Option<&str>) -> Response {
    Response::concat(&[authzid.unwrap_or_default().as_bytes()])
}

/// Whom to act for. An error if that is no name.
pub(super) fn parse(message: &[u8]) -> Result<Option<String>, Error> {
    match core::str::from_utf8(message) {
        Ok(name) if !name.contains('\0') => Ok((!name.is_empty()).then(|| name.into())),
        _ => Err(malformed_response("the response of EXTERNAL is no name")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for name in [None, Some("fred@example.com"), Some("jos\u{e9}")] {
            assert_eq!(parse(response(name).as_bytes()).unwrap().as_deref(), name);
        }
        assert!(parse(b"\xff").is_err() && parse(b"a\0b").is_err());
    }

    #[test]
    fn a_name_or_nothing() {
        assert_eq!(response(Some("fred@example.com")).as_bytes(), b"fred@example.com");
        assert_eq!(response(None).as_bytes(), b"");
    }
}
