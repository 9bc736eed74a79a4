//! Why a server says no.

use crate::error::{Error, ErrorCode};

/// A wrong password, and a user who is not there: nobody can tell which.
pub(super) fn wrong_password() -> Error {
    Error::new(ErrorCode::AuthRefused, "the user name or the password is wrong")
}

pub(super) fn malformed_response(what: &'static str) -> Error {
    Error::new(ErrorCode::AuthMalformedResponse, what)
}
