//! What is to be said, in the order in which it was asked for.
//!
//! A reply whose turn has come is written at once. One that waits for an answer of the host keeps its place, and those
//! behind it wait too.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use super::output::{Closed, Event, Output, QuestionId, Trace};
use super::words::Saying;

#[derive(Clone, Debug, Default)]
pub(super) struct Wire {
    outputs: VecDeque<Output>,
    /// What is to be written behind `outputs`.
    unsent: Vec<u8>,
    /// Octets in `outputs` and `unsent`.
    unwritten: usize,
    places: VecDeque<Place>,
    /// The connection closes, for this reason, once the places before are empty.
    closing: Option<Closed>,
    content: usize,
    trace: bool,
}

/// The place of a reply.
#[derive(Clone, Debug)]
struct Place {
    /// What it waits for.
    question: Option<QuestionId>,
    reply: Vec<u8>,
    closes: Option<Closed>,
}

/// What one write usually needs: the replies to MAIL, RCPT and DATA.
const WRITE_CAPACITY: usize = 128;

impl Wire {
    pub(super) fn new(trace: bool) -> Self {
        Self { trace, ..Self::default() }
    }

    /// Says something behind everything before.
    pub(super) fn say(&mut self, saying: &Saying, with_enhanced: bool) {
        self.place(None, None, |out| saying.encode(with_enhanced, out));
    }

    /// The same, and then the connection closes.
    pub(super) fn say_last(&mut self, saying: &Saying, with_enhanced: bool, closed: Closed) {
        self.place(None, Some(closed), |out| saying.encode(with_enhanced, out));
    }

    /// The connection closes behind everything before.
    pub(super) fn end(&mut self, closed: Closed) {
        self.place(None, Some(closed), |_| {});
    }

    /// Says bytes behind everything before.
    pub(super) fn say_bytes(&mut self, bytes: &[u8]) {
        self.place(None, None, |out| out.extend_from_slice(bytes));
    }

    /// Says a line of which only `shown` may be seen, behind which nothing waits.
    pub(super) fn say_secret(&mut self, line: &[u8], shown: &str) {
        if self.trace {
            self.event(Event::Trace(Trace::Sent(shown.into())));
        }
        self.append(|out| out.extend_from_slice(line));
    }

    /// Keeps the place of a reply.
    pub(super) fn keep_place(&mut self, question: QuestionId) {
        self.place(Some(question), None, |_| {});
    }

    /// The reply is known that place was kept for. With `closes` the connection closes behind it.
    pub(super) fn fill(&mut self, question: QuestionId, closes: Option<Closed>, encode: impl FnOnce(&mut Vec<u8>)) {
        if let Some(place) = self.places.iter_mut().find(|place| place.question == Some(question)) {
            place.question = None;
            place.closes = closes;
            encode(&mut place.reply);
            self.flush();
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        self.output(Output::Event(event));
    }

    pub(super) fn trace(&mut self, trace: impl FnOnce() -> Trace) {
        if self.trace {
            self.event(Event::Trace(trace()));
        }
    }

    pub(super) fn output(&mut self, output: Output) {
        if let Some(write) = self.take_unsent() {
            self.outputs.push_back(write);
        }
        self.content += usize::from(matches!(output, Output::Content { .. }));
        self.outputs.push_back(output);
    }

    pub(super) fn next_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front().or_else(|| self.take_unsent())?;
        match &output {
            Output::Write(bytes) => self.unwritten = self.unwritten.saturating_sub(bytes.len()),
            Output::Content { .. } => self.content -= 1,
            _ => {}
        }
        Some(output)
    }

    /// Octets that the host has not polled yet.
    pub(super) fn unwritten(&self) -> usize {
        self.unwritten
    }

    /// Whether pieces of content have not been polled yet.
    pub(super) fn has_content(&self) -> bool {
        self.content > 0
    }

    /// How many outputs have not been polled yet.
    pub(super) fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// How many replies wait for their turn.
    pub(super) fn waiting(&self) -> usize {
        self.places.len()
    }

    /// Whether the connection closes, now or when replies before have had their turn: nothing more can be said.
    pub(super) fn is_ending(&self) -> bool {
        self.closing.is_some() || self.places.iter().any(|place| place.closes.is_some())
    }

    /// Why the connection closes now.
    pub(super) fn take_closing(&mut self) -> Option<Closed> {
        self.closing.take()
    }

    /// Nothing more is said.
    pub(super) fn close(&mut self) {
        self.places.clear();
    }

    fn place(&mut self, question: Option<QuestionId>, closes: Option<Closed>, encode: impl FnOnce(&mut Vec<u8>)) {
        if self.is_ending() {
            return;
        }
        if self.places.is_empty() && question.is_none() && closes.is_none() && !self.trace {
            return self.append(encode);
        }
        let mut reply = Vec::new();
        encode(&mut reply);
        self.places.push_back(Place { question, reply, closes });
        self.flush();
    }

    fn flush(&mut self) {
        while self.closing.is_none() && self.places.front().is_some_and(|place| place.question.is_none()) {
            if let Some(Place { reply, closes, .. }) = self.places.pop_front() {
                if self.trace {
                    for line in reply.split_inclusive(|byte| *byte == b'\n') {
                        let line = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
                        self.event(Event::Trace(Trace::Sent(line)));
                    }
                }
                self.append(|out| out.extend_from_slice(&reply));
                self.closing = closes;
            }
        }
    }

    fn append(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        if self.unsent.is_empty() {
            self.unsent = Vec::with_capacity(WRITE_CAPACITY);
        }
        let before = self.unsent.len();
        encode(&mut self.unsent);
        self.unwritten += self.unsent.len() - before;
    }

    fn take_unsent(&mut self) -> Option<Output> {
        (!self.unsent.is_empty()).then(|| Output::Write(core::mem::take(&mut self.unsent)))
    }
}
