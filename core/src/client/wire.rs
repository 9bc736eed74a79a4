//! What has been said, what the host has written of it, and which replies are due.
//!
//! Every byte that is output has a place in one count, `said`. The host tells how many of them it has `written`. A reply
//! is due for each command, in order, and remembers the place of the last byte of its command. From these three come:
//! whether a reply came before its command, whether content had been fully sent when a connection broke, when a
//! deadline runs, how many octets are in flight, and how long a round trip takes.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use super::message::MessageId;
use super::output::{Event, Output, Trace};
use crate::error::Step;

/// What a reply answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The server speaks first.
    Greeting,
    /// EHLO, HELO or LHLO.
    Hello,
    StartTls,
    Auth,
    /// A command of the transaction at the front.
    Mail,
    Rcpt,
    Data,
    /// A BDAT chunk that is not the last.
    Chunk,
    /// The end of the content: the final dot, or the last chunk. From LMTP one for each accepted recipient.
    Content,
    Rset,
    /// A command of the user.
    Command,
    Quit,
}

impl Asked {
    pub(super) fn step(self) -> Step {
        match self {
            Self::Greeting => Step::Greeting,
            Self::Hello => Step::Ehlo,
            Self::StartTls => Step::StartTls,
            Self::Auth => Step::Auth,
            Self::Mail => Step::Mail,
            Self::Rcpt => Step::Rcpt,
            Self::Data => Step::Data,
            Self::Chunk => Step::Content,
            Self::Content => Step::EndOfContent,
            Self::Rset => Step::Rset,
            Self::Command => Step::Command,
            Self::Quit => Step::Quit,
        }
    }
}

/// A reply that is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub(super) asked: Asked,
    /// Where the command ends.
    end: u64,
}

/// A round trip that is being waited for.
#[derive(Clone, Copy, Debug)]
struct Turn {
    /// How many replies belong to it: those that were due when it began.
    replies: usize,
    began: Duration,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Wire {
    outputs: VecDeque<Output>,
    /// What is to be written behind `outputs`.
    unsent: Vec<u8>,
    said: u64,
    written: u64,
    due: VecDeque<Due>,
    /// Since when the reply at the front is waited for, or the host writes without progress.
    since: Duration,
    turn: Option<Turn>,
    turns: u32,
    shortest_turn: Option<Duration>,
    pub(super) trace: bool,
}

/// What one write usually needs: enough for MAIL, RCPT and DATA.
const WRITE_CAPACITY: usize = 256;

/// What one write needs into which content is copied.
const COPY_CAPACITY: usize = 64 << 10;

impl Wire {
    /// A wire over which nothing has been said. `trace`: the dialogue is told.
    pub(super) fn new(trace: bool) -> Self {
        Self { trace, ..Self::default() }
    }

    /// Says a command, written by `encode` with its line end. A reply is due.
    pub(super) fn command(&mut self, now: Duration, asked: Asked, encode: impl FnOnce(&mut Vec<u8>)) {
        self.say_line(encode);
        self.await_reply(now, asked);
    }

    /// Says a line of which only `shown` may be seen, since it holds a secret. A reply is due.
    pub(super) fn secret(&mut self, now: Duration, asked: Asked, line: &[u8], shown: impl Into<String>) {
        if self.trace {
            self.event(Event::Trace(Trace::Sent(shown.into())));
        }
        self.say(|out| out.extend_from_slice(line));
        self.await_reply(now, asked);
    }

    /// Says a line for which no reply of its own is due, like BDAT before its octets.
    pub(super) fn line(&mut self, now: Duration, encode: impl FnOnce(&mut Vec<u8>)) {
        self.before_saying(now);
        self.say_line(encode);
    }

    /// Says bytes that belong to content.
    pub(super) fn added(&mut self, now: Duration, bytes: &[u8]) {
        self.before_saying(now);
        self.say(|out| out.extend_from_slice(bytes));
    }

    /// Says content that is at hand, by copying it. More is likely to follow.
    pub(super) fn copied(&mut self, now: Duration, bytes: &[u8]) {
        if self.unsent.capacity() < COPY_CAPACITY {
            self.unsent.reserve(COPY_CAPACITY);
        }
        self.added(now, bytes);
    }

    /// Says a range of a message's content.
    pub(super) fn content(&mut self, now: Duration, message: MessageId, range: Range<u64>) {
        self.before_saying(now);
        self.said += range.end - range.start;
        self.output(Output::WriteBody { message, range });
    }

    pub(super) fn event(&mut self, event: Event) {
        self.output(Output::Event(event));
    }

    pub(super) fn ask_host(&mut self, output: Output) {
        self.output(output);
    }

    /// What the host is to do next; [`take_unsent`](Self::take_unsent) comes behind it.
    pub(super) fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What has been said last and is to be written, if there is anything.
    pub(super) fn take_unsent(&mut self) -> Option<Output> {
        (!self.unsent.is_empty()).then(|| Output::Write(core::mem::take(&mut self.unsent)))
    }

    /// Nothing more is written: what has not been taken by the host is void, what has been asked is not answered.
    pub(super) fn hang_up(&mut self) {
        self.outputs.retain(|output| matches!(output, Output::Event(_)));
        self.unsent.clear();
        self.due.clear();
    }

    /// A reply is due for what has been said last.
    pub(super) fn await_reply(&mut self, now: Duration, asked: Asked) {
        if self.due.is_empty() {
            self.since = now;
        }
        self.due.push_back(Due { asked, end: self.said });
    }

    /// Which reply is due next.
    pub(super) fn next_due(&self) -> Option<Due> {
        self.due.front().copied()
    }

    /// At which step the server is.
    pub(super) fn step(&self) -> Option<Step> {
        self.next_due().map(|due| due.asked.step())
    }

    /// Which reply is due last.
    pub(super) fn last_due(&self) -> Option<Asked> {
        self.due.back().map(|due| due.asked)
    }

    /// Whether a reply would come before its command has been written.
    pub(super) fn not_yet_asked(&self, due: Due) -> bool {
        due.end > self.written
    }

    /// The reply that was due next has come.
    pub(super) fn answered(&mut self, now: Duration) {
        self.due.pop_front();
        self.since = now;
        let Some(turn) = &mut self.turn else {
            return;
        };
        turn.replies -= 1;
        if turn.replies == 0 {
            let took = now.saturating_sub(turn.began);
            self.shortest_turn = Some(self.shortest_turn.map_or(took, |shortest| shortest.min(took)));
            self.turn = None;
        }
    }

    /// Whether no reply is due.
    pub(super) fn is_quiet(&self) -> bool {
        self.due.is_empty()
    }

    /// The host has handed so many octets to the network.
    pub(super) fn written(&mut self, now: Duration, octets: u64) {
        self.written = self.said.min(self.written.saturating_add(octets));
        self.since = now;
    }

    /// How many octets the host has not written yet.
    pub(super) fn unwritten(&self) -> u64 {
        self.said - self.written
    }

    /// The place of what will be said next.
    pub(super) fn said(&self) -> u64 {
        self.said
    }

    /// Whether everything before `place` has been handed to the network.
    pub(super) fn is_written(&self, place: u64) -> bool {
        place <= self.written
    }

    /// Since when the reply that is due next is waited for, or the host writes without progress.
    pub(super) fn waiting_since(&self) -> Duration {
        self.since
    }

    /// The connection has nothing to say and waits: a round trip, unless one is under way.
    pub(super) fn wait(&mut self, now: Duration) {
        if self.turn.is_none() && self.due.back().is_some_and(|due| due.asked != Asked::Greeting) {
            self.turn = Some(Turn { replies: self.due.len(), began: now });
            self.turns += 1;
        }
    }

    /// Round trips so far.
    pub(super) fn turns(&self) -> u32 {
        self.turns
    }

    /// The shortest round trip so far.
    pub(super) fn shortest_turn(&self) -> Option<Duration> {
        self.shortest_turn
    }

    fn say_line(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        if !self.trace {
            return self.say(encode);
        }
        let mut line = Vec::new();
        encode(&mut line);
        let shown = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
        self.event(Event::Trace(Trace::Sent(shown)));
        self.say(|out| out.extend_from_slice(&line));
    }

    fn say(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        if self.unsent.is_empty() {
            self.unsent = Vec::with_capacity(WRITE_CAPACITY);
        }
        let before = self.unsent.len();
        encode(&mut self.unsent);
        self.said += (self.unsent.len() - before) as u64;
    }

    fn output(&mut self, output: Output) {
        if let Some(write) = self.take_unsent() {
            self.outputs.push_back(write);
        }
        self.outputs.push_back(output);
    }

    /// To be called where no reply becomes due.
    fn before_saying(&mut self, now: Duration) {
        if self.said == self.written && self.due.is_empty() {
            self.since = now;
        }
    }
}
