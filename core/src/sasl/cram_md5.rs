//! CRAM-MD5 (RFC 2195): the password keys a hash of the server's challenge. The server proves nothing.
//!
//! User name and password are used as the user gave them; RFC 2195 knows no preparation.

use super::credentials::unusable;
use super::failure::malformed_response;
use super::hash::{hex, hmac_md5, in_hexadecimal};
use super::secret::{Key, Response, Secret};
use crate::error::{Error, ErrorCode};
use alloc::format;
use alloc::string::String;

/// Waits for the challenge.
#[derive(Clone, Debug)]
pub(super) struct Client {
    user: String,
    password: Secret,
}

impl Client {
    pub(super) fn new(user: &str, password: &Secret) -> Result<Self, Error> {
        if user.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(unusable("the user name holds a control character"));
        }
        Ok(Self { user: user.into(), password: password.clone() })
    }

    /// User name, space, and the hash in lower-case hexadecimal (RFC 2195 §2).
    pub(super) fn response(&self, challenge: &[u8]) -> Result<Response, Error> {
        // Its hash would be the same each time, and who hears it once could use it again.
        if challenge.is_empty() {
            return Err(Error::new(ErrorCode::AuthMalformedChallenge, "the challenge for CRAM-MD5 is empty"));
        }
        let digest = digest(&self.password, challenge);
        Ok(Response::concat(&[self.user.as_bytes(), b" ", digest.as_bytes()]))
    }
}

/// Waits for the response to its challenge.
#[derive(Clone, Debug)]
pub(super) struct Server {
    challenge: String,
}

impl Server {
    /// `nonce` is random, and `host` the server's name.
    ///
    /// ```abnf
    /// challenge = "<" random "." timestamp "@" host ">"    ; RFC 2195 §2: a msg-id
    /// ```
    pub(super) fn new(nonce: &[u8], unix_time: u64, host: &str) -> Result<Self, Error> {
        let is_atom = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'@');
        if host.is_empty() || !host.bytes().all(is_atom) {
            return Err(Error::new(ErrorCode::Usage, "the host name cannot stand in the challenge of CRAM-MD5"));
        }
        let random: String = hex(nonce).map(char::from).collect();
        Ok(Self { challenge: format!("<{random}.{unix_time}@{host}>") })
    }

    pub(super) fn challenge(&self) -> Response {
        Response::concat(&[self.challenge.as_bytes()])
    }

    /// The user is what stands before the last space.
    pub(super) fn receive(self, response: &[u8]) -> Result<Asked, Error> {
        let response = core::str::from_utf8(response).ok().and_then(|response| response.rsplit_once(' '));
        let (user, digest) = response.ok_or_else(|| malformed_response("the response of CRAM-MD5 has no digest"))?;
        if user.is_empty() || user.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(malformed_response("the response of CRAM-MD5 has no user name"));
        }
        Ok(Asked { challenge: self.challenge, user: user.into(), digest: Key::new(digest.as_bytes()) })
    }
}

/// Waits for the password.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    challenge: String,
    user: String,
    digest: Key,
}

impl Asked {
    /// The user's name, as it came.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// Whether the client knows the password.
    pub(super) fn matches(&self, password: &Secret) -> bool {
        self.digest.matches(digest(password, self.challenge.as_bytes()).as_bytes())
    }
}

/// In lower-case hexadecimal.
fn digest(password: &Secret, challenge: &[u8]) -> Key {
    let mac = hmac_md5(password.expose().as_bytes(), challenge);
    in_hexadecimal(&mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_2195_section_2() {
        let client = Client::new("tim", &"tanstaaftanstaaf".into()).unwrap();
        let response = client.response(b"<1896.697170952@postoffice.reston.mci.net>").unwrap();
        assert_eq!(response.as_bytes(), b"tim b913a602c7eda7a495b4e6e7334d3890");
    }

    #[test]
    fn an_empty_challenge_is_refused() {
        let error = Client::new("tim", &"x".into()).unwrap().response(b"").unwrap_err();
        assert_eq!(error.code(), ErrorCode::AuthMalformedChallenge);
    }

    #[test]
    fn a_control_character_in_the_name_is_refused() {
        assert_eq!(Client::new("t\nim", &"x".into()).unwrap_err().code(), ErrorCode::AuthCredentials);
    }

    #[test]
    fn the_same_example_from_the_servers_side() {
        let server = Server { challenge: "<1896.697170952@postoffice.reston.mci.net>".into() };
        let asked = server.clone().receive(b"tim b913a602c7eda7a495b4e6e7334d3890").unwrap();
        assert_eq!(asked.user(), "tim");
        assert!(asked.matches(&"tanstaaftanstaaf".into()));
        assert!(!asked.matches(&"tanstaaftanstaa".into()));
        for digest in [
            "",
            "b913a602c7eda7a495b4e6e7334d389",
            "b913a602c7eda7a495b4e6e7334d38900",
            "B913A602C7EDA7A495B4E6E7334D3890",
        ] {
            let asked = server.clone().receive(format!("tim {digest}").as_bytes()).unwrap();
            assert!(!asked.matches(&"tanstaaftanstaaf".into()), "{digest}");
        }
    }

    #[test]
    fn the_challenge_is_a_message_id() {
        let server = Server::new(&[0x0A; 18], 697_170_952, "smtp.example.com").unwrap();
        let random = "0a".repeat(18);
        assert_eq!(server.challenge().as_bytes(), format!("<{random}.697170952@smtp.example.com>").as_bytes());
        for host in ["", "a b", "a>", "a@b", "\u{e9}", "a\r\n"] {
            assert_eq!(Server::new(&[1; 18], 0, host).unwrap_err().code(), ErrorCode::Usage, "{host:?}");
        }
    }

    #[test]
    fn a_response_has_a_name_and_a_digest() {
        let server = Server::new(&[1; 18], 0, "h").unwrap();
        assert_eq!(server.clone().receive(b"tim smith 00").unwrap().user(), "tim smith");
        for response in [&b""[..], b"tim", b" 00", b"t\0im 00", b"t\xffim 00"] {
            let error = server.clone().receive(response).unwrap_err();
            assert_eq!(error.code(), ErrorCode::AuthMalformedResponse, "{response:?}");
        }
    }
}
