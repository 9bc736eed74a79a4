//! What a user may want to know, packed: a name (text), and fields until the end, each a name (text) and a value.
//!
//! A value begins with an octet: 0 text, 1 number, 2 flag, 3 reply, 4 error, 5 sized texts, 6 sized numbers, 7 time: milliseconds
//! or none.

use alloc::string::ToString as _;
use alloc::vec::Vec;
use okuru_core::client::{Closed, Event as OnConnection, Trace};
use okuru_core::delivery::dispatcher::Event as Progress;
use okuru_core::delivery::mailer::{ConnectionId, Event};
use okuru_core::syntax::Reply;
use okuru_core::{Error, pop3};

use crate::outcome::{pack_error, pack_reply};
use crate::packing::Writer;

pub(crate) fn pack(event: &Event, out: &mut Writer) {
    match event {
        // An outcome has a record of its own.
        Event::Finished(_) => out.text("finished"),
        Event::Sending { connection, message, recipients } => {
            out.text("sending");
            number("connection", connection.0, out);
            number("message", message.0, out);
            numbers("recipients", recipients.iter().copied(), out);
        }
        Event::Progress(progress) => pack_progress(progress, out),
        Event::Routed(resolution) => {
            out.text("routed");
            text("domain", resolution.domain.as_str(), out);
            text("verdict", resolution.verdict.as_str(), out);
            text("reason", &resolution.reason, out);
            texts("hosts", resolution.hosts().iter().map(|host| host.name.as_str()), out);
        }
        Event::Connection { connection, server, event } => {
            on_connection(event, out);
            place(*connection, server, out);
        }
        Event::LogIn { connection, server, event } => {
            on_log_in(event, out);
            place(*connection, server, out);
        }
        Event::Closed { connection, server, closed } => {
            out.text("closed");
            if let Closed::Failed(failure) = closed {
                error("error", &failure.error, out);
                if let Some(words) = &failure.reply {
                    reply("reply", words, out);
                }
            }
            place(*connection, server, out);
        }
        _ => out.text("other"),
    }
}

fn pack_progress(progress: &Progress, out: &mut Writer) {
    match progress {
        Progress::Tried(tried) => {
            out.text("tried");
            number("message", tried.message.0, out);
            text("destination", &tried.destination, out);
            if let Some(host) = &tried.host {
                text("server", host, out);
            }
            number("attempt", tried.attempt.into(), out);
            numbers("recipients", tried.recipients.iter().map(|(place, _)| *place), out);
            texts("states", tried.recipients.iter().map(|(_, state)| state.to_string()), out);
            time("again", tried.again, out);
            flag("greylisted", tried.greylisted, out);
        }
        Progress::FellBack { message, from, to } => {
            out.text("fell-back");
            number("message", message.0, out);
            text("from", from, out);
            text("to", to, out);
        }
        Progress::Resting { host, failure, until } => {
            out.text("resting");
            text("server", host, out);
            error("error", &failure.error, out);
            time("until", Some(*until), out);
        }
        Progress::Recovered { host } => {
            out.text("recovered");
            text("server", host, out);
        }
        Progress::Slowed { host, connections } => {
            out.text("slowed");
            text("server", host, out);
            number("connections", (*connections).into(), out);
        }
        _ => out.text("other"),
    }
}

fn on_connection(event: &OnConnection, out: &mut Writer) {
    match event {
        OnConnection::Greeting(greeting) => {
            out.text("greeting");
            reply("reply", greeting, out);
        }
        OnConnection::Capabilities(capabilities) => {
            out.text("capabilities");
            text("name", capabilities.server_name(), out);
            let lines = capabilities.keywords().map(|keyword| {
                let words: Vec<&str> = core::iter::once(keyword.name()).chain(keyword.parameters()).collect();
                words.join(" ")
            });
            texts("keywords", lines, out);
        }
        OnConnection::Authenticated(mechanism) => {
            out.text("authenticated");
            text("mechanism", mechanism.name(), out);
        }
        OnConnection::Ready => out.text("ready"),
        OnConnection::Reply { id, reply: words } => {
            out.text("reply");
            number("command", *id, out);
            reply("reply", words, out);
        }
        OnConnection::PipeliningReduced => out.text("pipelining-reduced"),
        OnConnection::Trace(trace) => match trace {
            Trace::Sent(line) => traced("sent", line, out),
            Trace::SentContent(octets) => {
                out.text("trace");
                text("kind", "content", out);
                number("octets", *octets, out);
            }
            Trace::Received(words) => {
                out.text("trace");
                text("kind", "received", out);
                reply("reply", words, out);
            }
            Trace::Tls => traced("tls", "", out),
        },
        _ => out.text("other"),
    }
}

fn on_log_in(event: &pop3::Event, out: &mut Writer) {
    match event {
        pop3::Event::LoggedIn(method) => {
            out.text("logged-in");
            text("method", &method.to_string(), out);
        }
        pop3::Event::Trace(trace) => match trace {
            pop3::Trace::Sent(line) => traced("sent", line, out),
            pop3::Trace::Received(line) => traced("received", line, out),
            pop3::Trace::Tls => traced("tls", "", out),
        },
        _ => out.text("other"),
    }
}

fn place(connection: ConnectionId, server: &str, out: &mut Writer) {
    number("connection", connection.0, out);
    text("server", server, out);
}

fn traced(kind: &str, line: &str, out: &mut Writer) {
    out.text("trace");
    text("kind", kind, out);
    text("line", line, out);
}

fn text(name: &str, value: &str, out: &mut Writer) {
    field(name, 0, out);
    out.text(value);
}

fn number(name: &str, value: u64, out: &mut Writer) {
    field(name, 1, out);
    out.whole(value);
}

fn flag(name: &str, value: bool, out: &mut Writer) {
    field(name, 2, out);
    out.flag(value);
}

fn reply(name: &str, value: &Reply, out: &mut Writer) {
    field(name, 3, out);
    pack_reply(value, out);
}

fn error(name: &str, value: &Error, out: &mut Writer) {
    field(name, 4, out);
    pack_error(value, out);
}

fn texts(name: &str, values: impl Iterator<Item = impl AsRef<str>>, out: &mut Writer) {
    field(name, 5, out);
    out.sized(|out| values.for_each(|value| out.text(value.as_ref())));
}

fn numbers(name: &str, values: impl Iterator<Item = u32>, out: &mut Writer) {
    field(name, 6, out);
    out.sized(|out| values.for_each(|value| out.whole(value.into())));
}

fn time(name: &str, value: Option<core::time::Duration>, out: &mut Writer) {
    field(name, 7, out);
    out.time(value);
}

fn field(name: &str, kind: u8, out: &mut Writer) {
    out.text(name);
    out.octet(kind);
}
