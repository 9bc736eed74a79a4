//! One connection to a server, for those who bring their own I/O.

use std::time::Duration;

use okuru_core::client::{self, Config, Event, MessageId, Output, Protocol, Query, Tls, TlsInfo};
use okuru_core::delivery::mailer::Server;
use okuru_core::options::MailerOptions;
use okuru_core::sasl::{ChannelBinding, ChannelBindingKind, Secret};
use okuru_core::syntax::{self, Capabilities};
use okuru_core::{Error, ErrorCode};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::catalogue::{self, raised};
use crate::message::Message;
use crate::outcome::Outcome;
use crate::reply::Reply;
use crate::{step, value};

/// One connection to a server over a transport that has just been opened.
///
/// Hand in what has come, then call `poll` until it gives `("wait", deadline)`, doing what each output says. `server` is a URL;
/// the options are those of `okuru.Client`. `nonce` are 24 random bytes, used once.
#[pyclass(module = "okuru._okuru")]
pub(crate) struct Connection {
    machine: client::Connection,
}

#[pymethods]
impl Connection {
    #[new]
    #[pyo3(signature = (server, *, nonce, **options))]
    fn new(py: Python<'_>, server: &str, nonce: [u8; 24], options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let server = only_server(server, value::options(options)?).map_err(|error| raised(py, &error))?;
        let mut config = server.client;
        if let Some(authentication) = &mut config.authentication {
            authentication.nonce = nonce;
        }
        Ok(Self { machine: client::Connection::new(config) })
    }

    /// A connection that somebody else has opened, with nothing due: ready at once. `offered` are the keywords of the last
    /// EHLO, each with the words behind it.
    #[staticmethod]
    #[pyo3(signature = (server_name, offered, *, lmtp=false, verified_tls=false))]
    fn adopt(
        py: Python<'_>,
        server_name: &str,
        offered: Vec<(String, String)>,
        lmtp: bool,
        verified_tls: bool,
    ) -> PyResult<Self> {
        let lines = offered.into_iter().map(|(keyword, words)| format!("250-{keyword} {words}\r\n"));
        let hello =
            lines.chain(["250 HELP\r\n".to_owned()]).fold("250-adopted\r\n".to_owned(), |all, line| all + &line);
        let hello = syntax::Reply::parse(hello.as_bytes()).map_err(|error| raised(py, &error))?;
        // Nobody says EHLO any more.
        let ehlo = "localhost".parse().map_err(|error| raised(py, &error))?;
        let protocol = if lmtp { Protocol::Lmtp } else { Protocol::Smtp };
        let config = Config { tls: Tls::None, protocol, ..Config::new(server_name, ehlo) };
        let tls = verified_tls.then(|| tls_info(true, None));
        Ok(Self { machine: client::Connection::adopt(config, Capabilities::from_reply(&hello), tls) })
    }

    /// Takes a message; it ends by exactly one `finished`. Gives its number.
    fn submit(&mut self, py: Python<'_>, now: u64, message: &Bound<'_, Message>) -> PyResult<u64> {
        let message = message.get().for_core(py, None, Duration::from_nanos(now));
        Ok(self.machine.submit(message.map_err(|error| raised(py, &error))?).0)
    }

    /// The user cancels a message.
    fn abort(&mut self, message: u64) {
        self.machine.abort(MessageId(message));
    }

    /// Sends NOOP, RSET, VRFY, EXPN or HELP between messages. Gives its number, which the `reply` carries.
    #[pyo3(signature = (verb, argument=None))]
    fn command(&mut self, py: Python<'_>, verb: &str, argument: Option<&str>) -> PyResult<u64> {
        let query = query(verb, argument).map_err(|error| raised(py, &error))?;
        Ok(self.machine.command(query))
    }

    /// Quits once all that was submitted has ended.
    fn quit(&mut self) {
        self.machine.quit();
    }

    /// Bytes have come.
    fn receive(&mut self, now: u64, data: &[u8]) {
        self.machine.receive(Duration::from_nanos(now), data);
    }

    /// The other side has closed.
    fn receive_eof(&mut self, now: u64) {
        self.machine.receive_eof(Duration::from_nanos(now));
    }

    /// So many octets have been handed to the network.
    fn written(&mut self, now: u64, octets: u64) {
        self.machine.written(Duration::from_nanos(now), octets);
    }

    /// TLS is there.
    #[pyo3(signature = (now, verified, channel_binding=None))]
    fn tls_started(&mut self, now: u64, verified: bool, channel_binding: Option<(String, Vec<u8>)>) {
        self.machine.tls_started(Duration::from_nanos(now), tls_info(verified, channel_binding));
    }

    /// The token that was asked for.
    fn token(&mut self, now: u64, token: &str) {
        self.machine.token(Duration::from_nanos(now), Secret::from(token));
    }

    /// The transport broke, TLS could not be made, or no token could be had.
    fn failed(&mut self, code: &str, what: &str) {
        self.machine.failed(catalogue::error(code, what));
    }

    /// Content that was asked for. Says how many octets were taken.
    fn content(&mut self, now: u64, message: u64, chunk: &[u8]) -> usize {
        self.machine.content(Duration::from_nanos(now), MessageId(message), chunk)
    }

    /// The content of a message has ended.
    fn content_end(&mut self, now: u64, message: u64) {
        self.machine.content_end(Duration::from_nanos(now), MessageId(message));
    }

    /// The content of a message could not be read.
    fn content_failed(&mut self, message: u64, code: &str, what: &str) {
        self.machine.content_failed(MessageId(message), &catalogue::error(code, what));
    }

    /// The moment has come that the last wait named.
    fn deadline_passed(&mut self, now: u64) {
        self.machine.deadline_passed(Duration::from_nanos(now));
    }

    /// What to do next: see `_okuru.pyi` for each.
    fn poll<'py>(&mut self, py: Python<'py>, now: u64) -> PyResult<Bound<'py, PyAny>> {
        let told = match self.machine.poll(Duration::from_nanos(now)) {
            Output::Write(bytes) => ("write", PyBytes::new(py, &bytes)).into_pyobject(py),
            Output::WriteBody { message, range } => ("write_body", message.0, range.start, range.end).into_pyobject(py),
            Output::ReadBody { message, offset } => ("read_body", message.0, offset).into_pyobject(py),
            Output::StartTls { server_name, verify } => ("start_tls", server_name, verify).into_pyobject(py),
            Output::GetToken => ("get_token",).into_pyobject(py),
            Output::Event(event) => return happened(py, event),
            Output::Wait { deadline } => ("wait", deadline.map(nanoseconds)).into_pyobject(py),
            Output::Closed(closed) => ("closed", step::closed(py, &closed)?).into_pyobject(py),
        };
        Ok(told?.into_any())
    }

    /// Whether one more message now would keep the connection from waiting.
    #[getter]
    fn wants_message(&self) -> bool {
        self.machine.wants_message()
    }

    /// Whether messages can be sent.
    #[getter]
    fn is_ready(&self) -> bool {
        self.machine.is_ready()
    }

    /// Whether it is ready and nothing is under way.
    #[getter]
    fn is_idle(&self) -> bool {
        self.machine.is_idle()
    }

    /// Whether it is over.
    #[getter]
    fn is_closed(&self) -> bool {
        self.machine.is_closed()
    }

    fn __repr__(&self) -> String {
        let state = match (self.machine.is_closed(), self.machine.is_ready()) {
            (true, _) => "closed",
            (false, true) => "ready",
            (false, false) => "opening",
        };
        format!("<Connection {state}>")
    }
}

/// The one server that these options describe, with our name.
pub(crate) fn only_server(url: &str, mut options: Vec<(String, okuru_core::options::Value)>) -> Result<Server, Error> {
    options.push(("server".to_owned(), url.into()));
    let mut servers = MailerOptions::new(options)?.settings()?.mailer.servers;
    let mut server = servers.pop().ok_or_else(|| Error::new(ErrorCode::Usage, "no server was named"))?;
    if let Some(ehlo) = server.ehlo.clone() {
        server.client.ehlo = ehlo;
    }
    Ok(server)
}

pub(crate) fn tls_info(verified: bool, channel_binding: Option<(String, Vec<u8>)>) -> TlsInfo {
    let kinds = [ChannelBindingKind::TlsExporter, ChannelBindingKind::TlsServerEndPoint, ChannelBindingKind::TlsUnique];
    let channel_binding = channel_binding.and_then(|(name, data)| {
        let kind = kinds.into_iter().find(|kind| kind.name() == name)?;
        Some(ChannelBinding::new(kind, data))
    });
    TlsInfo { verified, channel_binding }
}

pub(crate) fn nanoseconds(deadline: Duration) -> u64 {
    u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX)
}

fn query(verb: &str, argument: Option<&str>) -> Result<Query, Error> {
    let argument = argument.map(str::parse).transpose()?;
    match (verb.to_ascii_uppercase().as_str(), argument) {
        ("NOOP", None) => Ok(Query::Noop),
        ("RSET", None) => Ok(Query::Rset),
        ("VRFY", Some(argument)) => Ok(Query::Vrfy(argument)),
        ("EXPN", Some(argument)) => Ok(Query::Expn(argument)),
        ("HELP", argument) => Ok(Query::Help(argument)),
        _ => Err(Error::new(ErrorCode::Usage, "NOOP, RSET, VRFY with an argument, EXPN with one or HELP is wanted")),
    }
}

fn happened(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyAny>> {
    let told = match event {
        Event::Greeting(reply) => ("greeting", Reply(reply)).into_pyobject(py),
        Event::Capabilities(_) => ("capabilities",).into_pyobject(py),
        Event::Authenticated(mechanism) => ("authenticated", mechanism.to_string()).into_pyobject(py),
        Event::Ready => ("ready",).into_pyobject(py),
        Event::Finished(outcome) => {
            let index = outcome.message.0;
            ("finished", Bound::new(py, Outcome::new(outcome, 0, index))?).into_pyobject(py)
        }
        Event::Reply { id, reply } => ("reply", id, Reply(reply)).into_pyobject(py),
        Event::PipeliningReduced => ("pipelining_reduced",).into_pyobject(py),
        Event::Trace(trace) => ("trace", step::traced(&trace)).into_pyobject(py),
        _ => ("other",).into_pyobject(py),
    };
    Ok(told?.into_any())
}
