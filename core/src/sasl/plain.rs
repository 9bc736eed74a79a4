//! PLAIN (RFC 4616): user name and password as they are, for a connection that is protected already.
//!
//! They are sent as the user gave them. Preparing them (SASLprep) is for the server, which does it before it compares
//! (RFC 4616 §2); many servers compare the bytes as they came, and would not know a password that had been prepared.

use super::secret::Response;

/// ```abnf
/// message = [authzid] UTF8NUL authcid UTF8NUL passwd    ; RFC 4616 §2
/// ```
pub(super) fn response(authzid: Option<&str>, user: &str, password: &str) -> Response {
    Response::concat(&[authzid.unwrap_or_default().as_bytes(), b"\0", user.as_bytes(), b"\0", password.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

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
