//! Lines of header fields and text, into which nothing foreign can put a line of its own.

use alloc::string::String;
use alloc::vec::Vec;

/// Where lines are folded (RFC 5322 §2.1.1).
const WIDTH: usize = 76;
/// What a line may have in no case, with room for what stands before it (RFC 5322 §2.1.1).
const LONGEST: usize = 900;
/// How much of foreign words is repeated.
const MOST: usize = 2000;

/// Appends a field, folded. `unicode`: it may be outside ASCII.
pub(super) fn field(name: &str, body: &str, unicode: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    wrapped(&clean(body, unicode), name.len() + 1, " ", out);
}

/// Appends a field in one line, since blanks in it count: for what is bounded by its type.
pub(super) fn exact_field(name: &str, body: &str, unicode: bool, out: &mut Vec<u8>) {
    for part in [name, ": ", &clean(body, unicode), "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Appends words as indented lines.
pub(super) fn indented(words: &str, unicode: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b"   ");
    wrapped(&clean(words, unicode), 3, "    ", out);
}

/// `words` without control characters, bounded; unless `unicode` is set, without anything outside ASCII.
pub(super) fn clean(words: &str, unicode: bool) -> String {
    let mut cleaned: String = words
        .chars()
        .take(MOST)
        .map(|c| match c {
            '\t' | '\r' | '\n' => ' ',
            _ if c.is_control() || turns_lines(c) || !unicode && !c.is_ascii() => '?',
            _ => c,
        })
        .collect();
    if words.chars().nth(MOST).is_some() {
        cleaned.push_str(" ...");
    }
    cleaned
}

/// Whether it ends a line or turns its direction, so that what is read is not what stands there.
fn turns_lines(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Appends words, each behind a space, and breaks the line before one that does not fit. One that is longer than any line may be is cut.
fn wrapped(words: &str, column: usize, indent: &str, out: &mut Vec<u8>) {
    let mut column = column;
    let mut is_first = true;
    for word in words.split_ascii_whitespace().flat_map(pieces) {
        if !is_first && column + 1 + word.len() > WIDTH {
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(indent.as_bytes());
            column = indent.len();
        } else {
            out.push(b' ');
            column += 1;
        }
        out.extend_from_slice(word.as_bytes());
        column += word.len();
        is_first = false;
    }
    out.extend_from_slice(b"\r\n");
}

fn pieces(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    core::iter::from_fn(move || {
        let mut end = rest.len().min(LONGEST);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, behind) = rest.split_at_checked(end)?;
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn shown(name: &str, body: &str, unicode: bool) -> String {
        let mut out = Vec::new();
        field(name, body, unicode, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_answers() {
        assert_eq!(shown("To", "a@b", false), "To: a@b\r\n");
        assert_eq!(shown("To", "a\r\nBcc: x", false), "To: a Bcc: x\r\n");
        assert_eq!(shown("To", "a\r\n\r\nb\0\x1b\u{85}", true), "To: a b???\r\n");
        assert_eq!(shown("To", "a\u{202e}b\u{2028}c", true), "To: a?b?c\r\n");
        assert_eq!(shown("To", "josé", false), "To: jos?\r\n");
        assert_eq!(shown("To", "josé", true), "To: josé\r\n");
        assert_eq!(shown("To", "", true), "To:\r\n");
    }

    #[test]
    fn lines_are_bounded() {
        for body in ["word ".repeat(500), "x".repeat(5000), "é".repeat(5000), format!("a {}", "b".repeat(100))] {
            let folded = shown("Subject", &body, true);
            assert!(folded.ends_with("\r\n") && folded.len() < 2 * MOST + 200);
            for line in folded.trim_end().split("\r\n").skip(1) {
                assert!(line.starts_with(' ') && line.trim() != "" && line.len() < 998, "{line:?}");
            }
        }
        let folded = shown("Subject", &"word ".repeat(50), true);
        assert!(folded.split("\r\n").all(|line| line.len() <= WIDTH));
    }
}
