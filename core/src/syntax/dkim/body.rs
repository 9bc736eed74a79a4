use super::signature::Form;

/// The body of a message in the form in which it is signed (RFC 6376 §3.4.3 and §3.4.4), piece by piece.
///
/// A CR or LF alone counts as CR LF, as it does when the message is sent. It holds nothing but a few counters, whatever the body is.
#[derive(Clone, Debug)]
pub struct CanonicalBody {
    form: Form,
    /// Line ends that count only if something follows.
    line_ends: u64,
    /// Whether white space has come that counts only if something follows on its line (relaxed).
    blank: bool,
    /// Whether the last octet was a CR.
    after_cr: bool,
    /// Whether anything has been given out.
    begun: bool,
}

impl CanonicalBody {
    /// Of a body of which nothing has come yet.
    pub fn new(form: Form) -> Self {
        Self { form, line_ends: 0, blank: false, after_cr: false, begun: false }
    }

    /// Takes a piece of the body; gives out what is signed.
    pub fn feed(&mut self, mut piece: &[u8], out: &mut impl FnMut(&[u8])) {
        if core::mem::take(&mut self.after_cr) {
            piece = piece.strip_prefix(b"\n").unwrap_or(piece);
        }
        while let Some(first) = piece.first() {
            let plain = self.plain_front(piece);
            if !plain.is_empty() {
                self.catch_up(out);
                out(plain);
                piece = piece.get(plain.len()..).unwrap_or_default();
                continue;
            }
            let length = match first {
                b'\r' => {
                    self.line_end();
                    match piece.get(1) {
                        None => {
                            self.after_cr = true;
                            1
                        }
                        Some(b'\n') => 2,
                        Some(_) => 1,
                    }
                }
                b'\n' => {
                    self.line_end();
                    1
                }
                // White space of a relaxed body.
                _ => {
                    self.blank = true;
                    1
                }
            };
            piece = piece.get(length..).unwrap_or_default();
        }
    }

    /// Gives out what is left at the end of the body.
    pub fn finish(self, out: &mut impl FnMut(&[u8])) {
        match self.form {
            // An empty body is an empty line.
            Form::Simple => out(b"\r\n"),
            Form::Relaxed if self.begun => out(b"\r\n"),
            Form::Relaxed => {}
        }
    }

    fn line_end(&mut self) {
        self.blank = false;
        self.line_ends = self.line_ends.saturating_add(1);
    }

    /// What was held back counts after all.
    fn catch_up(&mut self, out: &mut impl FnMut(&[u8])) {
        const MANY: [u8; 64] = {
            let mut many = [b'\r'; 64];
            let mut place = 1;
            while place < many.len() {
                many[place] = b'\n';
                place += 2;
            }
            many
        };
        self.begun = true;
        while self.line_ends > 0 {
            let now = self.line_ends.min(32);
            out(MANY.get(..2 * now as usize).unwrap_or_default());
            self.line_ends -= now;
        }
        if core::mem::take(&mut self.blank) {
            out(b" ");
        }
    }

    /// What is the same in every form, up to the next thing that is not.
    fn plain_front<'a>(&self, piece: &'a [u8]) -> &'a [u8] {
        let end = match self.form {
            Form::Simple => memchr::memchr2(b'\r', b'\n', piece),
            Form::Relaxed => piece.iter().position(|byte| matches!(byte, b'\r' | b'\n' | b' ' | b'\t')),
        };
        piece.get(..end.unwrap_or(piece.len())).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn canonical(pieces: &[&[u8]], form: Form) -> Vec<u8> {
        let mut body = CanonicalBody::new(form);
        let mut all = Vec::new();
        let mut out = |bytes: &[u8]| all.extend_from_slice(bytes);
        for piece in pieces {
            body.feed(piece, &mut out);
        }
        body.finish(&mut out);
        all
    }

    #[test]
    fn known_answers_whatever_the_pieces() {
        for (body, simple, relaxed) in [
            // RFC 6376 sections 3.4.3 to 3.4.5.
            (&b""[..], &b"\r\n"[..], &b""[..]),
            (b"\r\n", b"\r\n", b""),
            (b" C \r\nD \t E\r\n\r\n\r\n", b" C \r\nD \t E\r\n", b" C\r\nD E\r\n"),
            (b"no end", b"no end\r\n", b"no end\r\n"),
            (b"\r\n\r\nx\r\n \t\r\n", b"\r\n\r\nx\r\n \t\r\n", b"\r\n\r\nx\r\n"),
            (b"a\nb\rc\r\n", b"a\r\nb\r\nc\r\n", b"a\r\nb\r\nc\r\n"),
            (b"a\r\r\nb", b"a\r\n\r\nb\r\n", b"a\r\n\r\nb\r\n"),
            (b" \t ", b" \t \r\n", b""),
            (b"x \r\n \r\n ", b"x \r\n \r\n \r\n", b"x\r\n"),
        ] {
            for cut in 0..=body.len() {
                let (front, back) = body.split_at(cut);
                assert_eq!(canonical(&[front, back], Form::Simple), simple, "{}", body.escape_ascii());
                assert_eq!(canonical(&[front, back], Form::Relaxed), relaxed, "{}", body.escape_ascii());
            }
            let single: Vec<&[u8]> = body.chunks(1).collect();
            assert_eq!(canonical(&single, Form::Relaxed), relaxed);
        }
        let mut many = "\r\n".repeat(1000).into_bytes();
        many.push(b'x');
        assert_eq!(canonical(&[&many], Form::Simple), [&many[..], b"\r\n"].concat());
    }
}
