//! Messages of which no two are alike.

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use okuru::{Content, Message};
use tokio::io::{AsyncRead, ReadBuf};

/// A message, and what is to be found of it in a mailbox.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// As it is handed to the client. The first line is there only once.
    pub(crate) content: Vec<u8>,
}

impl Letter {
    /// A letter from alice, whose content has `rest` behind a first line of its own.
    pub(crate) fn new(to: &[&str], rest: &[u8]) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Its end is like that of the other lines.
        let end = if rest.contains(&b'\r') || !rest.contains(&b'\n') { "\r\n" } else { "\n" };
        Self {
            from: "alice@example.test".to_owned(),
            to: to.iter().map(|&to| to.to_owned()).collect(),
            content: [format!("X-Test: {number}{end}").as_bytes(), rest].concat(),
        }
    }

    /// A letter like many others.
    pub(crate) fn plain(to: &[&str]) -> Self {
        Self::new(to, b"Subject: plain\r\n\r\nHello!\r\n.\r\nGoodbye.\r\n")
    }

    pub(crate) fn from(mut self, from: &str) -> Self {
        from.clone_into(&mut self.from);
        self
    }

    /// As a message whose content is in memory.
    pub(crate) fn message(&self) -> Message {
        self.message_of(self.content.clone())
    }

    /// As a message whose content comes piecemeal, and nobody knows how much of it.
    pub(crate) fn streamed(&self) -> Message {
        self.message_of(Content::reader(Piecemeal::new(self.content.clone()), None))
    }

    /// As a message with some other content.
    pub(crate) fn message_of(&self, content: impl Into<Content>) -> Message {
        Message::new(&self.from, &self.to, content).expect("the addresses of the tests are right")
    }

    /// What identifies it in a mailbox.
    pub(crate) fn first_line(&self) -> &[u8] {
        let end = self.content.iter().position(|byte| b"\r\n".contains(byte)).expect("there is a first line");
        &self.content[..end]
    }

    /// How it is to be found in a mailbox: each CRLF, and each CR or LF that stands alone, is an LF.
    pub(crate) fn delivered(&self) -> Vec<u8> {
        let mut canonical = Vec::with_capacity(self.content.len());
        let mut bytes = self.content.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            if byte == b'\r' {
                bytes.next_if_eq(&b'\n');
            }
            canonical.push(if byte == b'\r' { b'\n' } else { byte });
        }
        canonical
    }
}

/// Gives content in pieces of many sizes, as a network does; for tokio, often not at once.
pub(crate) struct Piecemeal {
    content: Vec<u8>,
    at: usize,
    turn: usize,
}

impl Piecemeal {
    pub(crate) fn new(content: Vec<u8>) -> Self {
        Self { content, at: 0, turn: 0 }
    }
}

impl Read for Piecemeal {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const SIZES: [usize; 7] = [1, 2, 77, 1, 4096, 13, 30_000];
        self.turn += 1;
        let rest = &self.content[self.at..];
        let length = rest.len().min(buffer.len()).min(SIZES[self.turn % SIZES.len()]);
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}

impl AsyncRead for Piecemeal {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.turn % 3 == 1 {
            self.turn += 1;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let length = self.read(buffer.initialize_unfilled())?;
        buffer.advance(length);
        Poll::Ready(Ok(()))
    }
}

#[test]
fn line_ends_become_lf() {
    let mut letter = Letter::plain(&[]);
    letter.content = b"X-Test: x\r\na\rb\nc\n\rd\r\r\ne\r".to_vec();
    assert_eq!(letter.delivered(), b"X-Test: x\na\nb\nc\n\nd\n\ne\n");
    assert_eq!(letter.first_line(), b"X-Test: x");
}
