//! What is known in the end.

use alloc::string::String;

use crate::syntax::AuthenticationResults;
use crate::syntax::dmarc::Policy;

/// What a check came to (RFC 8601 §2.7, RFC 9989 §11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DmarcResult {
    /// There is no policy.
    None,
    /// SPF or DKIM speaks for the author's domain.
    Pass,
    /// Neither does.
    Fail,
    /// Nobody knows for now.
    TempError,
    /// It can't be found out.
    PermError,
}

impl DmarcResult {
    /// `none`, `pass`, `fail`, `temperror` or `permerror`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

/// What a check came to, and why. Nothing in it can steer a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The result.
    pub result: DmarcResult,
    /// Why, as a clause without a full stop.
    pub reason: String,
    /// The domain of the author.
    pub author: String,
    /// What its owner wants done with mail that fails, whether this does or not; a test (`t=y`) is taken into account. `None` if there
    /// is no policy.
    pub policy: Option<Policy>,
    /// Whose record says so.
    pub policy_domain: Option<String>,
    /// The domain at the top of the author's organization, as far as it was looked for.
    pub organization: Option<String>,
    /// Whether SPF has passed for a domain that fits.
    pub is_spf_aligned: bool,
    /// The domain of a signature that has passed and fits.
    pub dkim_domain: Option<String>,
}

impl Verdict {
    /// Adds the result to an `Authentication-Results` field.
    pub fn authentication_results(&self, field: AuthenticationResults) -> AuthenticationResults {
        let field = field.result("dmarc", self.result.as_str()).property("header", "from", &self.author);
        match self.policy {
            Some(policy) => field.property("polrec", "p", policy.as_str()),
            None => field,
        }
    }
}
