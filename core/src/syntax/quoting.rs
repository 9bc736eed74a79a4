//! Foreign text inside an error's sentence: shortened, and with nothing in it that could steer a terminal.

use core::fmt;

/// How much is shown: bytes for [`Bytes`], characters for [`Text`].
const SHOWN: usize = 40;

/// Bytes in double quotes, all but printable ASCII escaped.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, dots) = match self.0.get(..SHOWN) {
            Some(shown) if shown.len() < self.0.len() => (shown, "..."),
            _ => (self.0, ""),
        };
        write!(f, "\"{}{dots}\"", shown.escape_ascii())
    }
}

/// Text in double quotes, control characters and quotes escaped.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, dots) = match self.0.char_indices().nth(SHOWN) {
            Some((end, _)) => (self.0.get(..end).unwrap_or_default(), "..."),
            None => (self.0, ""),
        };
        write!(f, "\"{}{dots}\"", shown.escape_debug())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn is_escaped_and_short() {
        assert_eq!(Bytes(b"SSH-2.0\r\n\x1b\xff").to_string(), r#""SSH-2.0\r\n\x1b\xff""#);
        assert_eq!(Bytes(&[b'a'; 40]).to_string().len(), 42);
        assert_eq!(Bytes(&[b'a'; 41]).to_string().len(), 45);
        assert_eq!(Text("jos\u{e9}\r\n\"").to_string(), "\"jos\u{e9}\\r\\n\\\"\"");
        assert_eq!(Text(&"\u{e9}".repeat(41)).to_string().chars().count(), 45);
    }
}
