//! Users in memory.

use std::collections::HashMap;
use std::fmt;

use okuru_core::Error;
use okuru_core::sasl::{Answer, Hash, MIN_ITERATIONS, MIN_SEED, Mechanism, Question, Secret, StoredKeys};
use okuru_core::server::Authentication;

/// Users with their passwords, in memory: for tests, small servers, and as a model.
///
/// They can prove who they are by every mechanism but EXTERNAL; the password is also the token of OAUTHBEARER and XOAUTH2.
#[derive(Clone, Default)]
pub struct Accounts {
    users: HashMap<String, Account>,
}

#[derive(Clone)]
struct Account {
    password: Secret,
    sha1: StoredKeys,
    sha256: StoredKeys,
}

impl Accounts {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this user, or this password in place of the one before. It takes some milliseconds.
    ///
    /// # Errors
    ///
    /// `auth.credentials` for a password that SASLprep does not let through; `connect.failed` if there are no random numbers.
    pub fn with(mut self, name: impl Into<String>, password: Secret) -> Result<Self, Error> {
        let derive = |hash| StoredKeys::derive(hash, &password, random()?, MIN_ITERATIONS);
        let (sha1, sha256) = (derive(Hash::Sha1)?, derive(Hash::Sha256)?);
        self.users.insert(name.into(), Account { password, sha1, sha256 });
        Ok(self)
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// All mechanisms that these users can use, for [`Config::authentication`](super::Config::authentication). What is random in
    /// it lasts as long as this process.
    ///
    /// # Errors
    ///
    /// `connect.failed` if there are no random numbers.
    pub fn authentication(&self) -> Result<Authentication, Error> {
        let all = Mechanism::STRONGEST_FIRST.into_iter();
        Ok(Authentication {
            mechanisms: all.filter(|mechanism| *mechanism != Mechanism::External).collect(),
            fake_seed: random::<{ 2 * MIN_SEED }>()?,
            fake_iterations: MIN_ITERATIONS,
            dangerously_allow_plaintext: false,
        })
    }

    /// What is known, for [`Handler::credentials`](super::Handler::credentials).
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

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    super::random(&mut bytes)?;
    Ok(bytes)
}
