//! For how long the other side is waited for (RFC 5321 §4.5.3.2).

use alloc::format;
use core::time::Duration;

use super::connection::{Connection, Phase};
use super::wire::{Asked, Due};
use crate::error::{Error, ErrorCode, Step, in_words};

/// How long the other side may take for something.
pub(super) struct Patience {
    code: ErrorCode,
    since: Duration,
    timeout: Duration,
    step: Step,
}

impl Patience {
    pub(super) fn end(&self) -> Duration {
        self.since.saturating_add(self.timeout)
    }

    pub(super) fn into_error(self) -> Error {
        let what = match self.code {
            ErrorCode::TimeoutTls => "the TLS handshake did not end",
            ErrorCode::TimeoutWrite => "the server took no bytes",
            _ => "no complete reply came",
        };
        Error::new(self.code, format!("{what} within {}", in_words(self.timeout))).at(self.step)
    }
}

impl Connection {
    /// How long the other side may take for what it has to do now.
    pub(super) fn patience(&self) -> Option<Patience> {
        let timeouts = &self.config.timeouts;
        let step = || self.wire.step().unwrap_or(Step::Content);
        let (code, timeout, step) = match self.phase {
            Phase::Closed(_) | Phase::Created | Phase::Token => return None,
            Phase::Handshake { since } => {
                return Some(Patience {
                    code: ErrorCode::TimeoutTls,
                    since,
                    timeout: timeouts.tls,
                    step: Step::StartTls,
                });
            }
            _ if self.wire.unwritten() > 0 => (ErrorCode::TimeoutWrite, timeouts.write, step()),
            _ => {
                let Due { asked, .. } = self.wire.next_due()?;
                let timeout = match asked {
                    Asked::Greeting => timeouts.greeting,
                    Asked::Hello | Asked::StartTls | Asked::Auth | Asked::Rset | Asked::Command => timeouts.command,
                    Asked::Mail => timeouts.mail,
                    Asked::Rcpt => timeouts.rcpt,
                    Asked::Data => timeouts.data,
                    Asked::Chunk | Asked::Content => timeouts.content,
                    Asked::Quit => timeouts.quit,
                };
                (ErrorCode::TimeoutReply, timeout, asked.step())
            }
        };
        Some(Patience { code, since: self.wire.waiting_since(), timeout, step })
    }
}
