//! What became of a message, and of each of its recipients.

use std::sync::Arc;

use okuru_core::client::{self, MessageId, Progress, State, Summary};
use okuru_core::syntax::{MailParameters, ReversePath};
use okuru_core::{Error, Step};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::catalogue;
use crate::reply::Reply;

/// What became of a message.
#[pyclass(frozen, module = "okuru._okuru")]
pub(crate) struct Outcome {
    core: client::Outcome,
    /// Which call it belongs to: for the driver.
    call: u64,
}

/// What became of one recipient, and why.
#[pyclass(frozen, eq, module = "okuru._okuru")]
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RecipientOutcome {
    address: String,
    core: client::RecipientOutcome,
}

/// An error in plain values: code, what happened, at which step.
type PlainError = (String, String, Option<String>);

/// A recipient's outcome in plain values: address, state, reply, error.
type PlainRecipient = (String, String, Option<Vec<u8>>, Option<PlainError>);

/// An outcome in plain values.
type Plain = (u64, String, Vec<PlainRecipient>, Option<Vec<u8>>, Option<PlainError>, String, u32);

impl Outcome {
    pub(crate) fn new(mut core: client::Outcome, call: u64, index: u64) -> Self {
        core.message = MessageId(index);
        Self { core, call }
    }
}

#[pymethods]
impl Outcome {
    /// Its number among those sent together, from 0.
    #[getter]
    fn message(&self) -> u64 {
        self.core.message.0
    }

    /// `accepted` by all recipients, `partial`: by some, `deferred`: a retry is safe, `rejected`: it is useless, `unknown`: it
    /// may arrive twice.
    #[getter]
    fn state(&self) -> &'static str {
        match self.core.summary() {
            Summary::Accepted => "accepted",
            Summary::Partial => "partial",
            Summary::Deferred => "deferred",
            Summary::Rejected => "rejected",
            Summary::Unknown => "unknown",
        }
    }

    /// Where notices of failure go; empty for nobody.
    #[getter]
    fn sender(&self) -> String {
        bare(&self.core.envelope.reverse_path.to_string())
    }

    /// What became of each recipient, in the order of the envelope.
    #[getter]
    fn recipients<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let recipients = self.core.envelope.recipients.iter().zip(&self.core.recipients);
        let recipients: Vec<_> = recipients
            .map(|(recipient, core)| RecipientOutcome { address: bare(recipient.path.as_str()), core: core.clone() })
            .collect();
        PyTuple::new(py, recipients)
    }

    /// The reply that decided about the message as a whole.
    #[getter]
    fn reply(&self) -> Option<Reply> {
        self.core.reply.clone().map(Reply)
    }

    /// The id under which the server has queued it, where its reply says so in a form that is known.
    #[getter]
    fn queue_id(&self) -> Option<&str> {
        self.core.queue_id()
    }

    /// Why it was not accepted for all: the `okuru.Error` that `raise_for_state` raises, if any.
    #[getter]
    fn error<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (py, core) = (slf.py(), &slf.get().core);
        let Err(error) = core.clone().into_result() else {
            return Ok(None);
        };
        let refused = core.recipients.iter().find(|recipient| recipient.state != State::Accepted);
        let reply = core.reply.as_ref().filter(|_| core.error.is_some()).or(refused.and_then(|it| it.reply.as_ref()));
        let exception = catalogue::exception(py, &error, reply)?;
        exception.setattr("outcome", slf)?;
        Ok(Some(exception))
    }

    /// How far it had come when it ended: `queued`, `envelope`, `content`, `sent`.
    #[getter]
    fn progress(&self) -> &'static str {
        match self.core.progress {
            Progress::Queued => "queued",
            Progress::Envelope => "envelope",
            Progress::Content => "content",
            Progress::Sent => "sent",
        }
    }

    /// How often the connection had to wait for the server on its account.
    #[getter]
    fn round_trips(&self) -> u32 {
        self.core.round_trips
    }

    /// Gives the outcome itself if every recipient was accepted, and raises its `error` if not.
    fn raise_for_state(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        match Self::error(&slf)? {
            None => Ok(slf),
            Some(error) => Err(PyErr::from_value(error)),
        }
    }

    #[getter]
    fn _call(&self) -> u64 {
        self.call
    }

    fn __repr__(&self) -> String {
        let recipients = self.core.envelope.recipients.iter().zip(&self.core.recipients);
        let recipients: Vec<_> = recipients.map(|(to, it)| in_words(&bare(to.path.as_str()), it)).collect();
        let id = self.core.queue_id().map(|id| format!(" as {id}")).unwrap_or_default();
        format!("<Outcome {}{id}: {}>", self.state(), recipients.join(", "))
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.core == other.core
    }

    fn __hash__(&self) -> u64 {
        self.core.message.0
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Plain,))> {
        let core = &slf.get().core;
        let recipients = core.envelope.recipients.iter().zip(&core.recipients);
        let plain = (
            core.message.0,
            core.envelope.reverse_path.to_string(),
            recipients.map(|(to, it)| plain_recipient(&to.path.to_string(), it)).collect(),
            core.reply.as_ref().map(|reply| reply.raw().to_vec()),
            core.error.as_ref().map(plain_error),
            slf.get().progress().to_owned(),
            core.round_trips,
        );
        Ok((slf.get_type().getattr("_from_plain")?, (plain,)))
    }

    #[staticmethod]
    fn _from_plain(plain: Plain) -> PyResult<Self> {
        let (message, sender, recipients, reply, error, progress, round_trips) = plain;
        let mut paths = Vec::new();
        let mut outcomes = Vec::new();
        for recipient in recipients {
            paths.push(client::Recipient::from(
                recipient.0.parse::<okuru_core::syntax::ForwardPath>().map_err(|error| unread(&error))?,
            ));
            outcomes.push(core_recipient(recipient)?);
        }
        let core = client::Outcome {
            message: MessageId(message),
            envelope: Arc::new(client::Envelope {
                reverse_path: sender.parse::<ReversePath>().map_err(|error| unread(&error))?,
                parameters: MailParameters::default(),
                recipients: paths,
            }),
            recipients: outcomes,
            reply: core_reply(reply)?,
            error: error.map(core_error),
            progress: match progress.as_str() {
                "queued" => Progress::Queued,
                "envelope" => Progress::Envelope,
                "content" => Progress::Content,
                _ => Progress::Sent,
            },
            round_trips,
        };
        Ok(Self { core, call: 0 })
    }
}

#[pymethods]
impl RecipientOutcome {
    /// Who.
    #[getter]
    fn address(&self) -> &str {
        &self.address
    }

    /// `accepted`, `deferred`, `rejected` or `unknown`.
    #[getter]
    fn state(&self) -> &'static str {
        word(self.core.state)
    }

    /// The reply that decided; for an accepted one that to its RCPT, by LMTP that to the content.
    #[getter]
    fn reply(&self) -> Option<Reply> {
        self.core.reply.clone().map(Reply)
    }

    /// Why it was not accepted, if it was not: an `okuru.Error`.
    #[getter]
    fn error<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let error = self.core.error();
        error.map(|error| catalogue::exception(py, &error, self.core.reply.as_ref())).transpose()
    }

    fn __repr__(&self) -> String {
        format!("<{}>", in_words(&self.address, &self.core))
    }

    fn __hash__(&self) -> u64 {
        self.address.len() as u64
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (PlainRecipient,))> {
        let Self { address, core } = slf.get();
        Ok((slf.get_type().getattr("_from_plain")?, (plain_recipient(address, core),)))
    }

    #[staticmethod]
    fn _from_plain(plain: PlainRecipient) -> PyResult<Self> {
        Ok(Self { address: plain.0.clone(), core: core_recipient(plain)? })
    }
}

/// An address without its angle brackets.
fn bare(path: &str) -> String {
    path.strip_prefix('<').and_then(|path| path.strip_suffix('>')).unwrap_or(path).to_owned()
}

fn in_words(address: &str, outcome: &client::RecipientOutcome) -> String {
    let why = match (&outcome.reply, outcome.error()) {
        (Some(reply), _) => format!(" ({reply})"),
        (None, Some(error)) => format!(" ({})", error.code()),
        (None, None) => String::new(),
    };
    format!("{address} {}{why}", outcome.state)
}

fn word(state: State) -> &'static str {
    match state {
        State::Accepted => "accepted",
        State::Deferred => "deferred",
        State::Rejected => "rejected",
        State::Unknown => "unknown",
    }
}

fn plain_recipient(path: &str, outcome: &client::RecipientOutcome) -> PlainRecipient {
    let reply = outcome.reply.as_ref().map(|reply| reply.raw().to_vec());
    (path.to_owned(), word(outcome.state).to_owned(), reply, outcome.error().as_ref().map(plain_error))
}

fn plain_error(error: &Error) -> PlainError {
    (error.code().as_str().to_owned(), error.what().to_owned(), error.step().map(|step| step.to_string()))
}

fn core_recipient((_, state, reply, error): PlainRecipient) -> PyResult<client::RecipientOutcome> {
    let state = match state.as_str() {
        "accepted" => State::Accepted,
        "deferred" => State::Deferred,
        "rejected" => State::Rejected,
        _ => State::Unknown,
    };
    let (reply, error) = (core_reply(reply)?, error.map(core_error));
    // A refusing reply stands for its error.
    let by_reply = client::RecipientOutcome::new(state, reply.clone(), None);
    Ok(if by_reply.error() == error { by_reply } else { client::RecipientOutcome::new(state, reply, error) })
}

fn core_reply(raw: Option<Vec<u8>>) -> PyResult<Option<okuru_core::syntax::Reply>> {
    raw.map(|raw| okuru_core::syntax::Reply::parse(&raw).map_err(|error| unread(&error))).transpose()
}

fn core_error((code, what, step): PlainError) -> Error {
    const STEPS: &[Step] = &[
        Step::Connect,
        Step::Greeting,
        Step::Ehlo,
        Step::StartTls,
        Step::Auth,
        Step::Mail,
        Step::Rcpt,
        Step::Data,
        Step::Content,
        Step::EndOfContent,
        Step::Rset,
        Step::Command,
        Step::Quit,
        Step::Idle,
    ];
    let error = catalogue::error(&code, &what);
    let step = step.and_then(|words| STEPS.iter().copied().find(|step| step.to_string() == words));
    match step {
        Some(step) => error.at(step),
        None => error,
    }
}

fn unread(error: &Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}
