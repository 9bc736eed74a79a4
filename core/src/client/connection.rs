//! One connection to a server: what goes in, what comes out, and how it ends.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use super::config::{Config, TlsInfo};
use super::ending::state_of;
use super::message::{Message, MessageId};
use super::needs::Ground;
use super::opening::AuthExchange;
use super::outcome::{State, refusal};
use super::output::{Closed, Event, Failure, Output, Trace};
use super::query::Query;
use super::sending::Sender;
use super::transaction::{Consequence, Transaction};
use super::usual::Usual;
use super::wire::{Asked, Due, Wire};
use crate::error::{Error, ErrorCode, Step};
use crate::sasl::{Mechanism, Secret};
use crate::syntax::{Capabilities, Reply, ReplyFramer, Severity};

/// What the connection is doing.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    Created,
    /// Greeting, EHLO or STARTTLS: the reply that is due says which.
    Opening,
    /// The host makes TLS.
    Handshake {
        since: Duration,
    },
    /// The host gets a token.
    Token,
    Auth(Box<AuthExchange>),
    Ready,
    /// QUIT was said.
    Quitting,
    Closed(Closed),
}

/// One connection to a server, as a machine: a pure function of what is handed in. See the [module](super) for how to
/// drive it.
///
/// It begins when the transport is there, and before anything has been read or written; or later, by
/// [`adopt`](Self::adopt).
#[derive(Clone, Debug)]
pub struct Connection {
    pub(super) config: Config,
    pub(super) phase: Phase,
    pub(super) wire: Wire,
    pub(super) sender: Sender,
    pub(super) capabilities: Capabilities,
    pub(super) tls: Option<TlsInfo>,
    pub(super) said_helo: bool,
    /// Mechanisms that were refused.
    pub(super) tried: Vec<Mechanism>,
    pub(super) framer: ReplyFramer,
    usual: Usual,
    queries: VecDeque<Query>,
    queries_made: u64,
    queries_answered: u64,
    wants_quit: bool,
}

impl Connection {
    /// A connection over a transport that has just been opened.
    pub fn new(config: Config) -> Self {
        Self {
            phase: Phase::Created,
            wire: Wire::new(config.trace),
            sender: Sender::new(&config),
            capabilities: Capabilities::default(),
            tls: None,
            said_helo: false,
            tried: Vec::new(),
            framer: ReplyFramer::new(config.reply_limits),
            usual: Usual::default(),
            queries: VecDeque::new(),
            queries_made: 0,
            queries_answered: 0,
            wants_quit: false,
            config,
        }
    }

    /// A connection that somebody else has opened: the server has been greeted, TLS and log-in are behind it, no transaction
    /// is open and no reply is due. It is ready at once. `capabilities` are those of the last EHLO; none after HELO.
    pub fn adopt(config: Config, capabilities: Capabilities, tls: Option<TlsInfo>) -> Self {
        let mut adopted = Self::new(config);
        adopted.phase = Phase::Ready;
        adopted.sender.learn(&capabilities, adopted.config.pipelining);
        adopted.capabilities = capabilities;
        adopted.tls = tls;
        adopted
    }

    /// Takes a message. It ends by exactly one [`Event::Finished`].
    pub fn submit(&mut self, message: Message) -> MessageId {
        let id = self.sender.submit(message);
        if let Phase::Closed(closed) = &self.phase {
            let (error, reply) = why(closed);
            self.sender.cut_off(state_after(&error, reply.as_ref()), &error, reply.as_ref(), &mut self.wire);
        }
        id
    }

    /// Whether one more message now would keep the connection from waiting. A driver with many messages submits while
    /// this says so.
    pub fn wants_message(&self) -> bool {
        self.sender.queue.is_empty() && !self.wants_quit && !self.sender.is_spent() && !self.is_closed()
    }

    /// The user cancels a message. Its outcome follows at once: `deferred`, or `unknown` where its content was said.
    ///
    /// The session goes on, but for a message whose content is under way by DATA: there is no other way to stop it than
    /// to end the connection.
    pub fn abort(&mut self, message: MessageId) {
        let error = Error::new(ErrorCode::Cancelled, "the message was cancelled");
        self.give_up(message, State::Deferred, &error);
    }

    /// Asks the server something between messages. [`Event::Reply`] with this number brings the answer.
    pub fn command(&mut self, query: Query) -> u64 {
        let id = self.queries_made;
        self.queries_made += 1;
        self.queries.push_back(query);
        id
    }

    /// Ends the session by QUIT once everything that was submitted has been sent.
    pub fn quit(&mut self) {
        self.wants_quit = true;
    }

    /// Bytes have come.
    pub fn receive(&mut self, now: Duration, bytes: &[u8]) {
        let mut input = bytes;
        while !input.is_empty() {
            match self.phase {
                Phase::Closed(_) => return,
                // CVE-2011-0411: what came before TLS must not be taken for what comes inside it.
                Phase::Handshake { .. } => return self.injected(),
                _ => {}
            }
            let due = self.wire.next_due();
            let reply = match self.usual.next(due, &self.framer, &mut input) {
                Some(reply) => reply,
                None => match self.framer.next(&mut input) {
                    Ok(Some(reply)) => {
                        self.usual.learn(due, &reply);
                        reply
                    }
                    Ok(None) => return,
                    Err(error) => {
                        let error = self.without_quotation(error).at(self.step());
                        return self.hang_up(error, None);
                    }
                },
            };
            self.answered(now, due, &reply);
        }
    }

    /// The other side has closed, and nothing more will come.
    pub fn receive_eof(&mut self, _now: Duration) {
        if matches!(self.phase, Phase::Quitting) && self.sender.is_idle() {
            return self.close(Closed::Quit);
        }
        let error = Error::new(ErrorCode::ProtocolClosed, "the server closed the connection");
        self.hang_up(error.at(self.step()), None);
    }

    /// So many octets, of everything that was to be written, in order, have been handed to the network and may reach
    /// the other side. To be said before anything else that happens after it.
    pub fn written(&mut self, now: Duration, octets: u64) {
        self.wire.written(now, octets);
    }

    /// TLS is there.
    pub fn tls_started(&mut self, now: Duration, info: TlsInfo) {
        if let Phase::Handshake { .. } = self.phase {
            self.secured(info, now);
        }
    }

    /// Here is the token that was asked for.
    pub fn token(&mut self, now: Duration, token: Secret) {
        self.token_given(token, now);
    }

    /// The transport broke, TLS could not be made, no token could be had: the connection is over, for this reason.
    pub fn failed(&mut self, error: Error) {
        let error = if error.step().is_none() { error.at(self.step()) } else { error };
        self.hang_up(error, None);
    }

    /// Here is content of a message, from the offset on that [`Output::ReadBody`] named. Says how many octets were taken;
    /// another [`Output::ReadBody`] asks for the rest.
    pub fn content(&mut self, now: Duration, message: MessageId, bytes: &[u8]) -> usize {
        let Some(transaction) = self.sender.row.back_mut().filter(|it| it.job.id == message && it.wants_content())
        else {
            return bytes.len();
        };
        match transaction.content(bytes, now, &mut self.wire) {
            Ok(taken) => taken,
            Err(error) => {
                self.give_up(message, state_of(&error), &error);
                bytes.len()
            }
        }
    }

    /// The content of a message has ended.
    pub fn content_end(&mut self, now: Duration, message: MessageId) {
        let Some(transaction) = self.sender.row.back_mut().filter(|it| it.job.id == message && it.wants_content())
        else {
            return;
        };
        if let Err(error) = transaction.content_end(now, &mut self.wire) {
            self.give_up(message, state_of(&error), &error);
        }
    }

    /// The content of a message could not be read.
    pub fn content_failed(&mut self, message: MessageId, error: &Error) {
        self.give_up(message, state_of(error), error);
    }

    /// The moment has come that [`Output::Wait`] named.
    pub fn deadline_passed(&mut self, now: Duration) {
        while let Some(message) = self.sender.overdue(now) {
            let error = Error::new(ErrorCode::TimeoutDeadline, "the deadline of the message passed");
            self.give_up(message, State::Deferred, &error);
        }
        match (self.patience(), &self.phase) {
            (Some(patience), _) if patience.end() > now => {}
            (Some(_), Phase::Quitting) if self.sender.is_idle() => self.close(Closed::Quit),
            (Some(patience), _) => self.hang_up(patience.into_error(), None),
            (None, _) => {}
        }
    }

    /// What to do next. To be called until it says [`Output::Wait`] or [`Output::Closed`].
    #[inline] // so that what is at hand costs the host no call
    pub fn poll(&mut self, now: Duration) -> Output {
        match self.wire.next_output() {
            Some(output) => output,
            None => self.think(now),
        }
    }

    /// What the server has offered last.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Whether messages can be sent now.
    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    /// Whether messages can be sent now, and nothing is left to be done or awaited.
    pub fn is_idle(&self) -> bool {
        self.is_ready() && self.sender.is_idle() && self.queries.is_empty() && self.wire.is_quiet()
    }

    /// Whether the server owes replies to a message, if only to one that was cancelled.
    pub fn has_transaction(&self) -> bool {
        !self.sender.row.is_empty()
    }

    /// Whether it is over.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed(_))
    }

    /// Nothing is at hand: says what may be said now.
    #[inline(never)]
    fn think(&mut self, now: Duration) -> Output {
        let mut said = true;
        // What can go in one write does not go in two.
        while said {
            said = self.say(now);
            if let Some(output) = self.wire.next_output() {
                return output;
            }
        }
        match (self.wire.take_unsent(), &self.phase) {
            (Some(write), _) => write,
            (None, Phase::Closed(closed)) => Output::Closed(closed.clone()),
            (None, _) => self.wait(now),
        }
    }

    /// Says one thing that may be said now, if there is any.
    fn say(&mut self, now: Duration) -> bool {
        match self.phase {
            Phase::Created => {
                self.begin(now);
                return true;
            }
            Phase::Ready => {}
            _ => return false,
        }
        // Nothing may follow NOOP and the like in one group (RFC 2920 §3.1).
        if matches!(self.wire.last_due(), Some(Asked::Command)) {
            return false;
        }
        // What the user asks comes between two transactions, however many messages wait.
        if !self.queries.is_empty()
            && !self.sender.is_out_of_step()
            && self.sender.row.back().is_none_or(Transaction::is_said)
        {
            return self.sender.row.is_empty() && self.say_query(now);
        }
        let ground = Ground {
            offered: &self.capabilities,
            verified_tls: self.tls.as_ref().is_some_and(|tls| tls.verified),
            chunking: self.config.chunking,
            prefers_bdat: self.sender.prefers_bdat(&self.capabilities),
        };
        if self.sender.say(now, &mut self.wire, ground) {
            return true;
        }
        let quits = self.wants_quit || self.sender.is_spent() && self.sender.is_idle();
        let may_quit =
            self.sender.is_idle() && self.wire.is_quiet() || self.sender.is_said() && self.sender.may_quit_early();
        if quits && may_quit {
            self.phase = Phase::Quitting;
            self.wire.command(now, Asked::Quit, |out| out.extend_from_slice(b"QUIT\r\n"));
            return true;
        }
        false
    }

    fn say_query(&mut self, now: Duration) -> bool {
        if !self.wire.is_quiet() {
            return false;
        }
        let Some(query) = self.queries.pop_front() else {
            return false;
        };
        self.wire.command(now, Asked::Command, |out| query.encode(out));
        true
    }

    fn wait(&mut self, now: Duration) -> Output {
        if !self.sender.row.back().is_some_and(Transaction::wants_content) {
            self.wire.wait(now);
        }
        let peer = self.patience().map(|patience| patience.end());
        let deadline = match (peer, self.sender.next_deadline()) {
            (Some(peer), Some(message)) => Some(peer.min(message)),
            (peer, message) => peer.or(message),
        };
        Output::Wait { deadline }
    }

    /// A reply has come.
    fn answered(&mut self, now: Duration, due: Option<Due>, reply: &Reply) {
        let is_for_auth = due.is_some_and(|due| due.asked == Asked::Auth);
        let harmless = if is_for_auth { self.without_secret(reply) } else { None };
        let shown = harmless.as_ref().unwrap_or(reply);
        if self.config.trace {
            self.wire.event(Event::Trace(Trace::Received(shown.clone())));
        }
        // A challenge is needed as it is, and is not told.
        let reply = if reply.severity() == Severity::Intermediate { reply } else { shown };
        let Some(due) = due else {
            return self.unasked(reply);
        };
        let closing = is_last(reply);
        if self.wire.not_yet_asked(due) && !closing && !is_early_refusal(due.asked, reply) {
            return self.unasked(reply);
        }
        self.wire.answered(now);
        match due.asked {
            Asked::Mail | Asked::Rcpt | Asked::Data | Asked::Chunk | Asked::Content => {
                match self.sender.answered(due.asked, reply, &mut self.wire) {
                    Consequence::None => {}
                    Consequence::HangUp => self.stop_content(),
                    Consequence::Broken(error) => self.hang_up(error, None),
                }
            }
            Asked::Rset if reply.severity() == Severity::Completion || closing => {}
            Asked::Rset => self.hang_up(refusal(reply).at(Step::Rset), None),
            Asked::Hello | Asked::StartTls | Asked::Auth if closing => {}
            Asked::Greeting | Asked::Hello | Asked::StartTls | Asked::Auth => {
                self.opening_answered(due.asked, reply, now);
            }
            Asked::Command => {
                let id = self.queries_answered;
                self.queries_answered += 1;
                self.wire.event(Event::Reply { id, reply: reply.clone() });
            }
            Asked::Quit => self.close(Closed::Quit),
        }
        if closing {
            self.hang_up(refusal(reply).at(due.asked.step()), Some(reply.clone()));
        }
    }

    /// A reply has come that nothing had asked for.
    fn unasked(&mut self, reply: &Reply) {
        let step = self.step();
        if is_last(reply) {
            return self.hang_up(refusal(reply).at(step), Some(reply.clone()));
        }
        let what = format!("the server said without being asked: {reply}");
        let error = Error::new(ErrorCode::ProtocolUnexpectedReply, what).at(step);
        let refused = matches!(reply.severity(), Severity::Transient | Severity::Permanent);
        if refused && self.wire.next_due().is_none() && self.sender.refuse_early(reply) {
            return self.stop_content();
        }
        self.hang_up(error, None);
    }

    fn step(&self) -> Step {
        match self.phase {
            Phase::Created => Step::Connect,
            Phase::Handshake { .. } => Step::StartTls,
            Phase::Token => Step::Auth,
            _ => self.wire.step().unwrap_or(Step::Idle),
        }
    }

    fn give_up(&mut self, message: MessageId, state: State, error: &Error) {
        match self.sender.give_up(message, state, error, &mut self.wire) {
            Consequence::None => {}
            Consequence::HangUp | Consequence::Broken(_) => self.stop_content(),
        }
    }

    /// Content is under way that must not come to its end.
    fn stop_content(&mut self) {
        let what = "the connection was closed, to stop a message whose content was under way";
        self.hang_up(Error::new(ErrorCode::ConnectLost, what).at(Step::Content), None);
    }

    /// Ends it with QUIT, whose answer nobody waits for: the protocol is in order, we don't want to go on. Behind bytes
    /// that are stuck with the host, which now lets go of them, nothing can be said.
    pub(super) fn part(&mut self, error: Error, reply: Option<Reply>, now: Duration) {
        self.wire.hang_up();
        if self.wire.unwritten() == 0 {
            self.wire.line(now, |out| out.extend_from_slice(b"QUIT\r\n"));
        }
        self.end(error, reply);
    }

    /// Ends it without a word.
    pub(super) fn hang_up(&mut self, error: Error, reply: Option<Reply>) {
        if !self.is_closed() {
            self.wire.hang_up();
            self.end(error, reply);
        }
    }

    fn end(&mut self, error: Error, reply: Option<Reply>) {
        self.sender.cut_off(state_after(&error, reply.as_ref()), &error, reply.as_ref(), &mut self.wire);
        self.phase = Phase::Closed(Closed::Failed(Failure { error, reply }));
    }

    fn close(&mut self, closed: Closed) {
        let (error, reply) = why(&closed);
        self.wire.hang_up();
        self.sender.cut_off(State::Deferred, &error, reply.as_ref(), &mut self.wire);
        self.phase = Phase::Closed(closed);
    }
}

/// Whether the server closes the connection behind it (RFC 5321 §3.8).
fn is_last(reply: &Reply) -> bool {
    reply.severity() == Severity::Transient && reply.code() == 421
}

/// A server may refuse content before its end; the rest of it is on its way and will be ignored.
fn is_early_refusal(asked: Asked, reply: &Reply) -> bool {
    matches!(asked, Asked::Content | Asked::Chunk)
        && matches!(reply.severity(), Severity::Transient | Severity::Permanent)
}

fn why(closed: &Closed) -> (Error, Option<Reply>) {
    match closed {
        Closed::Quit => (Error::new(ErrorCode::ConnectLost, "the session had been ended").at(Step::Quit), None),
        Closed::Failed(failure) => (failure.error.clone(), failure.reply.clone()),
    }
}

/// What the end of a connection means for a message whose content was not fully sent.
fn state_after(error: &Error, reply: Option<&Reply>) -> State {
    match reply {
        Some(reply) if reply.severity() == Severity::Permanent => State::Rejected,
        _ => state_of(error),
    }
}
