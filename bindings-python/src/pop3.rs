//! A log-in by POP3, for those who bring their own I/O.

use std::time::Duration;

use okuru_core::delivery::mailer::LogIn;
use okuru_core::pop3::{Closed, Connection, Event, Output};
use okuru_core::sasl::Secret;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::catalogue::{self, raised};
use crate::connection::{nanoseconds, tls_info};
use crate::step;

/// A connection to a POP3 server that logs in and quits: POP before SMTP. `server` is
/// `pop3://user:password@host` or `pop3s://`; driven as `Connection` is.
#[pyclass(module = "okuru._okuru")]
pub(crate) struct Pop3Connection {
    machine: Connection,
}

#[pymethods]
impl Pop3Connection {
    #[new]
    #[pyo3(signature = (server, *, nonce, allow_plaintext_auth=false, trace=false))]
    fn new(py: Python<'_>, server: &str, nonce: [u8; 24], allow_plaintext_auth: bool, trace: bool) -> PyResult<Self> {
        let mut config = LogIn::at(server).map_err(|error| raised(py, &error))?.config;
        config.authentication.nonce = nonce;
        config.authentication.dangerously_allow_plaintext = allow_plaintext_auth;
        config.trace = trace;
        Ok(Self { machine: Connection::new(config) })
    }

    /// Bytes have come.
    fn receive(&mut self, now: u64, data: &[u8]) {
        self.machine.receive(Duration::from_nanos(now), data);
    }

    /// The other side has closed.
    fn receive_eof(&mut self, now: u64) {
        self.machine.receive_eof(Duration::from_nanos(now));
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

    /// The moment has come that the last wait named.
    fn deadline_passed(&mut self, now: u64) {
        self.machine.deadline_passed(Duration::from_nanos(now));
    }

    /// What to do next.
    fn poll<'py>(&mut self, py: Python<'py>, now: u64) -> PyResult<Bound<'py, PyAny>> {
        let told = match self.machine.poll(Duration::from_nanos(now)) {
            Output::Write(bytes) => ("write", PyBytes::new(py, &bytes)).into_pyobject(py),
            Output::StartTls { server_name, verify } => ("start_tls", server_name, verify).into_pyobject(py),
            Output::GetToken => ("get_token",).into_pyobject(py),
            Output::Event(Event::LoggedIn(method)) => ("logged_in", method.to_string()).into_pyobject(py),
            Output::Event(Event::Trace(trace)) => ("trace", step::pop3_traced(&trace)).into_pyobject(py),
            Output::Event(Event::Maildrop { messages, octets }) => ("maildrop", messages, octets).into_pyobject(py),
            Output::Event(Event::Capabilities(_)) => ("capabilities",).into_pyobject(py),
            Output::Event(_) => ("greeting",).into_pyobject(py),
            Output::Wait { deadline } => ("wait", deadline.map(nanoseconds)).into_pyobject(py),
            Output::Closed(Closed::Quit) => ("closed", None::<Py<PyAny>>).into_pyobject(py),
            Output::Closed(Closed::Failed(failure)) => {
                ("closed", catalogue::exception(py, &failure.error, None)?).into_pyobject(py)
            }
        };
        Ok(told?.into_any())
    }

    /// Whether it is over.
    #[getter]
    fn is_closed(&self) -> bool {
        self.machine.is_closed()
    }
}
