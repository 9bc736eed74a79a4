//! Standard input and output as one stream.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, Stdin, Stdout};

/// Standard input and output as one stream.
///
/// A dialogue that somebody has written down is often piped in as a whole, and its client waits for no reply. Over a network that
/// would be suspicious; here each command that must be waited for (RFC 2920 section 3.1) is given away as the last one of a read.
pub(super) struct Pipes {
    stdin: Stdin,
    stdout: Stdout,
    buffer: Vec<u8>,
    /// What of the buffer has been given away, and what there is.
    given: usize,
    length: usize,
    turns: Turns,
    /// All has been said: nobody listens any more.
    is_over: bool,
}

/// Where the client would have to wait.
#[derive(Default)]
struct Turns {
    /// The front of the line that we are in, and how much of it there was, at most four octets.
    verb: [u8; 4],
    seen: usize,
}

/// Commands behind which nothing may follow before their reply.
const LAST: [&[u8; 4]; 9] = [b"EHLO", b"HELO", b"DATA", b"VRFY", b"EXPN", b"QUIT", b"NOOP", b"HELP", b"AUTH"];

impl Pipes {
    pub(super) fn new() -> Self {
        Self {
            stdin: tokio::io::stdin(),
            stdout: tokio::io::stdout(),
            buffer: vec![0; 64 << 10],
            given: 0,
            length: 0,
            turns: Turns::default(),
            is_over: false,
        }
    }
}

impl Turns {
    /// How much of `bytes` comes before the next turn. Content may look like a command; then a read is short, and nothing else.
    fn take(&mut self, bytes: &[u8]) -> usize {
        for (index, &byte) in bytes.iter().enumerate() {
            if byte == b'\n' {
                let verb = self.verb.to_ascii_uppercase();
                let is_last = self.seen == 4 && LAST.iter().any(|last| verb == **last);
                self.seen = 0;
                if is_last {
                    return index + 1;
                }
            } else if let Some(place) = self.verb.get_mut(self.seen) {
                *place = byte;
                self.seen += 1;
            }
        }
        bytes.len()
    }
}

impl AsyncRead for Pipes {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_over {
            return Poll::Ready(Ok(()));
        }
        let this = &mut *self;
        if this.given == this.length {
            let mut read = ReadBuf::new(&mut this.buffer);
            ready!(Pin::new(&mut this.stdin).poll_read(context, &mut read))?;
            (this.given, this.length) = (0, read.filled().len());
        }
        let room = this.length.min(this.given.saturating_add(buffer.remaining()));
        let taken = this.turns.take(this.buffer.get(this.given..room).unwrap_or_default());
        buffer.put_slice(this.buffer.get(this.given..this.given + taken).unwrap_or_default());
        this.given += taken;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipes {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stdout).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdout).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_over = true;
        Pin::new(&mut self.stdout).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_turn_ends_a_read() {
        let dialogue =
            b"ehlo x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nData\r\nSubject: x\r\n\r\ndata\n.\r\nEHLOS\nQUI\nQUIT\r\n";
        let expected: [&[u8]; 5] = [
            b"ehlo x\r\n",
            b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nData\r\n",
            b"Subject: x\r\n\r\ndata\n",
            b".\r\nEHLOS\n",
            b"QUI\nQUIT\r\n",
        ];
        // However it comes, nothing is given away behind a turn.
        for size in 1..=dialogue.len() {
            let (mut turns, mut reads) = (Turns::default(), Vec::new());
            for mut piece in dialogue.chunks(size) {
                while !piece.is_empty() {
                    let (read, rest) = piece.split_at(turns.take(piece));
                    reads.push(read);
                    piece = rest;
                }
            }
            let mut ends = reads.iter().scan(0, |at, read| {
                *at += read.len();
                Some(*at)
            });
            let mut at = 0;
            for turn in expected {
                at += turn.len();
                assert!(ends.any(|end| end == at), "{size}");
            }
            assert_eq!(reads.concat(), dialogue);
            if size == dialogue.len() {
                assert_eq!(reads, expected);
            }
        }
    }
}
