//! CRAM-MD5 (RFC 2195): the password keys a hash of the server's challenge. The server proves nothing.
//!
//! User name and password are used as the user gave them; RFC 2195 knows no preparation.

use super::credentials::unusable;
use super::hash::hmac_md5;
use super::secret::{Response, Secret};
use crate::error::{Error, ErrorCode};
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
        let mac = hmac_md5(self.password.expose().as_bytes(), challenge);
        let mut hex = [0; 32];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(mac.as_bytes()) {
            pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 0xF)]);
        }
        Ok(Response::concat(&[self.user.as_bytes(), b" ", &hex]))
    }
}

fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + (nibble - 10) }
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
}
