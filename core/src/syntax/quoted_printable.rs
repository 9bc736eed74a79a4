use alloc::vec::Vec;

// RFC 2045 section 6.7
//
//   quoted-printable := qp-line *(CRLF qp-line)
//   qp-line          := *(qp-segment transport-padding CRLF) qp-part transport-padding
//   qp-octet         := "=" 2(DIGIT / "A" / "B" / "C" / "D" / "E" / "F")

/// Appends lines that end with CR LF in the encoding quoted-printable (RFC 2045 section 6.7). A CR or LF alone is encoded as an octet.
pub fn encode_quoted_printable(text: &[u8], out: &mut Vec<u8>) {
    /// Octets in an encoded line, without its end.
    const LONGEST: usize = 76;
    let mut column = 0;
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        if let Some(next) = rest.strip_prefix(b"\r\n") {
            out.extend_from_slice(b"\r\n");
            (rest, column) = (next, 0);
            continue;
        }
        let ends = behind.is_empty() || behind.starts_with(b"\r\n");
        let literal = match byte {
            b' ' | b'\t' => !ends,
            b'=' => false,
            b'!'..=b'~' => true,
            _ => false,
        };
        let length = if literal { 1 } else { 3 };
        // There has to be room for the "=" of a soft line break, but not behind the last octet.
        if column + length + usize::from(!ends) > LONGEST {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if literal {
            out.push(byte);
        } else {
            out.extend([b'=', hexadecimal(byte >> 4), hexadecimal(byte & 15)]);
        }
        column += length;
        rest = behind;
    }
}

fn hexadecimal(digit: u8) -> u8 {
    if digit < 10 { b'0' + digit } else { b'A' + digit - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode_quoted_printable(text, &mut out);
        out
    }

    fn decoded(text: &[u8]) -> Vec<u8> {
        let (mut out, mut rest) = (Vec::new(), text);
        while let Some((&byte, behind)) = rest.split_first() {
            rest = behind;
            if byte != b'=' {
                out.push(byte);
            } else if let Some(next) = rest.strip_prefix(b"\r\n") {
                rest = next;
            } else {
                let digits = core::str::from_utf8(&rest[..2]).unwrap();
                out.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &rest[2..];
            }
        }
        out
    }

    #[test]
    fn known_answers() {
        for (text, expected) in [
            (&b""[..], &b""[..]),
            (b"a b=\r\n", b"a b=3D\r\n"),
            (b"a \r\nb\t", b"a=20\r\nb=09"),
            ("Gr\u{fc}\u{df}e\r\n".as_bytes(), b"Gr=C3=BC=C3=9Fe\r\n"),
            (b"a\rb\nc\0\x7f", b"a=0Db=0Ac=00=7F"),
        ] {
            assert_eq!(encoded(text), expected);
        }
    }

    #[test]
    fn lines_are_short_and_nothing_is_lost() {
        for length in 0..300 {
            for pattern in [&b"a"[..], b"=", b"\xff", b" ", b"ab=", b"a\r\n\xe9"] {
                let text: Vec<u8> = pattern.iter().copied().cycle().take(length).collect();
                let out = encoded(&text);
                assert_eq!(decoded(&out), text);
                assert!(out.split(|byte| *byte == b'\n').all(|line| line.len() <= 77), "{}", out.escape_ascii());
                assert!(out.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n')));
                assert!(!out.windows(3).any(|window| window == b" \r\n"));
            }
        }
    }
}
