//! Where something goes wrong, and what is said there.

use core::fmt;
use core::str::FromStr;

use alloc::format;

use crate::error::{Error, ErrorCode};
use crate::syntax::{EnhancedCode, Reply, ReplyCode};

/// Where something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Before the greeting.
    Connect,
    /// At EHLO, HELO or LHLO.
    Ehlo,
    /// At STARTTLS.
    Starttls,
    /// At AUTH.
    Auth,
    /// At MAIL.
    Mail,
    /// At RCPT.
    Rcpt,
    /// At DATA or the first BDAT.
    Data,
    /// When the content is all there.
    Content,
    /// At QUIT.
    Quit,
}

const STAGES: [(&str, Stage); 9] = [
    ("connect", Stage::Connect),
    ("ehlo", Stage::Ehlo),
    ("starttls", Stage::Starttls),
    ("auth", Stage::Auth),
    ("mail", Stage::Mail),
    ("rcpt", Stage::Rcpt),
    ("data", Stage::Data),
    ("content", Stage::Content),
    ("quit", Stage::Quit),
];

impl FromStr for Stage {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = STAGES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let unknown = || Error::new(ErrorCode::Usage, format!("{name:?} is no stage"));
        found.map(|(_, stage)| *stage).ok_or_else(unknown)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = STAGES.iter().find(|(_, stage)| stage == self).map(|(name, _)| *name);
        f.write_str(name.unwrap_or_default())
    }
}

impl Stage {
    /// What is said where this is refused.
    pub(super) fn refusal(self) -> Reply {
        match self {
            Self::Connect => plain(554, "No SMTP service for you here"),
            Self::Ehlo => plain(550, "Not with that name"),
            Self::Starttls => reply(554, 7, 0, "No TLS for you"),
            Self::Auth => reply(535, 7, 8, "Authentication credentials invalid"),
            Self::Rcpt => reply(550, 1, 1, "No such user here"),
            Self::Mail | Self::Data | Self::Content | Self::Quit => {
                reply(554, 7, 1, "Refused, as this sink was told to")
            }
        }
    }

    /// What is said where this is deferred.
    pub(super) fn deferral(self) -> Reply {
        match self {
            Self::Connect => plain(450, "Not now"),
            Self::Ehlo => plain(451, "Not now"),
            Self::Starttls => reply(454, 7, 0, "TLS not available due to temporary reason"),
            Self::Auth => reply(454, 7, 0, "Temporary authentication failure"),
            Self::Rcpt => reply(450, 2, 1, "Mailbox busy, try again later"),
            Self::Mail | Self::Data | Self::Content | Self::Quit => {
                reply(451, 7, 1, "Deferred, as this sink was told to")
            }
        }
    }
}

/// A reply with an enhanced code of the same class.
pub(super) fn reply(code: u16, subject: u16, detail: u16, text: &str) -> Reply {
    let class = u8::try_from(code / 100).unwrap_or(4);
    Reply::new(reply_code(code), Some(EnhancedCode { class, subject, detail }), text)
}

fn plain(code: u16, text: &str) -> Reply {
    Reply::new(reply_code(code), None, text)
}

fn reply_code(code: u16) -> ReplyCode {
    ReplyCode::new(code).expect("each caller names a code from 200 to 599")
}
