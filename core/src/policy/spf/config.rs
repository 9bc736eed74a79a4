//! What a check depends on besides the request.

use alloc::string::String;
use core::time::Duration;

/// What a check depends on besides the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The name of the host that makes the check, for the macro `%{r}`.
    pub receiver: Option<String>,
    /// The explanation of a failure where the domain gives none.
    pub default_explanation: Option<String>,
    /// Whether the explanation that a domain gives is looked up.
    pub explain: bool,
    /// Whether the look-ups of terms that may still be needed are asked together with the first one. It makes a check as quick as its
    /// deepest include, and asks some questions in vain.
    pub look_ahead: bool,
    /// How much is looked at.
    pub limits: Limits,
    /// How long all look-ups together may take; RFC 7208 §4.6.4 wants at least 20 seconds. A check that takes longer ends in a
    /// temporary error.
    pub timeout: Duration,
}

impl Default for Config {
    /// Explains, looks ahead, 20 seconds.
    fn default() -> Self {
        Self {
            receiver: None,
            default_explanation: None,
            explain: true,
            look_ahead: true,
            limits: Limits::default(),
            timeout: Duration::from_secs(20),
        }
    }
}

/// How much is looked at of what a zone may say. Whatever its owner writes, nobody is kept busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Terms that take look-ups (RFC 7208 §4.6.4: 10).
    pub terms: usize,
    /// Such terms whose look-up finds nothing (RFC 7208 §4.6.4: 2). A `ptr` is none of them, since it is not the owner of the domain who
    /// decides what name an address has.
    pub void_terms: usize,
    /// Servers in one `mx`, and names of the client that are validated (RFC 7208 §4.6.4: 10).
    pub names: usize,
    /// Octets of a record or an explanation.
    pub text: usize,
    /// Aliases behind each other.
    pub aliases: usize,
    /// Look-ups in all, those that are never used among them.
    pub look_ups: usize,
    /// Steps in the trace. What is beyond is left out.
    pub steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { terms: 10, void_terms: 2, names: 10, text: 8192, aliases: 8, look_ups: 250, steps: 500 }
    }
}
