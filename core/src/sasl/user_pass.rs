//! USER and PASS (RFC 1939 §7): name and password as they are, for a connection that is protected already.

use super::credentials::{Credentials, Kind, unusable};
use super::secret::{Response, Secret};
use crate::error::Error;

/// What stands behind the words USER and PASS.
///
/// [`AuthCredentials`](crate::ErrorCode::AuthCredentials) for credentials that are no name and password, or that can't
/// stand there. `utf8`: the server takes names and passwords outside ASCII (RFC 6856 §2.1).
pub fn user_pass(credentials: &Credentials, utf8: bool) -> Result<(Response, Response), Error> {
    let (user, password) = named(credentials, utf8)?;
    // A space in it is not the end of it (RFC 1939 §7).
    if password.expose().bytes().any(|byte| byte.is_ascii_control()) {
        return Err(unusable("the password holds a control character"));
    }
    if !utf8 && !password.expose().is_ascii() {
        return Err(unusable("the password is outside ASCII, and the server does not take that"));
    }
    Ok((Response::concat(&[user.as_bytes()]), Response::concat(&[password.expose().as_bytes()])))
}

/// The name, if it can be one word of a command, and the password.
pub(super) fn named(credentials: &Credentials, utf8: bool) -> Result<(&str, &Secret), Error> {
    let Kind::Password { user, password, authzid: None } = credentials.kind() else {
        return Err(unusable("POP3's own log-in takes a user name and a password, and nobody else to act for"));
    };
    if user.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
        return Err(unusable("the user name holds a space or a control character"));
    }
    if !utf8 && !user.is_ascii() {
        return Err(unusable("the user name is outside ASCII, and the server does not take that"));
    }
    Ok((user, password))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    #[test]
    fn both_as_they_are() {
        let credentials = Credentials::password("mrose", "a secret", None).unwrap();
        let (user, password) = user_pass(&credentials, false).unwrap();
        assert_eq!((user.as_bytes(), password.as_bytes()), (&b"mrose"[..], &b"a secret"[..]));
        assert!(user_pass(&Credentials::password("é", "ü", None).unwrap(), true).is_ok());
    }

    #[test]
    fn what_can_not_be_said_is_refused() {
        for (user, password) in [("a b", "x"), ("a\r\nDELE 1", "x"), ("a", "x\nDELE 1"), ("é", "x"), ("a", "é")] {
            let credentials = Credentials::password(user, password, None).unwrap();
            assert_eq!(user_pass(&credentials, false).unwrap_err().code(), ErrorCode::AuthCredentials, "{user:?}");
        }
        for credentials in [Credentials::token(None, Some("x".into())), Credentials::external(None)] {
            assert_eq!(user_pass(&credentials.unwrap(), true).unwrap_err().code(), ErrorCode::AuthCredentials);
        }
    }
}
