//! Control characters in foreign text: found, and kept out of an error's sentence, where they could steer a terminal.

use core::fmt;

/// Whether there is a control character in `text`, of ASCII or C1.
pub(super) fn has_control(text: &str) -> bool {
    // A fold without a way out is done many bytes at a time.
    let doubtful = text.bytes().fold(false, |doubtful, byte| doubtful | !matches!(byte, b' '..=b'~'));
    doubtful && text.chars().any(char::is_control)
}

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
    fn control_characters_are_found() {
        for c in (0..0x250).filter_map(char::from_u32) {
            assert_eq!(has_control(&alloc::format!("ab{c}é")), c.is_control());
        }
        assert!(!has_control(""));
    }

    #[test]
    fn is_escaped_and_short() {
        assert_eq!(Bytes(b"SSH-2.0\r\n\x1b\xff").to_string(), r#""SSH-2.0\r\n\x1b\xff""#);
        assert_eq!(Bytes(&[b'a'; 40]).to_string().len(), 42);
        assert_eq!(Bytes(&[b'a'; 41]).to_string().len(), 45);
        assert_eq!(Text("jos\u{e9}\r\n\"").to_string(), "\"jos\u{e9}\\r\\n\\\"\"");
        assert_eq!(Text(&"\u{e9}".repeat(41)).to_string().chars().count(), 45);
    }
}
