//! A message from a file or from standard input, made ready to be sent.
//!
//! What is not too large is read as a whole. Of the rest only the header is looked at, and the content is streamed, so that
//! memory is bounded whatever the size. In both cases all that is ever changed is that Bcc goes.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use okuru::Content;
use okuru_core::client::Envelope;
use okuru_core::syntax::Header;
use okuru_core::{Error, ErrorCode};

use crate::envelope::Addressing;

/// Where a message comes from.
#[derive(Debug)]
pub(crate) enum Input {
    Stdin,
    File(PathBuf),
}

/// A message that is ready to be sent.
#[derive(Debug)]
pub(crate) struct Letter {
    envelope: Arc<Envelope>,
    source: Source,
    header_utf8: bool,
}

enum Source {
    Held(Bytes),
    File(PathBuf),
    /// A file whose header had a Bcc: what goes out in place of its first `replaced` octets.
    Beheaded {
        path: PathBuf,
        header: Bytes,
        replaced: u64,
    },
    /// What comes once, and never again.
    Once(Option<Box<dyn Read + Send>>),
}

/// Up to so many octets, a message is read as a whole.
const MOST_HELD: usize = 4 << 20;

/// So far is looked for the end of a large file's header.
const LONGEST_HEADER: usize = 1 << 20;

impl Input {
    pub(crate) fn from_argument(path: PathBuf) -> Self {
        if path == Path::new("-") { Self::Stdin } else { Self::File(path) }
    }

    /// As it was named on the command line.
    pub(crate) fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Stdin => "-".into(),
            Self::File(path) => path.to_string_lossy(),
        }
    }
}

impl Letter {
    /// Reads a message, as far as that is needed, with the addresses that the command line and its header name.
    pub(crate) fn read(input: &Input, addressing: &Addressing) -> Result<Self, Error> {
        match input {
            Input::Stdin => Self::from_reader(io::stdin(), addressing),
            Input::File(path) => {
                let file = File::open(path).map_err(|error| unreadable(&error))?;
                let metadata = file.metadata().map_err(|error| unreadable(&error))?;
                if metadata.is_dir() {
                    Err(unreadable(&io::ErrorKind::IsADirectory.into()))
                } else if metadata.is_file() && metadata.len() > MOST_HELD as u64 {
                    Self::from_large_file(file, path, addressing)
                } else {
                    Self::from_reader(file, addressing)
                }
            }
        }
    }

    pub(crate) fn envelope(&self) -> &Arc<Envelope> {
        &self.envelope
    }

    /// Whether the header is known to need SMTPUTF8, where nobody else can see that before it is sent.
    pub(crate) fn needs_smtputf8(&self) -> bool {
        self.header_utf8 && !matches!(self.source, Source::Held(_))
    }

    /// The content, to be sent once more.
    pub(crate) fn content(&mut self) -> Result<Content, Error> {
        match &mut self.source {
            Source::Held(content) => Ok(content.clone().into()),
            Source::File(path) => Ok(Content::file(path.clone())),
            Source::Beheaded { path, header, replaced } => {
                let (path, header, replaced) = (path.clone(), header.clone(), *replaced);
                let (_, size) = open_behind(&path, replaced).map_err(|error| unreadable(&error))?;
                let size = size + header.len() as u64;
                let open = move || Ok(Cursor::new(header.clone()).chain(open_behind(&path, replaced)?.0));
                Ok(Content::reopened(open, Some(size)))
            }
            Source::Once(reader) => match reader.take() {
                Some(reader) => Ok(Content::reader(reader, None)),
                None => {
                    let what = "what is not a file can be sent only once when it has more than 4 MiB";
                    Err(Error::new(ErrorCode::MessageUnreadable, what))
                }
            },
        }
    }

    fn from_reader(mut reader: impl Read + Send + 'static, addressing: &Addressing) -> Result<Self, Error> {
        let mut content = Vec::new();
        let read = (&mut reader).take(MOST_HELD as u64 + 1).read_to_end(&mut content);
        read.map_err(|error| unreadable(&error))?;
        if content.is_empty() {
            return Err(Error::new(ErrorCode::MessageEmpty, "the message is empty"));
        }
        let header = Header::of(&content);
        let whole = content.len() <= MOST_HELD;
        if !whole {
            check_end(header)?;
        }
        let envelope = addressing.envelope(header)?;
        let header_utf8 = is_utf8(header);
        for hidden in hidden(header, addressing).into_iter().rev() {
            content.drain(hidden);
        }
        let source = match whole {
            true => Source::Held(content.into()),
            false => Source::Once(Some(Box::new(Cursor::new(content).chain(reader)))),
        };
        Ok(Self { envelope, source, header_utf8 })
    }

    fn from_large_file(file: File, path: &Path, addressing: &Addressing) -> Result<Self, Error> {
        let mut beginning = Vec::with_capacity(LONGEST_HEADER);
        let read = file.take(LONGEST_HEADER as u64).read_to_end(&mut beginning);
        read.map_err(|error| unreadable(&error))?;
        let header = Header::of(&beginning);
        check_end(header)?;
        let envelope = addressing.envelope(header)?;
        let header_utf8 = is_utf8(header);
        let replaced = header.as_bytes().len();
        let hidden = hidden(header, addressing);
        let source = if hidden.is_empty() {
            Source::File(path.to_owned())
        } else {
            beginning.truncate(replaced);
            for hidden in hidden.into_iter().rev() {
                beginning.drain(hidden);
            }
            Source::Beheaded { path: path.to_owned(), header: beginning.into(), replaced: replaced as u64 }
        };
        Ok(Self { envelope, source, header_utf8 })
    }
}

/// Without its end, nobody knows whether a Bcc follows.
fn check_end(header: Header<'_>) -> Result<(), Error> {
    match header.ends() && header.as_bytes().len() <= LONGEST_HEADER {
        true => Ok(()),
        false => Err(Error::new(ErrorCode::MessageUnreadable, "the header of the message does not end within 1 MiB")),
    }
}

fn is_utf8(header: Header<'_>) -> bool {
    !header.as_bytes().is_ascii() && std::str::from_utf8(header.as_bytes()).is_ok()
}

/// What of the header does not go out.
fn hidden(header: Header<'_>, addressing: &Addressing) -> Vec<Range<usize>> {
    if addressing.keeps_bcc() { Vec::new() } else { header.blind_copies().collect() }
}

/// The file from `offset` on, and how much that is.
fn open_behind(path: &Path, offset: u64) -> io::Result<(File, u64)> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len().saturating_sub(offset);
    file.seek(SeekFrom::Start(offset))?;
    Ok((file, size))
}

fn unreadable(error: &io::Error) -> Error {
    Error::new(ErrorCode::MessageUnreadable, format!("the message can't be read: {}", in_words(error)))
}

/// The words of the system, without its number.
pub(crate) fn in_words(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error ").next().unwrap_or_default();
    words.to_owned()
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Held(_) => "Held",
            Self::File(_) => "File",
            Self::Beheaded { .. } => "Beheaded",
            Self::Once(_) => "Once",
        })
    }
}
