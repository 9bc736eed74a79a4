//! Calls of the host, so that they can be made again, and what came of them.

use std::ops::Range;
use std::time::Duration;

use okuru_core::client::{Closed, Connection, Event, Message, MessageId, Output, Query, TlsInfo};
use okuru_core::sasl::Secret;
use okuru_core::{Error, ErrorCode};

#[derive(Clone, Debug)]
pub(super) enum Call {
    Submit(Box<Message>),
    Abort(MessageId),
    Command(Query),
    Quit,
    Receive(Vec<u8>),
    Eof,
    Written(u64),
    TlsStarted {
        verified: bool,
    },
    Failed(ErrorCode),
    Token(&'static str),
    Content(MessageId, Vec<u8>),
    ContentEnd(MessageId),
    ContentFailed(MessageId),
    DeadlinePassed,
    /// Until there is nothing to do, or content is asked for.
    Poll,
}

/// What the machine says, without what depends on how it is polled and traced.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    Write(Vec<u8>),
    Body(MessageId, Range<u64>),
    Read(MessageId, u64),
    StartTls { verify: bool },
    GetToken,
    Event(Event),
    Wait(Option<Duration>),
    Closed(Closed),
}

impl From<Output> for Seen {
    fn from(output: Output) -> Self {
        match output {
            Output::Write(bytes) => Self::Write(bytes),
            Output::WriteBody { message, range } => Self::Body(message, range),
            Output::ReadBody { message, offset } => Self::Read(message, offset),
            Output::StartTls { server_name, verify } => {
                assert_eq!(server_name, "mail.example");
                Self::StartTls { verify }
            }
            Output::GetToken => Self::GetToken,
            Output::Event(event) => Self::Event(event),
            Output::Wait { deadline } => Self::Wait(deadline),
            Output::Closed(closed) => Self::Closed(closed),
        }
    }
}

impl Seen {
    /// Whether the host is to do something before it polls again.
    pub(super) fn ends_polling(&self) -> bool {
        matches!(self, Self::Wait(_) | Self::Closed(_) | Self::Read(..))
    }
}

/// Makes a call, [`Call::Poll`] excepted.
pub(super) fn make(connection: &mut Connection, now: Duration, call: &Call) {
    match call {
        Call::Submit(message) => {
            connection.submit(Message::clone(message));
        }
        Call::Abort(message) => connection.abort(*message),
        Call::Command(query) => {
            connection.command(query.clone());
        }
        Call::Quit => connection.quit(),
        Call::Receive(bytes) => connection.receive(now, bytes),
        Call::Eof => connection.receive_eof(now),
        Call::Written(octets) => connection.written(now, *octets),
        Call::TlsStarted { verified } => {
            connection.tls_started(now, TlsInfo { verified: *verified, channel_binding: None });
        }
        Call::Failed(code) => connection.failed(Error::new(*code, "the host says so")),
        Call::Token(token) => connection.token(now, Secret::new(*token)),
        Call::Content(message, bytes) => {
            let taken = connection.content(now, *message, bytes);
            assert!(taken <= bytes.len());
        }
        Call::ContentEnd(message) => connection.content_end(now, *message),
        Call::ContentFailed(message) => {
            let error = Error::new(ErrorCode::MessageUnreadable, "the host says so");
            connection.content_failed(*message, &error);
        }
        Call::DeadlinePassed => connection.deadline_passed(now),
        Call::Poll => {}
    }
}

/// How many outputs there may be before a call.
pub(super) const MOST_OUTPUTS: usize = 20_000;

/// Makes all calls again, as they are, on a machine that does not trace.
pub(super) fn again(mut connection: Connection, calls: &[(Duration, Call)]) -> Vec<Seen> {
    let mut seen = Vec::new();
    for (now, call) in calls {
        if !matches!(call, Call::Poll) {
            make(&mut connection, *now, call);
            continue;
        }
        for count in 0.. {
            assert!(count < MOST_OUTPUTS);
            let output = Seen::from(connection.poll(*now));
            let ends = output.ends_polling();
            note(&mut seen, output);
            if ends {
                break;
            }
        }
    }
    seen
}

/// Adds to what was seen; what is written in two parts is one.
pub(super) fn note(seen: &mut Vec<Seen>, output: Seen) {
    match (seen.last_mut(), output) {
        (_, Seen::Event(Event::Trace(_))) => {}
        (Some(Seen::Write(before)), Seen::Write(bytes)) => before.extend(bytes),
        (_, output) => seen.push(output),
    }
}
