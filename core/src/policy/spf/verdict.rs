//! What is known in the end.

use alloc::string::String;
use alloc::vec::Vec;

use crate::dns::QueryKind;

/// What a check came to (RFC 7208 §2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpfResult {
    /// The domain says nothing.
    None,
    /// The domain does not want to say.
    Neutral,
    /// The client may.
    Pass,
    /// The client must not.
    Fail,
    /// The client most likely must not.
    SoftFail,
    /// Nobody knows for now.
    TempError,
    /// What the domain says can't be understood.
    PermError,
}

impl SpfResult {
    /// `none`, `neutral`, `pass`, `fail`, `softfail`, `temperror` or `permerror`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

/// What a check came to, and why. Nothing in it can steer a terminal, and nothing holds a CR or LF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The result.
    pub result: SpfResult,
    /// Why, as a clause without a full stop.
    pub reason: String,
    /// Of a failure, the words of the domain for the sender, in printable ASCII. They come from strangers (RFC 7208 §11.5), and have to be
    /// marked as theirs.
    pub explanation: Option<String>,
    /// The term that decided, as the record has it; `None` if none has matched.
    pub mechanism: Option<String>,
    /// How many terms with look-ups were judged, of those that are limited (RFC 7208 §4.6.4).
    pub lookups: usize,
    /// How many of those found nothing.
    pub void_lookups: usize,
    /// How many look-ups were asked of the host.
    pub queries: usize,
    /// What was looked at, in that order.
    pub trace: Vec<Step>,
}

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many includes lead here.
    pub depth: usize,
    /// Whose record it stands in.
    pub domain: String,
    /// The term, as the record has it; `record` for the record itself.
    pub term: String,
    /// What was looked up for it.
    pub looked_up: Vec<LookedUp>,
    /// Whether it matched; `None` for what can't match: records, errors, modifiers, an include that is entered.
    pub matched: Option<bool>,
    /// Why, or what was found, as a clause without a full stop.
    pub reason: String,
}

/// A look-up, and what it found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookedUp {
    /// The name.
    pub name: String,
    /// Which records.
    pub kind: QueryKind,
    /// What came, in a few words.
    pub found: String,
}
