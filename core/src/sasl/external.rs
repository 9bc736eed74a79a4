//! EXTERNAL (RFC 4422 appendix A): the connection has proved who the client is, for instance by a TLS certificate.

use super::secret::Response;

/// Whom to act for; nothing at all for whoever the connection belongs to.
///
/// ```abnf
/// external-initial-response = authzid-string
/// authzid-string            = *( UTF8-char-no-nul )
/// ```
pub(super) fn response(authzid: Option<&str>) -> Response {
    Response::concat(&[authzid.unwrap_or_default().as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_nothing() {
        assert_eq!(response(Some("fred@example.com")).as_bytes(), b"fred@example.com");
        assert_eq!(response(None).as_bytes(), b"");
    }
}
