//! What the messages of both sides are made of.

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It breaks the grammar. A verb phrase, to go behind "the server's SCRAM message".
    Malformed(&'static str),
    /// It demands what this implementation does not know (`m=`), and must fail (RFC 5802 §5.1).
    MandatoryExtension,
}

impl Fault {
    /// The verb phrase.
    pub(super) const fn why(self) -> &'static str {
        match self {
            Self::Malformed(why) => why,
            Self::MandatoryExtension => "demands an extension that is not known here",
        }
    }
}

/// The attributes of a message, one after the other; their order is fixed (RFC 5802 §5.1).
#[derive(Clone, Debug)]
pub(super) struct Attributes<'a>(core::str::Split<'a, char>);

impl<'a> Attributes<'a> {
    pub(super) fn new(message: &'a str) -> Self {
        Self(message.split(','))
    }

    /// The value of the next one, which has to have this name. An `m=` can only come before the first, but is named for
    /// what it is anywhere.
    pub(super) fn next(&mut self, name: &str, missing: &'static str) -> Result<&'a str, Fault> {
        let attribute = self.0.next().unwrap_or_default();
        if attribute.starts_with("m=") {
            return Err(Fault::MandatoryExtension);
        }
        attribute.strip_prefix(name).ok_or(Fault::Malformed(missing))
    }

    /// The nonce, which has to come next.
    ///
    /// ```abnf
    /// nonce     = "r=" c-nonce [s-nonce]    ; RFC 5802 §7
    /// c-nonce   = printable
    /// s-nonce   = printable
    /// printable = %x21-2B / %x2D-7E
    /// ```
    pub(super) fn next_nonce(&mut self) -> Result<&'a str, Fault> {
        let nonce = self.next("r=", "has no nonce where it belongs")?;
        if nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(nonce)
        } else {
            Err(Fault::Malformed("has a nonce that is not printable"))
        }
    }

    /// The rest. Those that are not mandatory are ignored.
    ///
    /// ```abnf
    /// extensions = attr-val *("," attr-val)    ; RFC 5802 §7
    /// attr-val   = ALPHA "=" value
    /// value      = 1*value-char
    /// ```
    pub(super) fn finish(mut self) -> Result<(), Fault> {
        self.0.try_for_each(|attribute| match attribute.as_bytes() {
            [b'm', b'=', ..] => Err(Fault::MandatoryExtension),
            [name, b'=', _, ..] if name.is_ascii_alphabetic() => Ok(()),
            _ => Err(Fault::Malformed("ends in something that is no attribute")),
        })
    }
}

/// `u32::MAX` for any larger number.
///
/// ```abnf
/// posit-number = %x31-39 *DIGIT    ; RFC 5802 §7
/// ```
pub(super) fn posit_number(text: &str) -> Option<u32> {
    if text.is_empty() || text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // It is a number, so the only way to fail is to be too large.
    Some(text.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positive_numbers() {
        assert_eq!(["1", "4096", "4294967296"].map(posit_number), [Some(1), Some(4096), Some(u32::MAX)]);
        assert_eq!(["", "0", "01", "+1", "-1", "1 ", "1x"].map(posit_number), [None; 7]);
    }

    #[test]
    fn in_order_and_to_the_end() {
        let mut attributes = Attributes::new("c=biws,r=a+=z,x=1");
        assert_eq!(attributes.next("c=", "a"), Ok("biws"));
        assert_eq!(attributes.next_nonce(), Ok("a+=z"));
        assert_eq!(attributes.finish(), Ok(()));
        let mut attributes = Attributes::new("r=x,c=biws");
        assert_eq!(attributes.next("c=", "has none"), Err(Fault::Malformed("has none")));
        assert_eq!(Attributes::new("").next("c=", "has none"), Err(Fault::Malformed("has none")));
        assert_eq!(Attributes::new("m=x").next("c=", "has none"), Err(Fault::MandatoryExtension));
        assert_eq!(Attributes::new("x=1,m=").finish(), Err(Fault::MandatoryExtension));
        for message in ["", "x", "x=", "=1", "1=1", "x=1,", "é=1"] {
            let fault = Fault::Malformed("ends in something that is no attribute");
            assert_eq!(Attributes::new(message).finish(), Err(fault), "{message}");
        }
    }

    #[test]
    fn a_nonce_is_printable() {
        for nonce in ["r=a b", "r=\x7f", "r=\u{e9}"] {
            let fault = Fault::Malformed("has a nonce that is not printable");
            assert_eq!(Attributes::new(nonce).next_nonce(), Err(fault), "{nonce}");
        }
    }
}
