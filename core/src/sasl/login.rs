//! LOGIN: user name and password as they are, one after the other. It has no RFC.
//!
//! Servers prompt in many words (`Username:`, `User Name\0`, none at all), so the prompts are not read: the first asks
//! for the name, the second for the password. The name never goes with the command, since some servers do not look
//! there.

use super::secret::{Response, Secret};
use alloc::string::String;

/// What servers ask for the name with, as a rule; some clients look for these very words.
pub(super) const NAME_PROMPT: &[u8] = b"Username:";

/// The same for the password.
pub(super) const PASSWORD_PROMPT: &[u8] = b"Password:";

/// What is still to be asked.
#[derive(Clone, Debug)]
pub(super) enum Client {
    /// Both.
    Name { user: String, password: Secret },
    /// The password.
    Password { password: Secret },
    /// Nothing.
    Done,
}

impl Client {
    pub(super) fn new(user: &str, password: &Secret) -> Self {
        Self::Name { user: user.into(), password: password.clone() }
    }

    /// What the next prompt is answered with; `None` if both have been.
    pub(super) fn response(&mut self) -> Option<Response> {
        match core::mem::replace(self, Self::Done) {
            Self::Name { user, password } => {
                *self = Self::Password { password };
                Some(Response::concat(&[user.as_bytes()]))
            }
            Self::Password { password } => Some(Response::concat(&[password.expose().as_bytes()])),
            Self::Done => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_then_password_then_nothing() {
        let mut client = Client::new("tim", &"tanstaaf".into());
        assert_eq!(client.response().unwrap().as_bytes(), b"tim");
        assert_eq!(client.response().unwrap().as_bytes(), b"tanstaaf");
        assert!(client.response().is_none());
        assert!(client.response().is_none());
    }
}
