use alloc::format;
use alloc::vec::Vec;

use super::quoting;
use crate::{Error, ErrorCode};

/// Cuts the bytes of a POP3 server into lines, and holds the beginning of one until the rest has come.
///
/// LF alone ends a line too, as in SMTP ([`ReplyFramer`](super::ReplyFramer)); a CR that no LF follows and a NUL do not come through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pop3Framer {
    longest: usize,
    held: Vec<u8>,
    failed: Option<Error>,
}

impl Pop3Framer {
    /// A framer for lines of at most so many octets, with the line end. RFC 1939 section 3 allows 512, RFC 5034 section 4 more for
    /// challenges.
    pub fn new(longest: usize) -> Self {
        Self { longest, held: Vec::new(), failed: None }
    }

    /// Takes bytes from the front of `input`, up to the end of the first whole line, and gives that without its end.
    ///
    /// `None` means that all of `input` was taken, and more is needed.
    ///
    /// # Errors
    ///
    /// `protocol.malformed_reply` or `limit.reply_line`. From then on every call gives the same error.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            match self.take(byte) {
                Ok(None) => {}
                Ok(line) => return Ok(line),
                Err(error) => {
                    self.failed = Some(error.clone());
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    fn take(&mut self, byte: u8) -> Result<Option<Vec<u8>>, Error> {
        if self.held.len() >= self.longest {
            let what = format!("the server sent a line of more than {} bytes", self.longest);
            return Err(Error::new(ErrorCode::LimitReplyLine, what));
        }
        let after_cr = self.held.last() == Some(&b'\r');
        self.held.push(byte);
        match byte {
            b'\n' => {
                let mut line = core::mem::take(&mut self.held);
                line.truncate(line.len().saturating_sub(if after_cr { 2 } else { 1 }));
                Ok(Some(line))
            }
            _ if after_cr => Err(self.malformed("with a CR that no LF follows")),
            0 => Err(self.malformed("with a NUL in it")),
            _ => Ok(None),
        }
    }

    fn malformed(&self, why: &str) -> Error {
        let what = format!("the server sent {}, {why}", quoting::Bytes(&self.held));
        Error::new(ErrorCode::ProtocolMalformedReply, what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    type Lines = (Vec<Vec<u8>>, Option<ErrorCode>);

    fn lines(bytes: &[u8], longest: usize, size: usize) -> Lines {
        let mut framer = Pop3Framer::new(longest);
        let mut lines = vec![];
        for mut piece in bytes.chunks(size) {
            loop {
                match framer.next(&mut piece) {
                    Ok(Some(line)) => lines.push(line),
                    Ok(None) => break,
                    Err(error) => {
                        assert_eq!(framer.next(&mut &b"+OK\r\n"[..]), Err(error.clone()));
                        return (lines, Some(error.code()));
                    }
                }
            }
        }
        (lines, None)
    }

    #[test]
    fn known_answers_whatever_the_cuts() {
        let malformed = Some(ErrorCode::ProtocolMalformedReply);
        for (bytes, expected, error) in [
            (&b"+OK\r\n-ERR x\n\r\n"[..], &[&b"+OK"[..], b"-ERR x", b""][..], None),
            (b"+OK", &[], None),
            (b"a\rb\r\n", &[], malformed),
            (b"a\r\r\n", &[], malformed),
            (b"+OK\r\na\0", &[b"+OK"], malformed),
            (b"12345678\r\n", &[b"12345678"], None),
            (b"123456789\r\n", &[], Some(ErrorCode::LimitReplyLine)),
        ] {
            for size in 1..=bytes.len() {
                let (found, code) = lines(bytes, 10, size);
                assert_eq!((found, code), (expected.iter().map(|line| line.to_vec()).collect(), error));
            }
        }
    }
}
