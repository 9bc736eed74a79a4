//! APOP (RFC 1939 §7): a hash of the greeting's timestamp and the password. The server proves nothing.
//!
//! It rests on MD5 in a way in which MD5 is broken: a server that picks its timestamps can find out the first characters of
//! a password (CVE-2007-1558; RFC 6151 §2). [`Pop3Timestamp`] refuses those timestamps with which that is easy.

use super::credentials::{Credentials, unusable};
use super::hash::{in_hexadecimal, md5};
use super::secret::Response;
use super::user_pass::named;
use crate::error::Error;
use crate::syntax::Pop3Timestamp;

/// What stands behind the word APOP: the user's name, a space, and the hash in lower-case hexadecimal.
///
/// [`AuthCredentials`](crate::ErrorCode::AuthCredentials) for credentials that are no name and password, or whose name can't
/// stand there. `utf8`: the server takes names and passwords outside ASCII (RFC 6856 §2.1).
pub fn apop(credentials: &Credentials, timestamp: &Pop3Timestamp, utf8: bool) -> Result<Response, Error> {
    let (user, password) = named(credentials, utf8)?;
    if !utf8 && !password.expose().is_ascii() {
        return Err(unusable("the password is outside ASCII, and the server does not take that"));
    }
    let digest = in_hexadecimal(&md5(&[timestamp.as_str().as_bytes(), password.expose().as_bytes()]));
    Ok(Response::concat(&[user.as_bytes(), b" ", digest.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    #[test]
    fn the_example_of_rfc_1939_section_7() {
        let credentials = Credentials::password("mrose", "tanstaaf", None).unwrap();
        let timestamp = "<1896.697170952@dbc.mtview.ca.us>".parse().unwrap();
        let response = apop(&credentials, &timestamp, false).unwrap();
        assert_eq!(response.as_bytes(), b"mrose c4c9334bac560ecc979e58001b3e22fb");
    }

    #[test]
    fn what_can_not_be_said_is_refused() {
        let timestamp = "<1@x>".parse().unwrap();
        for (user, password, utf8) in [("a b", "x", true), ("é", "x", false), ("a", "é", false), ("a\r", "x", true)] {
            let credentials = Credentials::password(user, password, None).unwrap();
            let error = apop(&credentials, &timestamp, utf8).unwrap_err();
            assert_eq!(error.code(), ErrorCode::AuthCredentials, "{user:?}");
        }
        assert!(apop(&Credentials::password("é", "é", None).unwrap(), &timestamp, true).is_ok());
        let other = Credentials::password("a", "x", Some("b".into())).unwrap();
        assert_eq!(apop(&other, &timestamp, false).unwrap_err().code(), ErrorCode::AuthCredentials);
    }
}
