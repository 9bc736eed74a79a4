//! Whether a message is as a domain has signed it (RFC 6376).

/// What a signature came to (RFC 8601 §2.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DkimResult {
    /// The message has none.
    None,
    /// It holds.
    Pass,
    /// It does not hold.
    Fail,
    /// It holds, and is not taken, for a reason of our own.
    Policy,
    /// It can't be read.
    Neutral,
    /// Nobody knows for now.
    TempError,
    /// It can't be checked, now or ever.
    PermError,
}

impl DkimResult {
    /// `none`, `pass`, `fail`, `policy`, `neutral`, `temperror` or `permerror`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Policy => "policy",
            Self::Neutral => "neutral",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}
