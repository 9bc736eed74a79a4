//! What a step says, as Python's values.

use okuru_core::client::{self, MessageId, Trace};
use okuru_core::delivery::dispatcher::Event as Progress;
use okuru_core::delivery::mailer::{Endpoint, Event, Output};
use okuru_core::delivery::stepper::{Piece, Step, Write};
use okuru_core::pop3;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyMemoryView, PySlice, PyTuple};

use crate::catalogue;
use crate::mailer::Letters;
use crate::outcome::Outcome;

/// `(writes, asks, outcomes, events, deadline, goes_on, is_done)`.
pub(crate) fn tell<'py>(py: Python<'py>, step: Step, letters: &mut Letters) -> PyResult<Bound<'py, PyTuple>> {
    let Step { writes, asks, outcomes, events, deadline, goes_on, is_done } = step;
    let writes = several(py, writes, |write| pieces(py, write, letters))?;
    let asks = several(py, asks, |ask| asked(py, ask))?;
    let outcomes = several(py, outcomes, |outcome| ended(py, outcome, letters))?;
    let events = several(py, events, |event| happened(py, event))?;
    let deadline = deadline.map(|deadline| u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX));
    (writes, asks, outcomes, events, deadline, goes_on, is_done).into_pyobject(py)
}

/// A list; the empty tuple where there is nothing, which costs nothing.
fn several<'py, T>(
    py: Python<'py>,
    all: Vec<T>,
    mut tell: impl FnMut(T) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    if all.is_empty() {
        return Ok(PyTuple::empty(py).into_any());
    }
    let list = PyList::empty(py);
    for each in all {
        list.append(tell(each)?)?;
    }
    Ok(list.into_any())
}

/// `(connection, octets, [bytes | memoryview | (message, begin, end)])`.
fn pieces<'py>(py: Python<'py>, write: Write, letters: &Letters) -> PyResult<Bound<'py, PyAny>> {
    let Write { connection, pieces, length } = write;
    let told = PyList::empty(py);
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => told.append(PyBytes::new(py, &bytes))?,
            Piece::Content { message, range } => told.append(part(py, message, range.start, range.end, letters)?)?,
        }
    }
    Ok((connection.0, length, told).into_pyobject(py)?.into_any())
}

/// A view of the content, where that is in memory.
fn part<'py>(
    py: Python<'py>,
    message: MessageId,
    begin: u64,
    end: u64,
    letters: &Letters,
) -> PyResult<Bound<'py, PyAny>> {
    let held = letters.get(&message).and_then(|letter| letter.source.bind(py).cast::<PyBytes>().ok());
    match (held, isize::try_from(begin), isize::try_from(end)) {
        (Some(content), Ok(begin), Ok(end)) => PyMemoryView::from(content)?.get_item(PySlice::new(py, begin, end, 1)),
        _ => Ok((message.0, begin, end).into_pyobject(py)?.into_any()),
    }
}

fn ended<'py>(py: Python<'py>, outcome: client::Outcome, letters: &mut Letters) -> PyResult<Bound<'py, PyAny>> {
    let (call, index) = letters.remove(&outcome.message).map_or((0, 0), |letter| (letter.call, letter.index));
    Ok(Bound::new(py, Outcome::new(outcome, call, index))?.into_any())
}

/// What the host is to do.
fn asked(py: Python<'_>, ask: Output) -> PyResult<Bound<'_, PyAny>> {
    let told = match ask {
        Output::Open { connection, server, endpoint } => match &*endpoint {
            Endpoint::Host { name, port, addresses } => {
                let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                ("open", connection.0, server.as_ref(), name.as_str(), *port, addresses).into_pyobject(py)
            }
            Endpoint::Socket(path) => ("open_path", connection.0, server.as_ref(), path.as_str()).into_pyobject(py),
        },
        Output::StartTls { connection, server_name, verify } => {
            ("start_tls", connection.0, server_name, verify).into_pyobject(py)
        }
        Output::GetToken { connection, server } => ("get_token", connection.0, server.as_ref()).into_pyobject(py),
        Output::Close { connection } => ("close", connection.0).into_pyobject(py),
        Output::Resolve { look_up, query } => {
            ("resolve", look_up.0, query.name.as_str(), query.kind.as_str()).into_pyobject(py)
        }
        Output::ReadBody { connection, message, offset } => ("read", connection.0, message.0, offset).into_pyobject(py),
        // The stepper tells these by other means.
        Output::Write { .. } | Output::WriteBody { .. } | Output::Event(_) | Output::Wait { .. } | Output::Done => {
            ("nothing",).into_pyobject(py)
        }
    };
    Ok(told?.into_any())
}

/// `(kind, about, text)`: what a user may want to know, in words without secrets.
fn happened(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyAny>> {
    let (kind, about, text) = match event {
        Event::Connection { server, event, .. } => match event {
            client::Event::Greeting(reply) => ("greeting", server.to_string(), reply.to_string()),
            client::Event::Authenticated(mechanism) => ("authenticated", server.to_string(), mechanism.to_string()),
            client::Event::PipeliningReduced => ("pipelining_reduced", server.to_string(), String::new()),
            client::Event::Trace(trace) => ("trace", server.to_string(), traced(&trace)),
            client::Event::Ready => ("ready", server.to_string(), String::new()),
            event => ("connection", server.to_string(), connection_words(&event).to_owned()),
        },
        Event::LogIn { server, event, .. } => match event {
            pop3::Event::LoggedIn(method) => ("logged_in", server.to_string(), method.to_string()),
            pop3::Event::Trace(trace) => ("trace", server.to_string(), pop3_traced(&trace)),
            _ => ("log_in", server.to_string(), String::new()),
        },
        Event::Closed { server, closed, .. } => match closed {
            client::Closed::Quit => ("closed", server.to_string(), String::new()),
            client::Closed::Failed(failure) => ("failed", server.to_string(), failure.error.to_string()),
        },
        Event::Sending { message, .. } => ("sending", message.0.to_string(), String::new()),
        Event::Routed(resolution) => ("routed", resolution.domain.to_string(), String::new()),
        Event::Progress(progress) => progressed(progress),
        _ => ("other", String::new(), String::new()),
    };
    Ok((kind, about, text).into_pyobject(py)?.into_any())
}

fn progressed(progress: Progress) -> (&'static str, String, String) {
    match progress {
        Progress::Tried(tried) => {
            let counts = [
                (tried.accepted, "accepted"),
                (tried.deferred, "deferred"),
                (tried.rejected, "rejected"),
                (tried.unknown, "unknown"),
            ];
            let counts: Vec<_> =
                counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
            ("tried", tried.destination.to_string(), counts.join(", "))
        }
        Progress::FellBack { from, to, .. } => ("fell_back", from.to_string(), to.to_string()),
        Progress::Resting { host, failure, .. } => ("resting", host.to_string(), failure.error.to_string()),
        Progress::Recovered { host } => ("recovered", host.to_string(), String::new()),
        Progress::Slowed { host, connections } => ("slowed", host.to_string(), connections.to_string()),
        _ => ("other", String::new(), String::new()),
    }
}

fn connection_words(event: &client::Event) -> &'static str {
    match event {
        client::Event::Capabilities(_) => "capabilities",
        client::Event::Reply { .. } => "reply",
        _ => "",
    }
}

pub(crate) fn traced(trace: &Trace) -> String {
    match trace {
        Trace::Sent(line) => format!("C: {line}"),
        Trace::SentContent(octets) => format!("C: ({octets} octets)"),
        Trace::Received(reply) => format!("S: {reply}"),
        Trace::Tls => "TLS".to_owned(),
    }
}

pub(crate) fn pop3_traced(trace: &pop3::Trace) -> String {
    match trace {
        pop3::Trace::Sent(line) => format!("C: {line}"),
        pop3::Trace::Received(line) => format!("S: {line}"),
        pop3::Trace::Tls => "TLS".to_owned(),
    }
}

/// The exception for why a connection is over; `None` after QUIT.
pub(crate) fn closed<'py>(py: Python<'py>, closed: &client::Closed) -> PyResult<Option<Bound<'py, PyAny>>> {
    match closed {
        client::Closed::Quit => Ok(None),
        client::Closed::Failed(failure) => catalogue::exception(py, &failure.error, failure.reply.as_ref()).map(Some),
    }
}
