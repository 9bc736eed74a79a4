use core::fmt;

/// The three digits of a reply, 200 to 599.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplyCode(u16);

impl ReplyCode {
    /// 500: the command is not recognised.
    pub(super) const UNRECOGNISED: Self = Self(500);
    /// 501: an argument is wrong.
    pub(super) const BAD_ARGUMENT: Self = Self(501);
    /// 502: the command is not implemented.
    pub(super) const NOT_IMPLEMENTED: Self = Self(502);

    /// The code `number`, if it is from 200 to 599.
    pub const fn new(number: u16) -> Option<Self> {
        match number {
            200..=599 => Some(Self(number)),
            _ => None,
        }
    }

    /// The code with these ASCII digits.
    #[inline]
    pub(super) const fn from_digits(x: u8, y: u8, z: u8) -> Option<Self> {
        if !(x.is_ascii_digit() && y.is_ascii_digit() && z.is_ascii_digit()) {
            return None;
        }
        Self::new((x - b'0') as u16 * 100 + (y - b'0') as u16 * 10 + (z - b'0') as u16)
    }

    /// The code as a number.
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// What the first digit says.
    pub const fn severity(self) -> Severity {
        match self.0 {
            ..300 => Severity::Completion,
            300..400 => Severity::Intermediate,
            400..500 => Severity::Transient,
            500.. => Severity::Permanent,
        }
    }
}

impl From<ReplyCode> for u16 {
    fn from(code: ReplyCode) -> Self {
        code.0
    }
}

impl PartialEq<u16> for ReplyCode {
    fn eq(&self, other: &u16) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What the first digit of a reply says (RFC 5321 section 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// 2yz: done.
    Completion,
    /// 3yz: go on.
    Intermediate,
    /// 4yz: not now.
    Transient,
    /// 5yz: not like this.
    Permanent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_three_digits() {
        assert_eq!(ReplyCode::new(199), None);
        assert_eq!(ReplyCode::new(600), None);
        assert_eq!(ReplyCode::new(221).map(ReplyCode::as_u16), Some(221));
    }
}
