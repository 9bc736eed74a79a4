//! The other side's words, made safe to show.

use alloc::string::String;

/// At most `max` characters of `words`; whatever is not printable ASCII becomes `?`, so that no terminal or log is
/// misled.
pub(super) fn shown(words: &[u8], max: usize) -> String {
    let mut text: String =
        words.iter().take(max).map(|&byte| if matches!(byte, b' '..=b'~') { char::from(byte) } else { '?' }).collect();
    if words.len() > max {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_printable_and_bounded() {
        assert_eq!(shown(b"{\"status\":\"401\"}", 40), "{\"status\":\"401\"}");
        assert_eq!(shown(b"a\x1b[2Jb\r\n\xff", 40), "a?[2Jb???");
        assert_eq!(shown(b"abcdef", 3), "abc...");
        assert_eq!(shown(b"abc", 3), "abc");
    }
}
