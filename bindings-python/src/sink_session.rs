//! One session with a client, in one call.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use okuru_core::sasl::{ChannelBinding, ChannelBindingKind};
use okuru_core::server::faults::{Conduct, INJECTED, Stage, Strike};
use okuru_core::server::{
    Answer, Closed, Event, MessageId, Output, Question, QuestionId, Received, Session as Machine, TlsInfo, Trace,
};
use okuru_core::syntax::{DecodedPiece, EnhancedCode, Reply, ReplyCode};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use crate::catalogue;
use crate::connection::nanoseconds;
use crate::sink::Shared;

/// One session with a client: `Receiver.session` makes it.
///
/// Hand in what has come by `step`, do what that says, and call it again with what comes next or when the deadline has passed.
#[pyclass(module = "okuru._okuru")]
pub(crate) struct SinkSession {
    machine: Machine,
    shared: Arc<Shared>,
    conduct: Conduct,
    input: Input,
    /// The contents of messages that are not complete.
    contents: HashMap<MessageId, Vec<u8>>,
    /// Answers that come late.
    late: Vec<(Duration, QuestionId, Answer)>,
    /// Recipients of the transaction.
    recipients: u64,
}

/// What has come and has not been taken yet.
#[derive(Default)]
struct Input {
    bytes: Vec<u8>,
    /// So many of them have been taken, and are still there for the ranges of content.
    taken: usize,
    /// Whether the machine has had its chance since it last had something to say.
    is_offered: bool,
    has_ended: bool,
}

/// What a step comes to.
struct Step<'py> {
    write: Vec<u8>,
    messages: Bound<'py, PyList>,
    dialogue: Vec<String>,
    starts_tls: bool,
    deadline: Option<Duration>,
    reads: bool,
    closed: Option<String>,
}

impl SinkSession {
    pub(crate) fn new(machine: Machine, shared: Arc<Shared>, conduct: Conduct) -> Self {
        let (input, contents, late) = (Input::default(), HashMap::new(), Vec::new());
        Self { machine, shared, conduct, input, contents, late, recipients: 0 }
    }
}

#[pymethods]
impl SinkSession {
    /// Hands in what has come, if something has, and whether that was the end. Gives
    ///
    /// `(write, messages, dialogue, starts_tls, deadline, reads, closed)`: bytes to be written; messages that have been taken,
    /// each a dict; lines of the dialogue; whether TLS begins once all is written; when to call again at the latest; whether bytes
    /// are to be read meanwhile; and why it is over, if it is: then the socket is to be closed after writing.
    #[pyo3(signature = (now, data=None, eof=false))]
    fn step<'py>(
        &mut self,
        py: Python<'py>,
        now: u64,
        data: Option<&[u8]>,
        eof: bool,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let now = Duration::from_nanos(now);
        match data {
            None => self.machine.deadline_passed(now),
            Some(data) => {
                self.input.bytes.extend_from_slice(data);
                self.input.is_offered = false;
            }
        }
        self.input.has_ended |= eof;
        self.answer_late(now);
        let step = self.drain(py, now)?;
        let write = PyBytes::new(py, &step.write);
        let deadline = step.deadline.map(nanoseconds);
        (write, step.messages, step.dialogue, step.starts_tls, deadline, step.reads, step.closed).into_pyobject(py)
    }

    /// TLS is there.
    #[pyo3(signature = (now, channel_bindings=Vec::new(), client_verified=false))]
    fn tls_started(&mut self, now: u64, channel_bindings: Vec<(String, Vec<u8>)>, client_verified: bool) {
        let kinds =
            [ChannelBindingKind::TlsExporter, ChannelBindingKind::TlsServerEndPoint, ChannelBindingKind::TlsUnique];
        let known = channel_bindings.into_iter().filter_map(|(name, data)| {
            let kind = kinds.into_iter().find(|kind| kind.name() == name)?;
            Some(ChannelBinding::new(kind, data))
        });
        let info = TlsInfo { channel_bindings: known.collect(), client_verified };
        self.machine.tls_started(Duration::from_nanos(now), info);
    }

    /// The transport broke, or TLS could not be made.
    fn failed(&mut self, code: &str, what: &str) {
        self.machine.failed(catalogue::error(code, what));
    }

    /// The server stops: the client hears so as soon as nothing is under way.
    fn stop(&mut self) {
        self.machine.stop();
    }

    /// So many nanoseconds lie between two octets that are written, if that is to be wrong.
    #[getter]
    fn dribble(&self) -> Option<u64> {
        self.conduct.dribble.map(nanoseconds)
    }

    /// Whether the certificate is to be wrong.
    #[getter]
    fn wrong_certificate(&self) -> bool {
        self.conduct.wrong_certificate
    }

    fn __repr__(&self) -> &'static str {
        if self.machine.is_closed() { "<SinkSession closed>" } else { "<SinkSession>" }
    }
}

impl SinkSession {
    fn drain<'py>(&mut self, py: Python<'py>, now: Duration) -> PyResult<Step<'py>> {
        let mut step = Step {
            write: Vec::new(),
            messages: PyList::empty(py),
            dialogue: Vec::new(),
            starts_tls: false,
            deadline: None,
            reads: false,
            closed: None,
        };
        loop {
            match self.machine.poll(now) {
                Output::Write(bytes) => step.write.extend(bytes),
                Output::Content { message, piece } => {
                    let content = self.contents.entry(message).or_default();
                    match piece {
                        DecodedPiece::Received(range) => {
                            content.extend_from_slice(self.input.bytes.get(range).unwrap_or_default());
                        }
                        DecodedPiece::Added(bytes) => content.extend_from_slice(bytes),
                    }
                }
                Output::Discard { message } => drop(self.contents.remove(&message)),
                Output::Ask { id, question } => {
                    let Strike { delay, answer } = self.ask(py, now, question, &step.messages)?;
                    let answer = answer.unwrap_or(Answer::Accept);
                    if delay.is_zero() {
                        self.machine.answer(now, id, answer);
                    } else {
                        self.late.push((now.saturating_add(delay), id, answer));
                    }
                }
                Output::StartTls => {
                    self.input.forget_taken();
                    if self.input.bytes.is_empty() {
                        step.starts_tls = true;
                        if std::mem::take(&mut self.conduct.injects) && !step.write.is_empty() {
                            step.write.extend_from_slice(INJECTED);
                        }
                    } else {
                        // What stands behind STARTTLS: the machine ends it.
                        self.input.taken = self.machine.receive(now, &self.input.bytes);
                    }
                }
                Output::Event(Event::Trace(trace)) => step.dialogue.push(told(&trace)),
                Output::Event(_) => {}
                Output::Wait { deadline, reads } => {
                    self.input.forget_taken();
                    if reads && !self.input.bytes.is_empty() && !self.input.is_offered {
                        self.input.taken = self.machine.receive(now, &self.input.bytes);
                        self.input.is_offered = true;
                        continue;
                    }
                    if self.input.has_ended && reads && self.input.bytes.is_empty() {
                        self.machine.receive_eof(now);
                        continue;
                    }
                    let late = self.late.iter().map(|(due, ..)| *due).min();
                    step.deadline = [deadline, late].into_iter().flatten().min();
                    step.reads = reads && self.input.bytes.is_empty() && !self.input.has_ended;
                    return Ok(step);
                }
                Output::Closed(closed) => {
                    step.closed = Some(match closed {
                        Closed::Quit => "quit".to_owned(),
                        Closed::Stopped => "stopped".to_owned(),
                        Closed::Failed(error) => error.to_string(),
                    });
                    return Ok(step);
                }
            }
            self.input.is_offered = false;
        }
    }

    fn answer_late(&mut self, now: Duration) {
        let (due, late) = std::mem::take(&mut self.late).into_iter().partition(|(due, ..)| *due <= now);
        self.late = late;
        let due: Vec<_> = due;
        for (_, id, answer) in due {
            self.machine.answer(now, id, answer);
            self.input.is_offered = false;
        }
    }

    fn ask(
        &mut self,
        py: Python<'_>,
        now: Duration,
        question: Question,
        messages: &Bound<'_, PyList>,
    ) -> PyResult<Strike> {
        let shared = Arc::clone(&self.shared);
        let at = |stage| shared.ask(|faults| faults.at(stage));
        Ok(match question {
            Question::Connect => at(Stage::Connect),
            Question::Hello(_) => at(Stage::Ehlo),
            Question::StartTls => at(Stage::Starttls),
            Question::Credentials(question) => {
                let Strike { delay, answer } = at(Stage::Auth);
                let proved = || Answer::Credentials(shared.accounts.answer(&question));
                Strike { delay, answer: Some(answer.unwrap_or_else(proved)) }
            }
            Question::ReversePath { .. } => {
                self.recipients = 0;
                at(Stage::Mail)
            }
            Question::ForwardPath(recipient) => {
                self.recipients = self.recipients.saturating_add(1);
                let (client, position) = (self.machine.peer().address, self.recipients);
                shared.ask(|faults| faults.recipient(now, client, &recipient.path, position))
            }
            Question::Data => at(Stage::Data),
            Question::Message(received) => {
                let content = self.contents.remove(&received.message).unwrap_or_default();
                let strike = at(Stage::Content);
                if strike.answer.is_some() {
                    return Ok(strike);
                }
                let id = format!("SINK{}", shared.next_message());
                messages.append(self.message(py, &id, &received, &content)?)?;
                let accepted = accepted(&format!("Ok: queued as {id}"));
                let recipients = received.envelope.recipients.len();
                let answer = shared.ask(|faults| faults.stored(accepted, recipients));
                Strike { answer: Some(answer), ..strike }
            }
            Question::Quit => at(Stage::Quit),
            // Nobody acts for others here, and a question that is not known here can't be answered yes.
            _ => Strike { answer: Some(Answer::Refuse), ..Strike::default() },
        })
    }

    fn message<'py>(
        &self,
        py: Python<'py>,
        id: &str,
        received: &Received,
        content: &[u8],
    ) -> PyResult<Bound<'py, PyDict>> {
        let Received { envelope, with, .. } = received;
        let (hello, user) = (self.machine.hello(), self.machine.user());
        let recipients = envelope.recipients.iter();
        let addresses: Vec<_> = recipients.clone().map(|recipient| recipient.path.as_str()).collect();
        let theirs: Vec<_> = recipients.map(|recipient| words(|out| recipient.parameters.encode(out))).collect();
        let told = PyDict::new(py);
        told.set_item("id", id)?;
        told.set_item("sender", envelope.reverse_path.mailbox().map_or("", |mailbox| mailbox.as_str()))?;
        told.set_item("recipients", PyTuple::new(py, addresses)?)?;
        told.set_item("content", PyBytes::new(py, content))?;
        told.set_item("parameters", PyTuple::new(py, words(|out| envelope.parameters.encode(out)))?)?;
        told.set_item("recipient_parameters", tuples(py, theirs)?)?;
        told.set_item("protocol", with)?;
        told.set_item("user", user.map(|user| user.name.as_str()))?;
        told.set_item("mechanism", user.map(|user| user.mechanism.name()))?;
        told.set_item("hello", hello.map(|hello| hello.name.as_str()))?;
        Ok(told)
    }
}

impl Input {
    fn forget_taken(&mut self) {
        let taken = std::mem::take(&mut self.taken).min(self.bytes.len());
        self.bytes.drain(..taken);
    }
}

fn tuples(py: Python<'_>, lists: Vec<Vec<String>>) -> PyResult<Bound<'_, PyTuple>> {
    let tuples: Vec<_> = lists.into_iter().map(|list| PyTuple::new(py, list)).collect::<PyResult<_>>()?;
    PyTuple::new(py, tuples)
}

fn words(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<String> {
    let mut out = Vec::new();
    encode(&mut out);
    String::from_utf8_lossy(&out).split_whitespace().map(str::to_owned).collect()
}

fn accepted(text: &str) -> Reply {
    let code = ReplyCode::new(250).expect("250 is a code");
    Reply::new(code, Some(EnhancedCode { class: 2, subject: 0, detail: 0 }), text)
}

fn told(trace: &Trace) -> String {
    match trace {
        Trace::Received(line) => format!("C: {line}"),
        Trace::ReceivedContent(octets) => format!("C: ({octets} octets)"),
        Trace::Sent(line) => format!("S: {line}"),
        Trace::Tls => "TLS".to_owned(),
    }
}
