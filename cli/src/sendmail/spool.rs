//! A message while it comes: in memory, or where it is large in a file without a name.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek as _, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use okuru::{Content, Error, ErrorCode};

use crate::exit::{Exit, Failure};
use crate::letter::in_words;

/// A message that has been taken so far. It is written to, and then made into content.
#[derive(Debug, Default)]
pub(crate) struct Spool {
    front: Vec<u8>,
    /// What comes behind, and how much that is.
    rest: Option<(File, u64)>,
}

/// Up to so many octets, a message is held in memory.
const MOST_HELD: usize = 4 << 20;

impl Spool {
    /// Takes what `reader` gives, up to its end or, unless dots are ignored, up to a line that is nothing but a dot.
    pub(crate) fn fill(&mut self, mut reader: impl Read, ignores_dots: bool) -> Result<(), Failure> {
        let (mut buffer, mut dots) = (vec![0; 64 << 10], LoneDot::default());
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(read) => buffer.get(..read).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(cannot("standard input can't be read", &error, Exit::NoInput)),
            };
            let ended = match (read, ignores_dots) {
                ([], _) => self.write_all(dots.end()).map(|()| true),
                (_, true) => self.write_all(read).map(|()| false),
                (_, false) => dots.pass(read, self),
            };
            match ended {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => return Err(cannot("the message can't be put aside", &error, Exit::System)),
            }
        }
    }

    /// What is held in memory, and whether that is all.
    pub(crate) fn front(&self) -> (&[u8], bool) {
        (&self.front, self.rest.is_none())
    }

    /// The content, with `header` in place of the first `replaced` octets of what is held.
    pub(crate) fn into_content(mut self, mut header: Vec<u8>, replaced: usize) -> Content {
        self.front.drain(..replaced.min(self.front.len()));
        header.append(&mut self.front);
        let front = Bytes::from(header);
        let Some((file, size)) = self.rest else {
            return front.into();
        };
        let (file, size) = (Arc::new(Mutex::new(file)), size + front.len() as u64);
        let open = move || Ok(Cursor::new(front.clone()).chain(Shared { file: Arc::clone(&file), at: 0 }));
        Content::reopened(open, Some(size))
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = MOST_HELD.saturating_sub(self.front.len());
        if self.rest.is_none() && room > 0 {
            let taken = bytes.get(..room).unwrap_or(bytes);
            self.front.extend_from_slice(taken);
            return Ok(taken.len());
        }
        let (file, size) = match &mut self.rest {
            Some(rest) => rest,
            None => self.rest.insert((tempfile::tempfile()?, 0)),
        };
        let written = file.write(bytes)?;
        *size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn cannot(what: &str, error: &io::Error, exit: Exit) -> Failure {
    Failure { error: Error::new(ErrorCode::MessageUnreadable, format!("{what}: {}", in_words(error))), exit }
}

/// One of several readers of a file.
struct Shared {
    file: Arc<Mutex<File>>,
    at: u64,
}

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.at))?;
        let read = file.read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Looks for a line that is nothing but a dot, whatever the pieces in which it comes.
#[derive(Default)]
struct LoneDot {
    at: Place,
}

/// Where in a line we are. What may belong to the end has not been passed on yet.
#[derive(Clone, Copy, Default)]
enum Place {
    #[default]
    Start,
    Dot,
    DotCr,
    Inside,
}

impl LoneDot {
    /// Passes on what comes before such a line; says whether it came.
    fn pass(&mut self, bytes: &[u8], out: &mut impl Write) -> io::Result<bool> {
        let mut from = 0;
        for (index, byte) in bytes.iter().enumerate() {
            let held = self.held();
            self.at = match (self.at, byte) {
                (Place::Start, b'.') => {
                    out.write_all(bytes.get(from..index).unwrap_or_default())?;
                    Place::Dot
                }
                (Place::Dot | Place::DotCr, b'\n') => return Ok(true),
                (Place::Dot, b'\r') => Place::DotCr,
                (_, b'\n') => Place::Start,
                _ => Place::Inside,
            };
            if matches!(self.at, Place::Dot | Place::DotCr) {
                from = index + 1;
            } else if !held.is_empty() {
                out.write_all(held)?;
                from = index;
            }
        }
        out.write_all(bytes.get(from..).unwrap_or_default())?;
        Ok(false)
    }

    /// What had not been passed on when the input ended: nothing, if the last line was such a dot without a line end.
    fn end(&self) -> &'static [u8] {
        match self.at {
            Place::Dot => b"",
            _ => self.held(),
        }
    }

    fn held(&self) -> &'static [u8] {
        match self.at {
            Place::Dot => b".",
            Place::DotCr => b".\r",
            Place::Start | Place::Inside => b"",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives so many octets at a time.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(self.0.len());
            self.0.read(&mut buffer[..length])
        }
    }

    #[test]
    fn a_lone_dot_ends_it() {
        for (input, taken) in [
            (&b"a\n.\nb\n"[..], &b"a\n"[..]),
            (b"a\r\n.\r\nb\r\n", b"a\r\n"),
            (b".\n", b""),
            (b"a\n.", b"a\n"),
            (b"a\n..\n.b\n.\rc\n", b"a\n..\n.b\n.\rc\n"),
            (b"a.\nb .\n", b"a.\nb .\n"),
            (b"a\n.\r", b"a\n.\r"),
            (b"a\n. \n", b"a\n. \n"),
            (b"", b""),
        ] {
            for size in 1..=input.len().max(1) {
                let mut spool = Spool::default();
                spool.fill(Pieces(input, size), false).unwrap();
                assert_eq!(spool.front(), (taken, true), "{} by {size}", input.escape_ascii());
            }
            let mut spool = Spool::default();
            spool.fill(input, true).unwrap();
            assert_eq!(spool.front(), (input, true));
        }
    }

    #[test]
    fn what_is_large_is_not_held() {
        let message: Vec<u8> = (0..=u8::MAX).cycle().take(MOST_HELD + 100_000).collect();
        let mut spool = Spool::default();
        spool.fill(message.as_slice(), true).unwrap();
        assert_eq!((spool.front.len(), spool.rest.as_ref().unwrap().1), (MOST_HELD, 100_000));
        let (file, _) = spool.rest.take().unwrap();
        let file = Arc::new(Mutex::new(file));
        let mut readers = [0, 0].map(|at| Shared { file: Arc::clone(&file), at });
        for reader in &mut readers {
            let mut rest = Vec::new();
            reader.read_to_end(&mut rest).unwrap();
            assert!(rest == message[MOST_HELD..]);
        }
    }
}
