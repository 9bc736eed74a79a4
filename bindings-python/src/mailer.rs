//! The mailer of the core, in few calls.

use std::collections::HashMap;
use std::time::Duration;

use okuru_core::client::MessageId;
use okuru_core::delivery::mailer::{self as core, ConnectionId, LookUpId, Opened};
use okuru_core::delivery::route::{Answer, Exchange, Records};
use okuru_core::delivery::{Mailer as Machine, Stepper};
use okuru_core::options::{MailerOptions, MessageOptions};
use okuru_core::sasl::Secret;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyTuple};

use crate::catalogue::{self, raised};
use crate::message::Message;
use crate::{connection, step, value};

/// Messages in, outcomes out: dispatcher, routes and connections as one machine.
///
/// It does nothing by itself. What it wants done is in what `step` gives; what came of that is handed in by the other methods,
/// and told by the next step.
#[pyclass(module = "okuru._okuru")]
pub(crate) struct Mailer {
    stepper: Stepper<PyBackedBytes>,
    /// Those that have not ended.
    letters: Letters,
    /// What is said of all messages, if anything is.
    usual: Option<MessageOptions>,
    connect_timeout: Duration,
    source_address: Option<String>,
}

pub(crate) type Letters = HashMap<MessageId, Letter>;

/// A message that has not ended.
pub(crate) struct Letter {
    pub(crate) call: u64,
    pub(crate) index: u64,
    /// What its content is taken from.
    pub(crate) source: Py<PyAny>,
}

#[pymethods]
impl Mailer {
    /// The options are those of `okuru.Mailer`, but for what only Python knows. `seed` is random.
    #[new]
    #[pyo3(signature = (*, seed, host_name="", **options))]
    fn new(py: Python<'_>, seed: u64, host_name: &str, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let options = value::options(options)?;
        let says_of_messages = options.iter().any(|option| MessageOptions::default().with([option.clone()]).is_ok());
        let settings = MailerOptions::new(options).and_then(MailerOptions::settings);
        let settings = settings.map_err(|error| raised(py, &error))?;
        let config = core::Config { host_name: host_name.to_owned(), ..settings.mailer };
        Ok(Self {
            stepper: Stepper::new(Machine::new(config, seed)),
            letters: HashMap::new(),
            usual: says_of_messages.then_some(settings.message),
            connect_timeout: settings.connect_timeout,
            source_address: settings.source_address.map(|address| address.to_string()),
        })
    }

    /// How long connecting may take, in seconds.
    #[getter]
    fn connect_timeout(&self) -> f64 {
        self.connect_timeout.as_secs_f64()
    }

    /// Where connections are to come from.
    #[getter]
    fn source_address(&self) -> Option<&str> {
        self.source_address.as_deref()
    }

    /// Whether one more message would keep the connections busy.
    #[getter]
    fn wants_message(&mut self) -> bool {
        self.stepper.mailer().wants_message()
    }

    /// Whether steps tell events.
    fn observe(&mut self, is_observed: bool) {
        self.stepper.observe(is_observed);
    }

    /// Takes messages of an iterator while they are wanted, `most` of them at most, as those of `call` from `index` on. Says
    /// how many were taken, and whether that was the end of them.
    fn submit<'py>(
        &mut self,
        py: Python<'py>,
        now: u64,
        call: u64,
        index: u64,
        messages: &Bound<'py, PyIterator>,
        most: u64,
    ) -> PyResult<(u64, bool)> {
        let now = Duration::from_nanos(now);
        let mut taken = 0;
        while taken < most && self.stepper.mailer().wants_message() {
            let Some(message) = messages.clone().next() else {
                return Ok((taken, true));
            };
            let message = message?;
            let message = message.cast::<Message>()?.get();
            let core = message.for_core(py, self.usual.as_ref(), now).map_err(|error| raised(py, &error))?;
            let submitted = self.stepper.submit(now, core, message.held(py));
            let id = submitted.map_err(|error| raised(py, &error))?;
            self.letters.insert(id, Letter { call, index: index + taken, source: message.source(py) });
            taken += 1;
        }
        Ok((taken, false))
    }

    /// Cancels what has not ended of a call.
    fn cancel(&mut self, now: u64, call: u64) {
        let mut messages: Vec<_> =
            self.letters.iter().filter(|(_, letter)| letter.call == call).map(|(message, _)| *message).collect();
        messages.sort_unstable();
        for message in messages {
            self.stepper.mailer().cancel(Duration::from_nanos(now), message);
        }
    }

    /// There will be no more messages: what is there is sent, then all is closed.
    fn finish(&mut self) {
        self.stepper.mailer().finish();
    }

    /// No message is begun any more: what is on its way is finished, the rest deferred, then all is closed.
    fn stop(&mut self) {
        self.stepper.mailer().stop();
    }

    /// So many octets have been written to a connection, then this has come from it: what is to be done now?
    ///
    /// Gives `(writes, asks, outcomes, events, deadline, goes_on, is_done)`: see `_okuru.pyi`.
    #[pyo3(signature = (now, connection=0, written=0, data=None))]
    fn step<'py>(
        &mut self,
        py: Python<'py>,
        now: u64,
        connection: u64,
        written: u64,
        data: Option<&[u8]>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let now = Duration::from_nanos(now);
        let connection = ConnectionId(connection);
        if written > 0 {
            self.stepper.mailer().written(now, connection, written);
        }
        if let Some(data) = data {
            self.stepper.mailer().receive(now, connection, data);
        }
        let step = self.stepper.step(now);
        step::tell(py, step, &mut self.letters)
    }

    /// The deadline of the last step has come.
    fn deadline_passed(&mut self, now: u64) {
        self.stepper.mailer().deadline_passed(Duration::from_nanos(now));
    }

    /// A connection that was asked for is there, from this address. `nonce` are 24 random bytes.
    #[pyo3(signature = (now, connection, nonce, local=None))]
    fn opened(&mut self, now: u64, connection: u64, nonce: [u8; 24], local: Option<&str>) {
        let opened = Opened { local: local.and_then(|address| address.parse().ok()), nonce };
        self.stepper.mailer().opened(Duration::from_nanos(now), ConnectionId(connection), &opened);
    }

    /// A connection could not be opened, or broke; TLS could not be made, or no token could be had.
    fn failed(&mut self, now: u64, connection: u64, code: &str, what: &str) {
        let error = catalogue::error(code, what);
        self.stepper.mailer().failed(Duration::from_nanos(now), ConnectionId(connection), error);
    }

    /// Bytes have come from a connection.
    fn receive(&mut self, now: u64, connection: u64, data: &[u8]) {
        self.stepper.mailer().receive(Duration::from_nanos(now), ConnectionId(connection), data);
    }

    /// So many octets have been handed to the network.
    fn written(&mut self, now: u64, connection: u64, octets: u64) {
        self.stepper.mailer().written(Duration::from_nanos(now), ConnectionId(connection), octets);
    }

    /// The other side has closed.
    fn receive_eof(&mut self, now: u64, connection: u64) {
        self.stepper.mailer().receive_eof(Duration::from_nanos(now), ConnectionId(connection));
    }

    /// TLS is there; with what ties an authentication to it, if that is known.
    #[pyo3(signature = (now, connection, verified, channel_binding=None))]
    fn tls_started(&mut self, now: u64, connection: u64, verified: bool, channel_binding: Option<(String, Vec<u8>)>) {
        let info = connection::tls_info(verified, channel_binding);
        self.stepper.mailer().tls_started(Duration::from_nanos(now), ConnectionId(connection), info);
    }

    /// The token that was asked for.
    fn token(&mut self, now: u64, connection: u64, token: &str) {
        self.stepper.mailer().token(Duration::from_nanos(now), ConnectionId(connection), Secret::from(token));
    }

    /// What the content of a message is taken from, if it has not ended.
    fn source(&self, py: Python<'_>, message: u64) -> Option<Py<PyAny>> {
        self.letters.get(&MessageId(message)).map(|letter| letter.source.clone_ref(py))
    }

    /// Content that was asked for. Says how many octets were taken.
    fn content(&mut self, now: u64, connection: u64, message: u64, chunk: &Bound<'_, PyBytes>) -> usize {
        let (now, connection) = (Duration::from_nanos(now), ConnectionId(connection));
        self.stepper.mailer().content(now, connection, MessageId(message), chunk.as_bytes())
    }

    /// The content of a message has ended.
    fn content_end(&mut self, now: u64, connection: u64, message: u64) {
        self.stepper.mailer().content_end(Duration::from_nanos(now), ConnectionId(connection), MessageId(message));
    }

    /// The content of a message could not be read.
    fn content_failed(&mut self, connection: u64, message: u64, what: &str) {
        let error = catalogue::error("message.unreadable", what);
        self.stepper.mailer().content_failed(ConnectionId(connection), MessageId(message), &error);
    }

    /// What came of a look-up: `exchanges` as (preference, host), `addresses`, or why there is neither: `no_data`,
    /// `no_such_name`, `failed`.
    #[pyo3(signature = (look_up, *, exchanges=None, addresses=None, none="failed", canonical_name=None))]
    fn dns_answer(
        &mut self,
        look_up: u64,
        exchanges: Option<Vec<(u16, String)>>,
        addresses: Option<Vec<String>>,
        none: &str,
        canonical_name: Option<String>,
    ) {
        let records = match (exchanges, addresses) {
            (Some(all), _) => {
                Records::Exchanges(all.into_iter().map(|(preference, host)| Exchange { preference, host }).collect())
            }
            (None, Some(all)) => {
                Records::Addresses(all.into_iter().filter_map(|address| address.parse().ok()).collect())
            }
            (None, None) => match none {
                "no_data" => Records::NoData,
                "no_such_name" => Records::NxDomain,
                _ => Records::Failed,
            },
        };
        self.stepper.mailer().dns_answer(LookUpId(look_up), Answer { canonical_name, ..Answer::new(records) });
    }

    fn __repr__(&self) -> String {
        format!("<Mailer with {} messages>", self.letters.len())
    }
}
