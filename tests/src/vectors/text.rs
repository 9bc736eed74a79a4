//! Bytes as people write them in a dialogue.
//!
//! ```text
//! \r \n \t \0 \\     one byte
//! \xNN               one byte
//! \{TEXT*N}          TEXT, which may hold other escapes, N times
//! \ at the very end  no line end follows
//! ```

/// The bytes of one line, and whether a line end follows.
pub(crate) fn unescape(text: &str) -> Result<(Vec<u8>, bool), String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        if behind.is_empty() {
            return Ok((bytes, false));
        }
        rest = escape_sequence(behind, &mut bytes)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok((bytes, true))
}

/// The bytes of a value, which has no line end to leave out.
pub(crate) fn value(text: &str) -> Result<Vec<u8>, String> {
    match unescape(text)? {
        (bytes, true) => Ok(bytes),
        _ => Err("a value can't end in a backslash".into()),
    }
}

/// The bytes of a line, with its CR LF unless it is said that there is none.
pub(crate) fn line(text: &str) -> Result<Vec<u8>, String> {
    let (mut bytes, ends) = unescape(text)?;
    if ends {
        bytes.extend_from_slice(b"\r\n");
    }
    Ok(bytes)
}

/// Reads what stands behind a backslash, and gives what stands behind that.
fn escape_sequence<'a>(text: &'a str, bytes: &mut Vec<u8>) -> Result<&'a str, String> {
    let simple = |rest: &'a str, byte: u8, bytes: &mut Vec<u8>| {
        bytes.push(byte);
        Ok(rest)
    };
    if let Some(rest) = text.strip_prefix('r') {
        simple(rest, b'\r', bytes)
    } else if let Some(rest) = text.strip_prefix('n') {
        simple(rest, b'\n', bytes)
    } else if let Some(rest) = text.strip_prefix('t') {
        simple(rest, b'\t', bytes)
    } else if let Some(rest) = text.strip_prefix('0') {
        simple(rest, 0, bytes)
    } else if let Some(rest) = text.strip_prefix('\\') {
        simple(rest, b'\\', bytes)
    } else if let Some(rest) = text.strip_prefix('x') {
        let byte = rest.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        simple(rest.get(2..).unwrap_or(""), byte.ok_or("\\x takes two hexadecimal digits")?, bytes)
    } else if let Some(rest) = text.strip_prefix('{') {
        repetition(rest, bytes)
    } else {
        Err(format!("no such escape: \\{text}"))
    }
}

fn repetition<'a>(text: &'a str, bytes: &mut Vec<u8>) -> Result<&'a str, String> {
    let (inner, rest) = text.split_once('}').ok_or("\\{ without a }")?;
    let (piece, times) = inner.rsplit_once('*').ok_or("\\{ without a *N}")?;
    let times: usize = times.parse().map_err(|_| format!("not a number of times: {times}"))?;
    bytes.extend(value(piece)?.repeat(times));
    Ok(rest)
}

/// Bytes as lines that could stand in a dialogue, so that two of them can be compared by eye.
pub(crate) fn show(bytes: &[u8]) -> Vec<String> {
    bytes.split_inclusive(|&byte| byte == b'\n').map(show_line).collect()
}

fn show_line(line: &[u8]) -> String {
    let (line, end) = match line.strip_suffix(b"\r\n") {
        Some(line) => (line, ""),
        None => (line, "\\"),
    };
    let mut shown = String::new();
    for chunk in line.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\r' => shown.push_str("\\r"),
                '\n' => shown.push_str("\\n"),
                '\\' => shown.push_str("\\\\"),
                c if c.is_control() => c.to_string().bytes().for_each(|byte| shown.push_str(&format!("\\x{byte:02X}"))),
                c => shown.push(c),
            }
        }
        chunk.invalid().iter().for_each(|byte| shown.push_str(&format!("\\x{byte:02X}")));
    }
    shown.push_str(end);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for (text, bytes) in [
            ("EHLO bar.com", b"EHLO bar.com\r\n".as_slice()),
            ("", b"\r\n"),
            ("250\\", b"250"),
            ("a\\r\\n\\t\\0\\\\b", b"a\r\n\t\0\\b\r\n"),
            ("\\xE9\\xff\\", b"\xe9\xff"),
            ("é", b"\xc3\xa9\r\n"),
            ("<\\{ab*3}>", b"<ababab>\r\n"),
            ("\\{a\\r\\n*2}.\\", b"a\r\na\r\n."),
        ] {
            assert_eq!(line(text).unwrap(), bytes, "{text}");
        }
    }

    #[test]
    fn what_is_no_escape() {
        for text in ["\\q", "\\x1", "\\xzz", "\\{a", "\\{a}", "\\{a*b}"] {
            assert!(line(text).is_err(), "{text}");
        }
        assert!(value("a\\").is_err());
    }

    #[test]
    fn what_is_shown_can_be_read_back() {
        for bytes in [b"a\r\n.\r\n".as_slice(), b"a\nb\r\0\xff\x1b\\", "é\u{85}\r\n".as_bytes(), b"x\r\r\n"] {
            let read: Vec<u8> = show(bytes).iter().flat_map(|shown| line(shown).unwrap()).collect();
            assert_eq!(read, bytes);
        }
    }
}
