//! The records that a host gets.
//!
//! | octet | record | values |
//! |---|---|---|
//! | 1 | refused | which of the messages of this step (a count), error: it was not taken, has no number, and no outcome follows |
//! | 2 | write | connection, list of pieces: 0 and bytes, or 1 and message, begin and end of a range of its content |
//! | 3 | open | connection, server (text), then 0, host (text), port (a count), addresses (a list of texts), or 1 and a path (text) |
//! | 4 | start TLS | connection, server name (text), whether it has to verify (flag) |
//! | 5 | get token | connection, server (text) |
//! | 6 | close | connection |
//! | 7 | resolve | look-up, 0 MX, 1 A, 2 AAAA, name (text) |
//! | 8 | read content | connection, message, offset |
//! | 9 | outcome | sized, as `outcome.rs` has it |
//! | 10 | event | sized, as `event.rs` has it |
//! | 11 | wait | deadline in milliseconds or none, flag: one more message is wanted. The last record, or else 12 is |
//! | 12 | done | |
//! | 13 | settings | milliseconds that connecting may take, the address to connect from (optional text). The first record of the first step of a mailer |
//!
//! Messages get their numbers in the order in which they are submitted, from 0, those that are refused left out. Writes come
//! before whatever else there is for the same connection. The writes to one connection may go in one.

use alloc::string::ToString as _;
use okuru_core::Error;
use okuru_core::client::Outcome;
use okuru_core::delivery::mailer::{ConnectionId, Endpoint, Event, Output};
use okuru_core::delivery::route::QueryKind;
use okuru_core::delivery::stepper::{Piece, Write};

use crate::options::ForHost;
use crate::packing::Writer;
use crate::{event, outcome};

pub(crate) fn settings(settings: &ForHost, out: &mut Writer) {
    out.octet(13);
    out.time(Some(settings.connect_timeout));
    out.optional(settings.source_address, |out, address| out.text(&address.to_string()));
}

pub(crate) fn refused(message: usize, error: &Error, out: &mut Writer) {
    out.octet(1);
    out.count(message);
    outcome::pack_error(error, out);
}

pub(crate) fn write(write: &Write, out: &mut Writer) {
    out.octet(2);
    out.whole(write.connection.0);
    out.list(write.pieces.iter(), |out, piece| match piece {
        Piece::Bytes(bytes) => {
            out.octet(0);
            out.bytes(bytes);
        }
        Piece::Content { message, range } => {
            out.octet(1);
            out.whole(message.0);
            out.whole(range.start);
            out.whole(range.end);
        }
    });
}

/// What else there is to be done.
pub(crate) fn ask(ask: &Output, out: &mut Writer) {
    match ask {
        Output::Open { connection, server, endpoint } => open(*connection, server, endpoint, out),
        Output::StartTls { connection, server_name, verify } => start_tls(*connection, server_name, *verify, out),
        Output::GetToken { connection, server } => get_token(*connection, server, out),
        Output::Close { connection } => close(*connection, out),
        Output::Resolve { look_up, query } => {
            out.octet(7);
            out.whole(look_up.0);
            out.octet(match query.kind {
                QueryKind::Mx => 0,
                QueryKind::A => 1,
                QueryKind::Aaaa => 2,
            });
            out.text(query.name.as_str());
        }
        Output::ReadBody { connection, message, offset } => read_content(*connection, message.0, *offset, out),
        // These a step tells by other fields.
        Output::Write { .. } | Output::WriteBody { .. } | Output::Event(_) | Output::Wait { .. } | Output::Done => {}
    }
}

pub(crate) fn open(connection: ConnectionId, server: &str, endpoint: &Endpoint, out: &mut Writer) {
    out.octet(3);
    out.whole(connection.0);
    out.text(server);
    match endpoint {
        Endpoint::Host { name, port, addresses } => {
            out.octet(0);
            out.text(name);
            out.count(usize::from(*port));
            out.list(addresses.iter(), |out, address| out.text(&address.to_string()));
        }
        Endpoint::Socket(path) => {
            out.octet(1);
            out.text(path);
        }
    }
}

pub(crate) fn start_tls(connection: ConnectionId, server_name: &str, verify: bool, out: &mut Writer) {
    out.octet(4);
    out.whole(connection.0);
    out.text(server_name);
    out.flag(verify);
}

pub(crate) fn get_token(connection: ConnectionId, server: &str, out: &mut Writer) {
    out.octet(5);
    out.whole(connection.0);
    out.text(server);
}

pub(crate) fn close(connection: ConnectionId, out: &mut Writer) {
    out.octet(6);
    out.whole(connection.0);
}

pub(crate) fn read_content(connection: ConnectionId, message: u64, offset: u64, out: &mut Writer) {
    out.octet(8);
    out.whole(connection.0);
    out.whole(message);
    out.whole(offset);
}

pub(crate) fn outcome(outcome: &Outcome, out: &mut Writer) {
    out.octet(9);
    out.sized(|out| outcome::pack(outcome, out));
}

pub(crate) fn event(event: &Event, out: &mut Writer) {
    out.octet(10);
    out.sized(|out| event::pack(event, out));
}

pub(crate) fn wait(deadline: Option<core::time::Duration>, wants_message: bool, out: &mut Writer) {
    out.octet(11);
    out.time(deadline);
    out.flag(wants_message);
}

pub(crate) fn done(out: &mut Writer) {
    out.octet(12);
}
