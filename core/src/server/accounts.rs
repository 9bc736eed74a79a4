//! Users in memory.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt;

use super::config::Authentication;
use crate::error::Error;
use crate::sasl::{Answer, Hash, MIN_ITERATIONS, MIN_SEED, Mechanism, Question, Secret, StoredKeys};

/// Users with their passwords, in memory: for tests, small servers, and as a model.
///
/// They can prove who they are by every mechanism but EXTERNAL; the password is also the token of OAUTHBEARER and XOAUTH2.
#[derive(Clone, Default)]
pub struct Accounts {
    users: BTreeMap<String, Account>,
}

#[derive(Clone)]
struct Account {
    password: Secret,
    sha1: StoredKeys,
    sha256: StoredKeys,
}

impl Accounts {
    /// Adds this user, or gives them this password in place of the one before. It takes some milliseconds. The salts are random
    /// bytes.
    ///
    /// # Errors
    ///
    /// `auth.credentials` for a password that SASLprep does not let through.
    pub fn add(&mut self, name: impl Into<String>, password: Secret, salts: [[u8; 16]; 2]) -> Result<(), Error> {
        let derive = |hash, salt| StoredKeys::derive(hash, &password, salt, MIN_ITERATIONS);
        let [first, second] = salts;
        let (sha1, sha256) = (derive(Hash::Sha1, first)?, derive(Hash::Sha256, second)?);
        self.users.insert(name.into(), Account { password, sha1, sha256 });
        Ok(())
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// All mechanisms that these users can use, for [`Config::authentication`](super::Config::authentication).
    pub fn authentication(&self, fake_seed: [u8; 2 * MIN_SEED]) -> Authentication {
        let all = Mechanism::STRONGEST_FIRST.into_iter();
        Authentication {
            mechanisms: all.filter(|mechanism| *mechanism != Mechanism::External).collect(),
            fake_seed,
            fake_iterations: MIN_ITERATIONS,
            dangerously_allow_plaintext: false,
        }
    }

    /// What is known, for [`Question::Credentials`](super::Question::Credentials).
    pub fn answer(&self, question: &Question) -> Answer {
        let known = |user: &str| self.users.get(user);
        match question {
            Question::Keys { user, hash: Hash::Sha1 } => {
                known(user).map_or(Answer::Unknown, |account| Answer::Keys(account.sha1.clone()))
            }
            Question::Keys { user, hash: Hash::Sha256 } | Question::Verify { user, .. } => {
                known(user).map_or(Answer::Unknown, |account| Answer::Keys(account.sha256.clone()))
            }
            Question::Password { user } => {
                known(user).map_or(Answer::Unknown, |account| Answer::Password(account.password.clone()))
            }
            Question::Token { user: Some(user), token, .. } => match known(user) {
                Some(account) if account.password == *token => Answer::Accept { user: user.clone() },
                _ => Answer::Refuse,
            },
            // OAUTHBEARER may leave out whose token it is.
            Question::Token { user: None, token, .. } => {
                let mut owners = self.users.iter().filter(|(_, account)| account.password == *token);
                owners.next().map_or(Answer::Refuse, |(user, _)| Answer::Accept { user: user.clone() })
            }
            Question::External { .. } => Answer::Refuse,
        }
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.users.keys()).finish()
    }
}
