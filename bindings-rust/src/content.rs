//! The content of a message, wherever it comes from.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::PathBuf;
#[cfg(feature = "tokio")]
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use okuru_core::syntax::Inspection;
#[cfg(feature = "tokio")]
use tokio::io::AsyncRead;

/// The content of a message: header, empty line and body, as RFC 5322 has them.
///
/// It is made from what is in memory already by [`From`], and is then not copied. What is not canonical (a bare CR or LF)
/// is mended on the way, see [`Newlines`](crate::Newlines). Nothing else is changed. A line of more than 998 octets for instance goes
/// out as it is: most servers take it, though they need not (RFC 5321 §4.5.3.1.6), and nothing but encoding the message could mend it.
#[derive(Debug)]
pub struct Content(pub(crate) Source);

#[derive(Debug)]
pub(crate) enum Source {
    Held(Bytes, Inspection),
    /// Not opened yet.
    File(PathBuf),
    Stream {
        reader: Reader,
        size: Option<u64>,
    },
}

pub(crate) enum Reader {
    File(File),
    Blocking(Box<dyn Read + Send>),
    /// What can be had again and again, and what of it is being read.
    Again(Arc<dyn Open>, Option<Box<dyn Read + Send>>),
    #[cfg(feature = "tokio")]
    Async(Pin<Box<dyn AsyncRead + Send>>),
    /// It is with the driver, which reads.
    Lent,
}

/// Makes a reader that gives a content from its beginning.
pub(crate) trait Open: Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync {}

impl<F: Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync> Open for F {}

/// A file of at most this size is read as a whole, so that what it needs is known before it is sent.
const MOST_HELD: u64 = 1 << 20;

impl Content {
    /// The file at `path`. It is opened when its turn comes; a large one is never in memory as a whole.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::File(path.into()))
    }

    /// What `reader` gives, up to its end. With a `size` (in octets) a server can refuse what is too large before it is
    /// sent; content that then turns out to have another size is not sent.
    ///
    /// The tokio client reads it on a thread for blocking work.
    pub fn reader(reader: impl Read + Send + 'static, size: Option<u64>) -> Self {
        Self(Source::Stream { reader: Reader::Blocking(Box::new(reader)), size })
    }

    /// What the reader gives that `open` makes, up to its end; `size` as for [`reader`](Self::reader). Since `open` can be
    /// called again, and then has to give the same, the message can be sent again: to the recipients that were too many for
    /// one transaction, or over another session.
    ///
    /// The tokio client opens and reads on a thread for blocking work.
    ///
    /// ```
    /// use std::io::{Cursor, Read as _};
    ///
    /// let header = "Subject: the log\r\n\r\n";
    /// let log = move || Ok(Cursor::new(header).chain(std::fs::File::open("/var/log/all")?));
    /// let content = okuru::Content::reopened(log, None);
    /// ```
    pub fn reopened<R: Read + Send + 'static>(
        open: impl Fn() -> io::Result<R> + Send + Sync + 'static,
        size: Option<u64>,
    ) -> Self {
        let open = move || open().map(|reader| Box::new(reader) as Box<dyn Read + Send>);
        Self(Source::Stream { reader: Reader::Again(Arc::new(open), None), size })
    }

    /// What `reader` gives, up to its end; `size` as for [`reader`](Self::reader). Only for the tokio client.
    #[cfg(feature = "tokio")]
    pub fn async_reader(reader: impl AsyncRead + Send + 'static, size: Option<u64>) -> Self {
        Self(Source::Stream { reader: Reader::Async(Box::pin(reader)), size })
    }

    /// The same content once more, if it is in memory, a file or [reopened](Self::reopened). What is in memory is shared, and not looked at again.
    pub fn try_clone(&self) -> Option<Self> {
        match &self.0 {
            Source::Held(content, inspection) => Some(Self(Source::Held(content.clone(), *inspection))),
            Source::File(path) => Some(Self(Source::File(path.clone()))),
            Source::Stream { reader: Reader::Again(open, _), size } => {
                Some(Self(Source::Stream { reader: Reader::Again(Arc::clone(open), None), size: *size }))
            }
            Source::Stream { .. } => None,
        }
    }

    /// Whether it is a file, which has to be opened first.
    #[cfg(any(feature = "tokio", test))]
    pub(crate) fn is_closed_file(&self) -> bool {
        matches!(self.0, Source::File(_))
    }

    /// Opens the file, if it is one. This blocks.
    pub(crate) fn open(&mut self) -> io::Result<()> {
        if let Source::File(path) = &self.0 {
            *self = Self::from_file(File::open(path)?)?;
        }
        Ok(())
    }

    fn from_file(mut file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !metadata.is_file() {
            return Ok(Self::reader(file, None));
        }
        if metadata.len() > MOST_HELD {
            return Ok(Self(Source::Stream { reader: Reader::File(file), size: Some(metadata.len()) }));
        }
        let mut content = Vec::with_capacity(metadata.len() as usize);
        file.read_to_end(&mut content)?;
        Ok(content.into())
    }
}

impl From<Bytes> for Content {
    fn from(content: Bytes) -> Self {
        let inspection = Inspection::of(&content);
        Self(Source::Held(content, inspection))
    }
}

impl From<Vec<u8>> for Content {
    fn from(content: Vec<u8>) -> Self {
        Bytes::from(content).into()
    }
}

impl From<String> for Content {
    fn from(content: String) -> Self {
        Bytes::from(content).into()
    }
}

impl From<&'static [u8]> for Content {
    fn from(content: &'static [u8]) -> Self {
        Bytes::from_static(content).into()
    }
}

impl<const N: usize> From<&'static [u8; N]> for Content {
    fn from(content: &'static [u8; N]) -> Self {
        Bytes::from_static(content).into()
    }
}

impl From<&'static str> for Content {
    fn from(content: &'static str) -> Self {
        Bytes::from_static(content.as_bytes()).into()
    }
}

impl Reader {
    /// Whether it can be read again from its beginning.
    pub(crate) fn is_rewindable(&self) -> bool {
        matches!(self, Self::File(_) | Self::Again(..))
    }

    /// Reads where the last read ended, or from the beginning. This blocks.
    pub(crate) fn read(&mut self, rewind: bool, buffer: &mut [u8]) -> io::Result<usize> {
        let read = |reader: &mut dyn Read, buffer: &mut [u8]| loop {
            match reader.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        };
        match self {
            Self::File(file) => {
                if rewind {
                    file.seek(SeekFrom::Start(0))?;
                }
                read(file, buffer)
            }
            Self::Lent => Ok(0),
            Self::Again(open, reader) => {
                if rewind {
                    *reader = None;
                }
                let reader = match reader {
                    Some(reader) => reader,
                    None => reader.insert(open()?),
                };
                read(reader, buffer)
            }
            Self::Blocking(_) if rewind => Err(io::ErrorKind::NotSeekable.into()),
            Self::Blocking(reader) => read(reader, buffer),
            #[cfg(feature = "tokio")]
            Self::Async(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "an AsyncRead needs the tokio client")),
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8]) -> (tempfile::NamedTempFile, Content) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let content = Content::file(file.path());
        (file, content)
    }

    #[test]
    fn small_files_are_held_and_large_ones_are_not() {
        let (_file, mut content) = file(b"Subject: x\r\n\r\n");
        assert!(content.is_closed_file());
        content.open().unwrap();
        assert!(matches!(&content.0, Source::Held(bytes, _) if bytes == "Subject: x\r\n\r\n"));

        let large = vec![b'x'; MOST_HELD as usize + 1];
        let (_file, mut content) = file(&large);
        content.open().unwrap();
        let Content(Source::Stream { mut reader, size }) = content else {
            panic!("a large file is held");
        };
        assert_eq!(size, Some(MOST_HELD + 1));
        assert!(reader.is_rewindable());
        let mut buffer = vec![0; large.len()];
        assert_eq!(reader.read(false, &mut buffer).unwrap(), large.len());
        assert_eq!(reader.read(false, &mut buffer).unwrap(), 0);
        assert_eq!(reader.read(true, &mut buffer).unwrap(), large.len());
        assert!(buffer == large);
    }

    #[test]
    fn what_is_no_file_can_not_be_opened() {
        assert_eq!(Content::file("/nonexistent/x.eml").open().unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(Content::file("/").open().unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }

    #[test]
    fn what_can_be_reopened_is_read_again() {
        let content = Content::reopened(|| Ok(b"abc".chain(&b"def"[..])), Some(6));
        for content in [content.try_clone().unwrap(), content] {
            let Content(Source::Stream { mut reader, size: Some(6) }) = content else {
                panic!("what is reopened is a stream");
            };
            assert!(reader.is_rewindable());
            let mut buffer = [0; 8];
            for rewind in [false, true] {
                assert_eq!(reader.read(rewind, &mut buffer).unwrap(), 3);
                assert_eq!(reader.read(false, &mut buffer[3..]).unwrap(), 3);
                assert_eq!(reader.read(false, &mut buffer[6..]).unwrap(), 0);
                assert_eq!(&buffer[..6], b"abcdef");
            }
        }
    }

    #[test]
    fn a_reader_is_read_once() {
        let Content(Source::Stream { mut reader, .. }) = Content::reader(&b"abc"[..], None) else {
            panic!("a reader is a stream");
        };
        let mut buffer = [0; 8];
        assert_eq!(reader.read(false, &mut buffer).unwrap(), 3);
        assert!(!reader.is_rewindable() && reader.read(true, &mut buffer).is_err());
    }
}
