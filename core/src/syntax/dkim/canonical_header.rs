use alloc::vec::Vec;

use super::signature::Form;

/// A field as it is signed (RFC 6376 §3.4.1 and §3.4.2), with CR LF at its end. A CR or LF alone counts as CR LF, as it does when the
/// message is sent.
pub fn canonical_field(field: &[u8], form: Form) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len() + 2);
    match form {
        Form::Simple => {
            for line in lines(field) {
                out.extend_from_slice(line);
                out.extend_from_slice(b"\r\n");
            }
        }
        Form::Relaxed => {
            let colon = field.iter().position(|byte| *byte == b':').unwrap_or(field.len());
            let (name, body) = field.split_at_checked(colon).unwrap_or((field, b""));
            out.extend(name.iter().filter(|byte| !is_blank(**byte)).map(u8::to_ascii_lowercase));
            out.push(b':');
            let words = body.get(1..).unwrap_or_default().split(|byte| is_blank(*byte)).filter(|word| !word.is_empty());
            for (place, word) in words.enumerate() {
                if place > 0 {
                    out.push(b' ');
                }
                out.extend_from_slice(word);
            }
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}

/// A `DKIM-Signature` field without the value of its `b` tag (RFC 6376 §3.7): what the signature is of.
pub fn without_signature(field: &[u8]) -> Vec<u8> {
    let colon = field.iter().position(|byte| *byte == b':').map_or(0, |colon| colon + 1);
    let (front, body) = field.split_at_checked(colon).unwrap_or((field, b""));
    let mut out = Vec::from(front);
    for (place, tag) in body.split(|byte| *byte == b';').enumerate() {
        if place > 0 {
            out.push(b';');
        }
        let equals = tag.iter().position(|byte| *byte == b'=');
        let name = tag.get(..equals.unwrap_or_default()).unwrap_or_default();
        match equals {
            Some(equals) if name.trim_ascii() == b"b" => out.extend_from_slice(tag.get(..=equals).unwrap_or(tag)),
            _ => out.extend_from_slice(tag),
        }
    }
    out
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Each line without its line end, whichever that is.
fn lines(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    core::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
        let (line, rest) = bytes.split_at_checked(end)?;
        bytes = rest.strip_prefix(b"\r\n").or_else(|| rest.get(1..)).unwrap_or_default();
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for (field, simple, relaxed) in [
            // RFC 6376 section 3.4.5.
            (&b"A: X\r\n"[..], &b"A: X\r\n"[..], &b"a:X\r\n"[..]),
            (b"B : Y\t\r\n\tZ  \r\n", b"B : Y\t\r\n\tZ  \r\n", b"b:Y Z\r\n"),
            (b"C: d\n e\r f", b"C: d\r\n e\r\n f\r\n", b"c:d e f\r\n"),
            (b"Empty:", b"Empty:\r\n", b"empty:\r\n"),
            (b"Colons: a:b", b"Colons: a:b\r\n", b"colons:a:b\r\n"),
        ] {
            assert_eq!(canonical_field(field, Form::Simple), simple, "{}", field.escape_ascii());
            assert_eq!(canonical_field(field, Form::Relaxed), relaxed, "{}", field.escape_ascii());
        }
    }

    #[test]
    fn the_signature_is_not_signed() {
        for (field, without) in [
            (&b"D: a=1; b=xyz\r\n z; bh=b=c;"[..], &b"D: a=1; b=; bh=b=c;"[..]),
            (b"D: a=1;\r\n\tb = xyz\r\n", b"D: a=1;\r\n\tb ="),
            (b"D: bb=b", b"D: bb=b"),
            (b"nonsense", b"nonsense"),
        ] {
            assert_eq!(without_signature(field), without, "{}", field.escape_ascii());
        }
    }
}
