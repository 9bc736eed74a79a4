//! One session with a client, for those who bring their own I/O: what a server says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use okuru_core::sasl::{self, Hash, MIN_ITERATIONS, Mechanism, Secret, StoredKeys};
use okuru_core::server::{self, Answer, Closed, Config, Event, Output, Peer, Question, QuestionId, Seed};
use okuru_core::syntax::{self, DecodedPiece};
use okuru_core::{Error, ErrorCode};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::catalogue::{self, raised};
use crate::connection::nanoseconds;

/// One session with a client over a transport that has just been opened.
///
/// Hand in what has come, then call `poll` until it gives `("wait", deadline, reads)`. `tls` is `none`, `offered`, `required` or
/// `implicit`; `local` are the domains whose mail is taken (with a dot before it: all below), `for_anyone` takes all; `mechanisms` turn AUTH
/// on; `offer` are EHLO keywords, everything that can be offered if it is not said. `random` are 32 random bytes, used once.
#[pyclass(module = "okuru._okuru")]
pub(crate) struct Session {
    machine: server::Session,
    /// What was handed in last: contents are ranges of it.
    handed_in: Option<PyBackedBytes>,
    /// Credentials that are asked about.
    asked: BTreeMap<u64, sasl::Question>,
}

#[pymethods]
impl Session {
    #[new]
    #[pyo3(signature = (name, *, random, unix_time=0, address=None, protocol="smtp", submission=false, tls="none",
        local=None, for_anyone=false, mechanisms=None, allow_plaintext_auth=false, offer=None, asks_everything=false,
        max_size=None, trace=false))]
    #[expect(clippy::too_many_arguments, reason = "they are named where they are said")]
    fn new(
        py: Python<'_>,
        name: &str,
        random: [u8; 32],
        unix_time: u64,
        address: Option<&str>,
        protocol: &str,
        submission: bool,
        tls: &str,
        local: Option<Vec<String>>,
        for_anyone: bool,
        mechanisms: Option<Vec<String>>,
        allow_plaintext_auth: bool,
        offer: Option<Vec<String>>,
        asks_everything: bool,
        max_size: Option<u64>,
        trace: bool,
    ) -> PyResult<Self> {
        let fail = |error: Error| raised(py, &error);
        let mut config = Config::new(name.parse().map_err(fail)?);
        config.protocol = match protocol {
            "smtp" => server::Protocol::Smtp,
            "lmtp" => server::Protocol::Lmtp,
            _ => return Err(fail(usage("the protocol is smtp or lmtp"))),
        };
        config.tls = match tls {
            "none" => server::Tls::None,
            "offered" => server::Tls::Offered,
            "required" => server::Tls::Required,
            "implicit" => server::Tls::Implicit,
            _ => return Err(fail(usage("tls is none, offered, required or implicit"))),
        };
        if submission {
            config.role = server::Role::Submission;
        }
        for domain in local.unwrap_or_default() {
            config.relay.local.push(domain.parse().map_err(fail)?);
        }
        config.relay.dangerously_for_anyone = for_anyone;
        config.authentication = mechanisms
            .map(|names| {
                let mechanisms = names.iter().map(|name| name.parse()).collect::<Result<Vec<Mechanism>, _>>()?;
                Ok(server::Authentication {
                    mechanisms,
                    fake_seed: random,
                    fake_iterations: MIN_ITERATIONS,
                    dangerously_allow_plaintext: allow_plaintext_auth,
                })
            })
            .transpose()
            .map_err(fail)?;
        if let Some(keywords) = offer {
            config.offer = server::Offer::nothing();
            for keyword in keywords {
                if !config.offer.add(&keyword) {
                    return Err(fail(usage("an EHLO keyword is offered that is none")));
                }
            }
        }
        config.asks = if asks_everything { server::Asks::everywhere() } else { server::Asks::default() };
        config.bounds.message = max_size.unwrap_or(config.bounds.message);
        config.trace = trace;
        let peer = Peer { address: address.and_then(|address| address.parse().ok()) };
        let machine = server::Session::new(Arc::new(config), peer, Seed { random, unix_time });
        Ok(Self { machine, handed_in: None, asked: BTreeMap::new() })
    }

    /// Bytes have come. Says how many were taken; the rest is to be handed in again once bytes are taken.
    fn receive(&mut self, now: u64, data: &Bound<'_, PyBytes>) -> usize {
        let taken = self.machine.receive(Duration::from_nanos(now), data.as_bytes());
        self.handed_in = Some(data.clone().into());
        taken
    }

    /// The other side has closed.
    fn receive_eof(&mut self, now: u64) {
        self.machine.receive_eof(Duration::from_nanos(now));
    }

    /// TLS is there. Whether the client's certificate was verified.
    #[pyo3(signature = (now, client_verified=false))]
    fn tls_started(&mut self, now: u64, client_verified: bool) {
        let info = server::TlsInfo { channel_bindings: Vec::new(), client_verified };
        self.machine.tls_started(Duration::from_nanos(now), info);
    }

    /// The transport broke, or TLS could not be made.
    fn failed(&mut self, code: &str, what: &str) {
        self.machine.failed(catalogue::error(code, what));
    }

    /// The session is to end, once what is under way has been answered.
    fn stop(&mut self) {
        self.machine.stop();
    }

    /// The moment has come that the last wait named.
    fn deadline_passed(&mut self, now: u64) {
        self.machine.deadline_passed(Duration::from_nanos(now));
    }

    /// Answers a question: yes or no in the usual words, or in those of replies such as `550 5.1.1 Nobody here`: one, or for
    /// LMTP one for each recipient. With `closes` the connection closes then; without words, at once.
    #[pyo3(signature = (now, question, answer, closes=false))]
    fn answer(&mut self, py: Python<'_>, now: u64, question: u64, answer: Words, closes: bool) -> PyResult<bool> {
        let answer = match (answer, closes) {
            (Words::Yes(true), false) => Answer::Accept,
            (Words::Yes(false), false) => Answer::Refuse,
            (Words::Yes(_), true) => Answer::Close,
            (Words::One(text), false) => Answer::Reply(reply(py, &text)?),
            (Words::One(text), true) => Answer::ReplyAndClose(reply(py, &text)?),
            (Words::Each(texts), _) => {
                Answer::Replies(texts.iter().map(|text| reply(py, text)).collect::<PyResult<_>>()?)
            }
        };
        Ok(self.machine.answer(Duration::from_nanos(now), QuestionId(question), answer))
    }

    /// Answers a question about credentials: the password (or token) of the user, if there is such a user. `salt` are 16 random
    /// bytes.
    #[pyo3(signature = (now, question, password, salt))]
    fn answer_credentials(
        &mut self,
        py: Python<'_>,
        now: u64,
        question: u64,
        password: Option<&str>,
        salt: [u8; StoredKeys::SALT_LEN],
    ) -> PyResult<bool> {
        let Some(asked) = self.asked.remove(&question) else {
            return Ok(false);
        };
        let answer = credentials(asked, password.map(Secret::from), salt).map_err(|error| raised(py, &error))?;
        let (now, question) = (Duration::from_nanos(now), QuestionId(question));
        Ok(self.machine.answer(now, question, Answer::Credentials(answer)))
    }

    /// What to do next: see `_okuru.pyi` for each.
    fn poll<'py>(&mut self, py: Python<'py>, now: u64) -> PyResult<Bound<'py, PyAny>> {
        let told = match self.machine.poll(Duration::from_nanos(now)) {
            Output::Write(bytes) => ("write", PyBytes::new(py, &bytes)).into_pyobject(py),
            Output::Content { message, piece } => {
                let bytes = match &piece {
                    DecodedPiece::Received(range) => {
                        self.handed_in.as_deref().and_then(|bytes| bytes.get(range.clone())).unwrap_or_default()
                    }
                    DecodedPiece::Added(bytes) => bytes,
                };
                ("content", message.0, PyBytes::new(py, bytes)).into_pyobject(py)
            }
            Output::Discard { message } => ("discard", message.0).into_pyobject(py),
            Output::Ask { id, question } => return self.ask(py, id.0, question),
            Output::StartTls => ("start_tls",).into_pyobject(py),
            Output::Event(event) => return happened(py, event),
            Output::Wait { deadline, reads } => ("wait", deadline.map(nanoseconds), reads).into_pyobject(py),
            Output::Closed(Closed::Failed(error)) => {
                ("closed", catalogue::exception(py, &error, None)?).into_pyobject(py)
            }
            Output::Closed(_) => ("closed", None::<Py<PyAny>>).into_pyobject(py),
        };
        Ok(told?.into_any())
    }

    /// Whether it is over.
    #[getter]
    fn is_closed(&self) -> bool {
        self.machine.is_closed()
    }

    /// Who has logged in.
    #[getter]
    fn user(&self) -> Option<String> {
        self.machine.user().map(|user| user.name.clone())
    }
}

impl Session {
    /// `("ask", question, kind, about...)`.
    fn ask<'py>(&mut self, py: Python<'py>, id: u64, question: Question) -> PyResult<Bound<'py, PyAny>> {
        let told = match question {
            Question::Connect => ("ask", id, "connect").into_pyobject(py),
            Question::Hello(hello) => ("ask", id, "hello", hello.name.as_str()).into_pyobject(py),
            Question::StartTls => ("ask", id, "start_tls").into_pyobject(py),
            Question::Credentials(question) => {
                let told = ("ask", id, "credentials", whose(&question)).into_pyobject(py);
                self.asked.insert(id, question);
                told
            }
            Question::ActFor(user) => ("ask", id, "act_for", user.name, user.acts_for).into_pyobject(py),
            Question::ReversePath { path, .. } => ("ask", id, "reverse_path", path.to_string()).into_pyobject(py),
            Question::ForwardPath(recipient) => {
                ("ask", id, "forward_path", recipient.path.to_string()).into_pyobject(py)
            }
            Question::Data => ("ask", id, "data").into_pyobject(py),
            Question::Message(received) => {
                let envelope = &received.envelope;
                let recipients: Vec<_> = envelope.recipients.iter().map(|it| it.path.to_string()).collect();
                let (message, sender) = (received.message.0, envelope.reverse_path.to_string());
                ("ask", id, "message", message, sender, recipients, received.octets, received.with).into_pyobject(py)
            }
            Question::Quit => ("ask", id, "quit").into_pyobject(py),
            _ => ("ask", id, "other").into_pyobject(py),
        };
        Ok(told?.into_any())
    }
}

/// What a question is answered with.
#[derive(FromPyObject)]
enum Words {
    Yes(bool),
    One(String),
    Each(Vec<String>),
}

fn reply(py: Python<'_>, text: &str) -> PyResult<syntax::Reply> {
    let ended = if text.ends_with('\n') { text.to_owned() } else { format!("{text}\r\n") };
    syntax::Reply::parse(ended.as_bytes()).map_err(|error| raised(py, &error))
}

/// Whose credentials are asked about, as far as that is said.
fn whose(question: &sasl::Question) -> Option<&str> {
    match question {
        sasl::Question::Keys { user, .. } | sasl::Question::Password { user } | sasl::Question::Verify { user, .. } => {
            Some(user)
        }
        sasl::Question::Token { user, .. } => user.as_deref(),
        sasl::Question::External { authzid } => authzid.as_deref(),
    }
}

/// What is said where this is the password.
fn credentials(
    question: sasl::Question,
    password: Option<Secret>,
    salt: [u8; StoredKeys::SALT_LEN],
) -> Result<sasl::Answer, Error> {
    let keys = |hash, password| StoredKeys::derive(hash, password, salt, MIN_ITERATIONS).map(sasl::Answer::Keys);
    Ok(match (question, password) {
        (sasl::Question::Keys { hash, .. }, Some(password)) => keys(hash, &password)?,
        (sasl::Question::Verify { .. }, Some(password)) => keys(Hash::Sha256, &password)?,
        (sasl::Question::Password { .. }, Some(password)) => sasl::Answer::Password(password),
        (sasl::Question::Token { user, token, .. }, Some(password)) if token == password => {
            sasl::Answer::Accept { user: user.unwrap_or_default() }
        }
        (sasl::Question::Token { .. } | sasl::Question::External { .. }, _) => sasl::Answer::Refuse,
        (_, None) => sasl::Answer::Unknown,
    })
}

fn usage(what: &'static str) -> Error {
    Error::new(ErrorCode::Usage, what)
}

/// `("event", kind, text)`.
fn happened(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyAny>> {
    let (kind, text) = match event {
        Event::Hello(hello) => ("hello", hello.name.as_str().to_owned()),
        Event::TlsStarted => ("tls_started", String::new()),
        Event::Authenticated(user) => ("authenticated", user.name),
        Event::NotAuthenticated { error, .. } => ("not_authenticated", error.to_string()),
        Event::ContentRefused { error, .. } => ("content_refused", error.to_string()),
        Event::Trace(trace) => (
            "trace",
            match trace {
                server::Trace::Received(line) => format!("C: {line}"),
                server::Trace::ReceivedContent(octets) => format!("C: ({octets} octets)"),
                server::Trace::Sent(line) => format!("S: {line}"),
                server::Trace::Tls => "TLS".to_owned(),
            },
        ),
        _ => ("other", String::new()),
    };
    Ok(("event", kind, text).into_pyobject(py)?.into_any())
}
