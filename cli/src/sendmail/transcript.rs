//! The dialogue, for who wants to see it afterwards (`-X`) or at once (`-v`). Secrets are hidden.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use okuru::{Error, ErrorCode, server};
use okuru_core::syntax::MessageDate;

use crate::exit::{Exit, Failure};
use crate::letter::in_words;
use crate::trace::{Tracer, content};

/// Where the dialogue is told, if anywhere.
pub(super) struct Transcript {
    tell: Option<Tracer>,
}

impl Transcript {
    /// At the end of a file that only its owner can read if it is new, and on standard error if that is wanted.
    pub(super) fn open(path: Option<&Path>, on_stderr: bool) -> Result<Self, Failure> {
        let file = path.map(begin).transpose()?.map(Mutex::new);
        if file.is_none() && !on_stderr {
            return Ok(Self { tell: None });
        }
        let tell: Tracer = Arc::new(move |text| {
            // To send the message is what matters.
            if let Some(file) = &file {
                let _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(text.as_bytes());
            }
            if on_stderr {
                let _ = io::stderr().write_all(text.as_bytes());
            }
        });
        Ok(Self { tell: Some(tell) })
    }

    /// What is told the dialogue with the relay: `C: ` is what we say, `S: ` what it says.
    pub(super) fn tracer(&self) -> Option<&Tracer> {
        self.tell.as_ref()
    }

    /// The dialogue on standard input and output: `< ` is what the client says, `> ` what we say.
    pub(super) fn local(&self, trace: &server::Trace) {
        if let Some(tell) = &self.tell {
            tell(&match trace {
                server::Trace::Received(line) => format!("< {line}\n"),
                server::Trace::ReceivedContent(octets) => format!("< {}\n", content(*octets)),
                server::Trace::Sent(line) => format!("> {line}\n"),
                server::Trace::Tls => "> TLS\n".to_owned(),
            });
        }
    }

    /// Whether anybody wants to know.
    pub(super) fn is_wanted(&self) -> bool {
        self.tell.is_some()
    }
}

fn begin(path: &Path) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = MessageDate::from_unix_seconds(i64::try_from(now).unwrap_or(i64::MAX));
    let begun = options.open(path).and_then(|mut file| file.write_all(format!("-- {now}\n").as_bytes()).map(|()| file));
    begun.map_err(|error| {
        let what = format!("-X: {} can't be written: {}", path.display(), in_words(&error));
        Failure { error: Error::new(ErrorCode::Usage, what), exit: Exit::NoOutput }
    })
}
