//! The message that every client sends: the same bytes for the same size, wherever it is made.

use std::fmt::Write as _;

/// The reverse-path and the forward-path of each message.
pub const SENDER: &str = "sender@bench.test";
pub const RECIPIENT: &str = "recipient@bench.test";

const HEADER: &str = "From: Sender <sender@bench.test>\r\n\
    To: Recipient <recipient@bench.test>\r\n\
    Subject: One of many\r\n\
    Date: Mon, 02 Nov 2026 09:00:00 +0000\r\n\
    Message-ID: <1@bench.test>\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: text/plain; charset=us-ascii\r\n\
    \r\n";

/// A line of the body with its CRLF.
const LINE: usize = 76 + 2;

/// A message of exactly `size` bytes: a header, then lines of 76 characters, each ended by CRLF.
///
/// With `dots`, of every seven lines one begins with a dot, one with two, and one is a dot alone.
pub fn make(size: usize, dots: bool) -> Result<Vec<u8>, String> {
    if size < HEADER.len() + LINE {
        return Err(format!("a message has at least {} bytes", HEADER.len() + LINE));
    }
    let mut message = Vec::with_capacity(size);
    message.extend_from_slice(HEADER.as_bytes());
    let mut letters = Letters(0x9e37_79b9_7f4a_7c15);
    for line in 0.. {
        let left = size - message.len();
        let begin: &[u8] = match line % 7 {
            2 if dots => b".",
            4 if dots => b"..",
            6 if dots => b".\r\n",
            _ => b"",
        };
        if left == 0 {
            break;
        } else if left > LINE + 1 {
            message.extend_from_slice(begin);
            if begin.ends_with(b"\n") {
                continue;
            }
            message.extend(letters.by_ref().take(LINE - 2 - begin.len()));
        } else {
            // One byte more than a line is no room for another, so the last may have 77 characters.
            message.extend(letters.by_ref().take(left - 2));
        }
        message.extend_from_slice(b"\r\n");
    }
    Ok(message)
}

/// The content as DATA wants it: dots stuffed, and the line that ends it (RFC 5321 §4.5.2).
pub fn stuff(mut content: Vec<u8>) -> Vec<u8> {
    let has_dot = content.starts_with(b".") || memchr::memmem::find(&content, b"\n.").is_some();
    if has_dot {
        let mut stuffed = Vec::with_capacity(content.len() + content.len() / 16);
        for line in content.split_inclusive(|&byte| byte == b'\n') {
            if line.starts_with(b".") {
                stuffed.push(b'.');
            }
            stuffed.extend_from_slice(line);
        }
        content = stuffed;
    }
    content.extend_from_slice(b".\r\n");
    content
}

/// The same bytes in lower-case hexadecimal of 16 digits, as the sink and the driver write digests.
pub fn hex(hash: u64) -> String {
    let mut text = String::with_capacity(16);
    let _ = write!(text, "{hash:016x}");
    text
}

/// An endless run of letters and digits without a pattern that a cache or a scan could like.
struct Letters(u64);

impl Iterator for Letters {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ALPHABET.get((self.0 >> 58) as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_exact_and_the_form_canonical() {
        for dots in [false, true] {
            for size in (HEADER.len() + LINE..2500).chain([20_000]) {
                let message = make(size, dots).unwrap();
                assert_eq!(message.len(), size);
                assert!(message.ends_with(b"\r\n"));
                for line in message.split_inclusive(|&byte| byte == b'\n') {
                    assert!(line.ends_with(b"\r\n") && line.len() <= LINE + 1, "{size}: {line:?}");
                }
                assert_eq!(
                    message.windows(3).any(|three| three == b"\n.."),
                    dots && size > HEADER.len() + 5 * LINE + 1
                );
            }
        }
        assert!(make(100, false).is_err());
    }

    #[test]
    fn stuffing() {
        for (content, stuffed) in
            [("a\r\n", "a\r\n.\r\n"), (".\r\n", "..\r\n.\r\n"), ("..a\r\n.b.\r\n", "...a\r\n..b.\r\n.\r\n")]
        {
            assert_eq!(stuff(content.as_bytes().to_vec()), stuffed.as_bytes());
        }
    }
}
