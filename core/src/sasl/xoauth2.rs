//! XOAUTH2: the bearer token as some large mail hosts took it before there was OAUTHBEARER. It has no RFC.

use super::secret::{Response, Secret};

/// Answers the server's error, after which only its verdict is left.
pub(super) const ANSWER_TO_ERROR: &[u8] = b"";

/// ```abnf
/// message = "user=" user %x01 "auth=Bearer " token %x01 %x01
/// ```
pub(super) fn response(user: &str, token: &Secret) -> Response {
    let parts = ["user=", user, "\x01auth=Bearer ", token.expose(), "\x01\x01"];
    Response::concat(&parts.map(str::as_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_token() {
        assert_eq!(
            response("someuser@example.com", &"ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg".into()).as_bytes(),
            b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01"
        );
    }
}
