//! Text inside a parameter's value (RFC 3461 section 4), and its form for Unicode (RFC 6533 section 3).

use alloc::string::String;
use alloc::vec::Vec;

use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_while_m_n};
use nom::character::complete::satisfy;
use nom::combinator::{all_consuming, map, map_opt};
use nom::multi::fold_many0;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

// RFC 3461 section 4
//
//   xtext   = *( xchar / hexchar )
//   xchar   = any ASCII CHAR between "!" (33) and "~" (126) inclusive, except for "+" and "="
//   hexchar = ASCII "+" immediately followed by two upper case hexadecimal digits

/// Appends `text` as xtext; what is outside ASCII goes byte by byte.
pub(super) fn encode(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        if is_xchar(char::from(byte)) {
            out.push(byte);
        } else {
            out.extend([b'+', hexadecimal(u32::from(byte >> 4)), hexadecimal(u32::from(byte & 15))]);
        }
    }
}

/// How many octets [`encode`] appends.
pub(super) fn encoded_length(text: &str) -> usize {
    text.bytes().map(|byte| if is_xchar(char::from(byte)) { 1 } else { 3 }).sum()
}

/// The text behind `xtext`, if it is xtext and UTF-8. Hexadecimal digits in lower case are let through.
pub(super) fn decode(xtext: &str) -> Option<String> {
    let xchar = map_opt(satisfy(is_xchar), |c| u8::try_from(c).ok());
    let bytes = fold_many0(alt((xchar, hexchar)), Vec::new, |mut bytes, byte| {
        bytes.push(byte);
        bytes
    });
    let (_, bytes) = all_consuming(bytes).parse(xtext).ok()?;
    String::from_utf8(bytes).ok()
}

fn hexchar(input: &str) -> IResult<&str, u8> {
    let digits = take_while_m_n(2, 2, |c: char| c.is_ascii_hexdigit());
    map_opt(preceded(tag("+"), digits), |digits| u8::from_str_radix(digits, 16).ok()).parse(input)
}

fn is_xchar(c: char) -> bool {
    matches!(c, '!'..='~') && !matches!(c, '+' | '=')
}

// RFC 6533 section 3
//
//   utf-8-addr-xtext    = 1*(QCHAR / EmbeddedUnicodeChar)
//   utf-8-addr-unitext  = 1*(QUCHAR / EmbeddedUnicodeChar)
//   QCHAR               = %x21-2a / %x2c-3c / %x3e-5b / %x5d-7e
//   QUCHAR              = QCHAR / UTF8-2 / UTF8-3 / UTF8-4
//   EmbeddedUnicodeChar = %x5C.78 "{" HEXPOINT "}"

/// Appends `text` as utf-8-addr-xtext, which is ASCII and so right with SMTPUTF8 and without.
pub(super) fn encode_unicode(text: &str, out: &mut Vec<u8>) {
    for c in text.chars() {
        if is_qchar(c) {
            // A QCHAR is ASCII.
            out.push(c as u8);
        } else {
            out.extend_from_slice(b"\\x{");
            let point = u32::from(c);
            let digits = hexadecimal_digits(point);
            out.extend((0..digits).rev().map(|digit| hexadecimal(point >> (4 * digit) & 15)));
            out.push(b'}');
        }
    }
}

/// How many octets [`encode_unicode`] appends.
pub(super) fn encoded_unicode_length(text: &str) -> usize {
    text.chars().map(|c| if is_qchar(c) { 1 } else { 4 + hexadecimal_digits(u32::from(c)) as usize }).sum()
}

/// The text behind `xtext`, if it is utf-8-addr-xtext or utf-8-addr-unitext.
pub(super) fn decode_unicode(xtext: &str) -> Option<String> {
    let quchar = satisfy(|c| is_qchar(c) || !c.is_ascii());
    let text = fold_many0(alt((quchar, embedded_unicode_char)), String::new, |mut text, c| {
        text.push(c);
        text
    });
    all_consuming(text).parse(xtext).ok().map(|(_, text)| text)
}

fn embedded_unicode_char(input: &str) -> IResult<&str, char> {
    let point = map(take_while_m_n(1, 6, |c: char| c.is_ascii_hexdigit()), |digits| u32::from_str_radix(digits, 16));
    delimited(tag_no_case("\\x{"), map_opt(point, |point| point.ok().and_then(char::from_u32)), tag("}")).parse(input)
}

fn is_qchar(c: char) -> bool {
    is_xchar(c) && c != '\\'
}

/// How many digits a HEXPOINT has: two at least.
fn hexadecimal_digits(point: u32) -> u32 {
    (point | 1).ilog2() / 4 + if point < 16 { 2 } else { 1 }
}

/// The last digit of `value`.
fn hexadecimal(value: u32) -> u8 {
    match (value & 15) as u8 {
        digit @ 0..10 => b'0' + digit,
        digit => b'A' + digit - 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for (text, xtext) in [
            ("", ""),
            ("QQ314159", "QQ314159"),
            ("a+b=c@d", "a+2Bb+3Dc@d"),
            ("a b\r\n\0~", "a+20b+0D+0A+00~"),
            ("é", "+C3+A9"),
            ("<>", "<>"),
        ] {
            let mut out = Vec::new();
            encode(text, &mut out);
            assert_eq!(out, xtext.as_bytes());
            assert_eq!(encoded_length(text), out.len());
            assert_eq!(decode(xtext).as_deref(), Some(text));
        }
        assert_eq!(decode("+c3+a9").as_deref(), Some("é"));
    }

    #[test]
    fn what_is_no_xtext() {
        for xtext in ["+", "+2", "+2G", "a=b", "a b", "é", "+FF", "a\r\n", "+-1"] {
            assert_eq!(decode(xtext), None, "{xtext:?}");
        }
    }

    #[test]
    fn known_answers_in_unicode() {
        for (text, xtext) in [
            ("user@example.com", "user@example.com"),
            ("jos\u{e9}@example.com", r"jos\x{E9}@example.com"),
            ("a+b=c\\d e", r"a\x{2B}b\x{3D}c\x{5C}d\x{20}e"),
            (
                "\u{4f8b}\u{1f4e7}\u{10ffff}\u{1}\u{f}\u{10}\u{fff}\u{1000}",
                r"\x{4F8B}\x{1F4E7}\x{10FFFF}\x{01}\x{0F}\x{10}\x{FFF}\x{1000}",
            ),
        ] {
            let mut out = Vec::new();
            encode_unicode(text, &mut out);
            assert_eq!(core::str::from_utf8(&out), Ok(xtext));
            assert_eq!(encoded_unicode_length(text), out.len());
            assert_eq!(decode_unicode(xtext).as_deref(), Some(text));
        }
        assert_eq!(decode_unicode("josé@例え").as_deref(), Some("josé@例え"));
        for xtext in [r"\x{}", r"\x{110000}", r"\x{D800}", r"\x{1234567}", r"\x{E9", r"\", "a b", "a+2Bb", "a=b"] {
            assert_eq!(decode_unicode(xtext), None, "{xtext:?}");
        }
    }
}
