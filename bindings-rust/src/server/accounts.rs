//! Users in memory, with what is random about them.

use okuru_core::Error;
use okuru_core::sasl::{Answer, MIN_SEED, Question, Secret};
use okuru_core::server::{self as core, Authentication};

/// Users with their passwords, in memory: for tests, small servers, and as a model.
///
/// They can prove who they are by every mechanism but EXTERNAL; the password is also the token of OAUTHBEARER and XOAUTH2.
#[derive(Clone, Debug, Default)]
pub struct Accounts(core::Accounts);

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
        self.0.add(name, password, [random()?, random()?])?;
        Ok(self)
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All mechanisms that these users can use, for [`Config::authentication`](super::Config::authentication). What is random in
    /// it lasts as long as this process.
    ///
    /// # Errors
    ///
    /// `connect.failed` if there are no random numbers.
    pub fn authentication(&self) -> Result<Authentication, Error> {
        Ok(self.0.authentication(random::<{ 2 * MIN_SEED }>()?))
    }

    /// What is known, for [`Handler::credentials`](super::Handler::credentials).
    pub fn answer(&self, question: &Question) -> Answer {
        self.0.answer(question)
    }
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    super::random(&mut bytes)?;
    Ok(bytes)
}
