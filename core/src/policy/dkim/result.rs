/// What a signature came to (RFC 8601 §2.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DkimResult {
    /// The message has none.
    None,
    /// It holds.
    Pass,
    /// It does not hold.
    Fail,
    /// It may hold, and is not taken: what it says would not be safe.
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
