//! How the program ends, for those who look at its exit status: sysexits.

use std::process::ExitCode;

use okuru_core::client::{Outcome, State};
use okuru_core::{Error, ErrorCode};

/// How the program ends. Where several things went wrong, the greatest of them counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// EX_OK
    #[default]
    Success,
    /// EX_UNAVAILABLE
    Rejected,
    /// EX_NOUSER
    NoUser,
    /// EX_DATAERR
    BadMessage,
    /// EX_USAGE
    Usage,
    /// EX_NOINPUT
    NoInput,
    /// EX_TEMPFAIL
    Unfinished,
    /// EX_IOERR
    Doubtful,
    /// EX_NOHOST
    NoHost,
    /// EX_PROTOCOL
    Protocol,
    /// EX_NOPERM
    Authentication,
    /// EX_CONFIG
    Configuration,
    /// EX_CANTCREAT
    NoOutput,
    /// EX_OSERR
    System,
    /// EX_SOFTWARE
    Software,
}

impl Exit {
    /// After an error that ended everything.
    pub(crate) fn after(error: &Error) -> Self {
        Self::of_cause(error.code()).unwrap_or(match error.code() {
            ErrorCode::ReplyRejected => Self::Rejected,
            code if code.family() == "address" => Self::Usage,
            _ => Self::Unfinished,
        })
    }

    /// After a message.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let ends = outcome.recipients.iter().map(|recipient| match (recipient.state, recipient.error()) {
            (State::Accepted, _) => Self::Success,
            (state, Some(error)) => Self::of_cause(error.code()).unwrap_or(Self::of_state(state)),
            (state, None) => Self::of_state(state),
        });
        ends.max().unwrap_or_else(|| outcome.error.as_ref().map_or(Self::Rejected, Self::after))
    }

    /// The status that tells more than the outcome of a message does.
    pub(crate) fn of_cause(code: ErrorCode) -> Option<Self> {
        match code {
            ErrorCode::ProtocolClosed => None,
            ErrorCode::SecurityPlaintextCredentials
            | ErrorCode::SecurityServerNotAuthenticated
            | ErrorCode::SecurityChannelBinding => Some(Self::Authentication),
            ErrorCode::LimitReplyLine | ErrorCode::LimitReplyLines | ErrorCode::LimitReplyBytes => Some(Self::Protocol),
            ErrorCode::MessageBareNewline
            | ErrorCode::MessageNoRecipients
            | ErrorCode::MessageNoSender
            | ErrorCode::MessageEmpty
            | ErrorCode::MessageSizeMismatch
            | ErrorCode::MessageUnreadable => Some(Self::BadMessage),
            ErrorCode::TlsConfiguration => Some(Self::Usage),
            ErrorCode::DnsNoSuchHost => Some(Self::NoHost),
            _ => match code.family() {
                "auth" => Some(Self::Authentication),
                "protocol" | "security" | "tls" => Some(Self::Protocol),
                "usage" => Some(Self::Usage),
                _ => None,
            },
        }
    }

    fn of_state(state: State) -> Self {
        match state {
            State::Accepted => Self::Success,
            State::Rejected => Self::Rejected,
            State::Deferred | State::Unknown => Self::Unfinished,
        }
    }

    /// The number (sysexits.h).
    pub(crate) fn status(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Usage => 64,
            Self::BadMessage => 65,
            Self::NoInput => 66,
            Self::NoUser => 67,
            Self::NoHost => 68,
            Self::Rejected => 69,
            Self::Software => 70,
            Self::System => 71,
            Self::NoOutput => 73,
            Self::Doubtful => 74,
            Self::Unfinished => 75,
            Self::Protocol => 76,
            Self::Authentication => 77,
            Self::Configuration => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.status().into()
    }
}

/// Why the program ends, and how.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) exit: Exit,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { exit: Exit::after(&error), error }
    }
}

/// What a user has said can't be meant.
pub(crate) fn usage(what: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    Error::new(ErrorCode::Usage, what).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_the_status_of_its_family() {
        for &code in ErrorCode::ALL {
            let exit = Exit::after(&Error::new(code, "x"));
            let expected = match code.family() {
                "auth" => &[77][..],
                "security" | "protocol" | "tls" | "dns" => &[64, 68, 75, 76, 77],
                "usage" | "address" => &[64],
                "timeout" | "connect" | "cancelled" => &[75],
                "reply" => &[69, 75],
                "message" => &[65, 75],
                _ => &[75, 76],
            };
            assert!(expected.contains(&exit.status()), "{code}: {}", exit.status());
        }
    }

    #[test]
    fn the_order_is_that_of_the_help() {
        let mut all = [
            Exit::Authentication,
            Exit::Protocol,
            Exit::NoHost,
            Exit::Unfinished,
            Exit::Usage,
            Exit::BadMessage,
            Exit::Rejected,
            Exit::Success,
        ];
        assert_eq!(all.map(Exit::status), [77, 76, 68, 75, 64, 65, 69, 0]);
        all.reverse();
        assert!(all.is_sorted());
    }
}
