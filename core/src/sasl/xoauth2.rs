//! XOAUTH2: the bearer token as some large mail hosts took it before there was OAUTHBEARER. It has no RFC.

use super::bearer::bearer_token;
use super::failure::malformed_response;
use super::secret::{Response, Secret};
use crate::error::Error;
use alloc::string::String;

/// Answers the server's error, after which only its verdict is left.
pub(super) const ANSWER_TO_ERROR: &[u8] = b"";

/// ```abnf
/// message = "user=" user %x01 "auth=Bearer " token %x01 %x01
/// ```
pub(super) fn response(user: &str, token: &Secret) -> Response {
    let parts = ["user=", user, "\x01auth=Bearer ", token.expose(), "\x01\x01"];
    Response::concat(&parts.map(str::as_bytes))
}

/// Tells the client that the token does not do, in the words that clients know from where this mechanism comes from.
pub(super) const REFUSAL: &[u8] = b"{\"status\":\"401\",\"schemes\":\"bearer\"}";

/// The user and the token; an error if it is not what [`response`] gives.
pub(super) fn parse(message: &[u8]) -> Result<(String, Secret), Error> {
    request(message).ok_or_else(|| malformed_response("the response of XOAUTH2 has no user and token as it should be"))
}

fn request(message: &[u8]) -> Option<(String, Secret)> {
    let message = core::str::from_utf8(message).ok()?.strip_suffix("\x01\x01")?;
    let (user, auth) = message.strip_prefix("user=")?.split_once('\x01')?;
    if user.is_empty() || user.contains('\0') {
        return None;
    }
    Some((user.into(), bearer_token(auth.strip_prefix("auth=")?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_go_both_ways() {
        let message = response("a=b@example.com", &"a.b==".into());
        assert_eq!(parse(message.as_bytes()).unwrap(), ("a=b@example.com".into(), "a.b==".into()));
        for message in [
            "",
            "\x01\x01",
            "user=a",
            "user=a\x01\x01",
            "user=\x01auth=Bearer x\x01\x01",
            "user=a\0\x01auth=Bearer x\x01\x01",
            "user=a\x01auth=Bearer x\x01",
            "user=a\x01auth=Bearer x",
            "user=a\x01auth=Bearer x\x01y\x01\x01",
            "user=a\x01auth=Basic x\x01\x01",
            "auth=Bearer x\x01user=a\x01\x01",
        ] {
            assert!(parse(message.as_bytes()).is_err(), "{message:?}");
        }
        assert!(parse(b"user=\xff\x01auth=Bearer x\x01\x01").is_err());
    }

    #[test]
    fn user_and_token() {
        assert_eq!(
            response("someuser@example.com", &"ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg".into()).as_bytes(),
            b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01"
        );
    }
}
