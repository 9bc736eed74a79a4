//! Who the user is, and how that can be proved.

use super::secret::Secret;
use crate::error::{Error, ErrorCode};
use alloc::string::String;

/// What the user can prove who they are with.
///
/// Each constructor refuses what no mechanism could carry, with [`ErrorCode::AuthCredentials`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Password { user: String, password: Secret, authzid: Option<String> },
    Token { user: Option<String>, token: Option<Secret> },
    External { authzid: Option<String> },
}

impl Credentials {
    /// A user name and a password. `authzid` is whom to act for, where that is somebody else.
    pub fn password(
        user: impl Into<String>,
        password: impl Into<Secret>,
        authzid: Option<String>,
    ) -> Result<Self, Error> {
        let (user, password, authzid) = (user.into(), password.into(), authzid.filter(|name| !name.is_empty()));
        if user.is_empty() {
            return Err(unusable("the user name is empty"));
        }
        if password.expose().is_empty() {
            return Err(unusable("the password is empty"));
        }
        if holds_nul(&user) || authzid.as_deref().is_some_and(holds_nul) {
            return Err(unusable("the user name holds a NUL"));
        }
        if holds_nul(password.expose()) {
            return Err(unusable("the password holds a NUL"));
        }
        Ok(Self(Kind::Password { user, password, authzid }))
    }

    /// An OAuth 2.0 bearer token (RFC 6750), and the user whose mailbox it opens, which XOAUTH2 needs.
    ///
    /// Without a token the host is asked for one when it is needed: [`Self::needs_token`], [`Self::with_token`].
    pub fn token(user: Option<String>, token: Option<Secret>) -> Result<Self, Error> {
        let user = user.filter(|name| !name.is_empty());
        if user.as_deref().is_some_and(|name| name.bytes().any(|byte| byte.is_ascii_control())) {
            return Err(unusable("the user name holds a control character"));
        }
        let credentials = Self(Kind::Token { user, token: None });
        match token {
            Some(token) => credentials.with_token(token),
            None => Ok(credentials),
        }
    }

    /// What the connection itself has proved, such as a TLS client certificate. `authzid` is whom to act for.
    pub fn external(authzid: Option<String>) -> Result<Self, Error> {
        let authzid = authzid.filter(|name| !name.is_empty());
        if authzid.as_deref().is_some_and(holds_nul) {
            return Err(unusable("the user name holds a NUL"));
        }
        Ok(Self(Kind::External { authzid }))
    }

    /// Whether a token is wanted, and is not there yet.
    pub fn needs_token(&self) -> bool {
        matches!(self.0, Kind::Token { token: None, .. })
    }

    /// The same credentials with `token` in place of the one before, if any. [`ErrorCode::Usage`] if they are no token.
    pub fn with_token(self, token: impl Into<Secret>) -> Result<Self, Error> {
        let Kind::Token { user, .. } = self.0 else {
            return Err(Error::new(ErrorCode::Usage, "a token was given to credentials that use none"));
        };
        let token = token.into();
        if token.expose().is_empty() {
            return Err(unusable("the token is empty"));
        }
        // RFC 6750 §2.1 allows fewer characters; those who issue tokens are not that strict. None may end the field.
        if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(unusable("the token holds a blank or a character outside ASCII"));
        }
        Ok(Self(Kind::Token { user, token: Some(token) }))
    }

    /// The user's name, as far as it is known: who logs in, or for EXTERNAL whom to act for.
    pub fn user(&self) -> Option<&str> {
        match &self.0 {
            Kind::Password { user, .. } => Some(user),
            Kind::Token { user: name, .. } | Kind::External { authzid: name } => name.as_deref(),
        }
    }

    /// Whether the password or the token, if it is not shorter than `shortest` octets, stands in `text` as it is.
    pub(crate) fn are_told_by(&self, text: &[u8], shortest: usize) -> bool {
        match &self.0 {
            Kind::Password { password: secret, .. } | Kind::Token { token: Some(secret), .. } => {
                secret.expose().len() >= shortest && secret.is_in(text)
            }
            Kind::Token { token: None, .. } | Kind::External { .. } => false,
        }
    }

    /// Whether it is a user name and a password and nothing else, as USER and PASS of POP3 take it.
    pub fn is_user_and_password(&self) -> bool {
        matches!(self.0, Kind::Password { authzid: None, .. })
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.0
    }
}

fn holds_nul(text: &str) -> bool {
    text.contains('\0')
}

pub(super) fn unusable(what: &'static str) -> Error {
    Error::new(ErrorCode::AuthCredentials, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn code(result: Result<Credentials, Error>) -> Option<ErrorCode> {
        result.err().map(|error| error.code())
    }

    #[test]
    fn what_no_mechanism_can_carry_is_refused() {
        let refused = Some(ErrorCode::AuthCredentials);
        assert_eq!(code(Credentials::password("tim", "tanstaaf", None)), None);
        assert_eq!(code(Credentials::password("", "tanstaaf", None)), refused);
        assert_eq!(code(Credentials::password("tim", "", None)), refused);
        assert_eq!(code(Credentials::password("t\0im", "tanstaaf", None)), refused);
        assert_eq!(code(Credentials::password("tim", "tan\0staaf", None)), refused);
        assert_eq!(code(Credentials::password("tim", "tanstaaf", Some("a\0b".to_string()))), refused);
        assert_eq!(code(Credentials::external(Some("a\0b".to_string()))), refused);
        assert_eq!(code(Credentials::token(Some("a\x01auth=Bearer x".to_string()), None)), refused);
        for token in ["", "a b", "a\x01b", "tök"] {
            assert_eq!(code(Credentials::token(None, Some(token.into()))), refused, "{token:?}");
        }
    }

    #[test]
    fn a_token_may_come_later_and_be_renewed() {
        let later = Credentials::token(Some("me".to_string()), None).unwrap();
        assert!(later.needs_token());
        let now = later.with_token("ya29.a").unwrap();
        assert!(!now.needs_token());
        let renewed = now.clone().with_token("ya29.b").unwrap();
        assert_ne!(now, renewed);
        assert_eq!(renewed.user(), Some("me"));
        assert_eq!(code(Credentials::external(None).unwrap().with_token("x")), Some(ErrorCode::Usage));
    }

    #[test]
    fn an_empty_name_is_none() {
        assert_eq!(Credentials::external(Some(String::new())), Credentials::external(None));
        assert_eq!(Credentials::token(Some(String::new()), None), Credentials::token(None, None));
        assert_eq!(Credentials::password("a", "b", Some(String::new())), Credentials::password("a", "b", None));
    }
}
