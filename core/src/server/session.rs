//! One session with a client: what goes in, what comes out, and how it ends.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::answers::{Asked, Pending};
use super::config::{Config, Tls};
use super::envelope::{Envelope, MessageId};
use super::input::Input;
use super::line::LineReader;
use super::output::{Answer, Closed, Event, Output, Question, QuestionId, Trace};
use super::peer::{Hello, Peer, Seed, TlsInfo, User};
use super::tally::Tally;
use super::transaction::Transaction;
use super::wire::Wire;
use super::words::{EARLY_TALKER, STOPPING, Saying, TOO_SLOW, Words};
use crate::error::{Error, ErrorCode, Step};
use crate::sasl::ServerExchange;
use crate::syntax::Reply;

/// What the session is doing.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    Created,
    /// The host is asked about the client, and no greeting has been said.
    Connecting,
    /// The host makes TLS.
    Handshake,
    /// The client was refused, and QUIT is awaited.
    Refused,
    Commands,
    Auth(Box<ServerExchange>),
    /// Content by DATA, up to its end.
    Data,
    /// A chunk of BDAT. With a `refusal` its octets are read for nothing.
    Chunk {
        left: u64,
        last: bool,
        refusal: Option<Words>,
    },
    Closed(Closed),
}

/// One session with a client, as a machine: a pure function of what is handed in. See the [module](super) for how to drive it.
///
/// It begins when the transport is there, and before anything has been read or written.
#[derive(Clone, Debug)]
pub struct Session {
    pub(super) config: Arc<Config>,
    pub(super) peer: Peer,
    pub(super) seed: Seed,
    pub(super) phase: Phase,
    pub(super) wire: Wire,
    pub(super) line: LineReader,
    pub(super) hello: Option<Hello>,
    pub(super) tls: Option<TlsInfo>,
    pub(super) user: Option<User>,
    pub(super) transaction: Option<Transaction>,
    pub(super) tally: Tally,
    pub(super) pending: Vec<Pending>,
    questions: u64,
    pub(super) messages: u64,
    /// Whether something stood behind the line that waits.
    pub(super) more_behind: bool,
    /// Since when the client's next words are awaited.
    pub(super) since: Duration,
    began: Duration,
    is_stopping: bool,
    has_ended: bool,
}

/// How many outputs there may be that the host has not polled.
const MOST_OUTPUTS: usize = 512;

impl Session {
    /// A session over a transport that has just been opened.
    pub fn new(config: impl Into<Arc<Config>>, peer: Peer, seed: Seed) -> Self {
        let config = config.into();
        Self {
            peer,
            seed,
            phase: Phase::Created,
            wire: Wire::new(config.trace),
            line: LineReader::default(),
            hello: None,
            tls: None,
            user: None,
            transaction: None,
            tally: Tally::default(),
            pending: Vec::new(),
            questions: 0,
            messages: 0,
            more_behind: false,
            since: Duration::ZERO,
            began: Duration::ZERO,
            is_stopping: false,
            has_ended: false,
            config,
        }
    }

    /// Bytes have come. Says how many were taken; the rest is to be handed in again when [`Output::Wait`] says that bytes
    /// are taken.
    ///
    /// Ranges of content are ranges of `bytes`, which must stay until they have been [polled](Self::poll). Nothing more is
    /// taken before that.
    #[must_use = "what was not taken has to be handed in again"]
    pub fn receive(&mut self, now: Duration, bytes: &[u8]) -> usize {
        if self.wire.has_content() {
            return 0;
        }
        let mut input = Input::new(bytes);
        while self.proceed(now, &mut input) {}
        input.taken()
    }

    /// The other side has closed, and nothing more will come. To be said once all that came before has been taken.
    ///
    /// What the host is asked may still be answered, and the replies are still said.
    pub fn receive_eof(&mut self, _now: Duration) {
        self.has_ended = true;
    }

    /// TLS is there.
    pub fn tls_started(&mut self, now: Duration, info: TlsInfo) {
        if !matches!(self.phase, Phase::Handshake) {
            return;
        }
        self.wire.event(Event::TlsStarted);
        self.wire.trace(|| Trace::Tls);
        self.tls = Some(info);
        // RFC 3207 §4.2: what was learnt before is forgotten.
        (self.hello, self.user, self.transaction) = (None, None, None);
        self.since = now;
        match self.config.tls {
            Tls::Implicit => self.connect(),
            _ => self.phase = Phase::Commands,
        }
    }

    /// The host's answer to a question. False if that question is not open, since the session has ended.
    pub fn answer(&mut self, now: Duration, question: QuestionId, answer: Answer) -> bool {
        let Some(at) = self.pending.iter().position(|pending| pending.question == question) else {
            return false;
        };
        let pending = self.pending.remove(at);
        if self.pending.is_empty() {
            self.since = now;
        }
        self.answered(pending, answer);
        true
    }

    /// Refuses a message while its content comes: no more of it is output, and at its end the client gets this reply, a 4yz or
    /// 5yz. False if the content of this message does not come now.
    pub fn refuse_content(&mut self, message: MessageId, reply: Reply) -> bool {
        let is_coming = self.incoming(message);
        if is_coming {
            let saying = Saying::Hosts(reply);
            let saying = if saying.is_refusal() { saying } else { super::words::LOCAL_ERROR.into() };
            self.refuse_incoming(saying);
        }
        is_coming
    }

    /// The server is being stopped: ends the session by 421 as soon as nothing is under way. A message that has a recipient is
    /// still taken, and what the host is asked still answered.
    pub fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// The transport broke, or TLS could not be made: the session is over, for this reason.
    pub fn failed(&mut self, error: Error) {
        let error = if error.step().is_none() { error.at(self.step()) } else { error };
        self.close(Closed::Failed(error));
    }

    /// The moment has come that [`Output::Wait`] named.
    pub fn deadline_passed(&mut self, now: Duration) {
        let Some((_, code)) = self.deadline().filter(|(deadline, _)| *deadline <= now) else {
            return;
        };
        let what = match code {
            ErrorCode::TimeoutTls => "the TLS handshake did not end in time",
            ErrorCode::TimeoutSession => "the session lasted too long",
            _ => "the client said nothing whole in time",
        };
        let error = Error::new(code, what);
        if matches!(self.phase, Phase::Handshake) {
            return self.failed(error);
        }
        self.fail(error, TOO_SLOW);
    }

    /// What to do next. To be called until it says [`Output::Wait`] or [`Output::Closed`].
    pub fn poll(&mut self, now: Duration) -> Output {
        loop {
            if let Some(output) = self.wire.next_output() {
                return output;
            }
            if let Some(closed) = self.wire.take_closing() {
                self.close(closed);
                continue;
            }
            if let Phase::Closed(closed) = &self.phase {
                return Output::Closed(closed.clone());
            }
            if matches!(self.phase, Phase::Created) {
                self.begin(now);
            } else if self.proceed(now, &mut Input::new(&[])) {
                // A line that has waited for an answer, or a chunk of no octets.
            } else if self.is_stopping && self.is_quiet() {
                self.fail_as(Closed::Stopped, STOPPING);
            } else if self.has_ended && self.pending.is_empty() {
                self.failed(Error::new(ErrorCode::ProtocolClosed, "the client closed the connection"));
            } else {
                let deadline = self.deadline().map(|(deadline, _)| deadline);
                return Output::Wait { deadline, reads: self.reads() };
            }
        }
    }

    /// Where the message comes from and goes to whose content comes now.
    pub fn envelope(&self) -> Option<&Envelope> {
        self.transaction.as_ref().filter(|it| it.incoming.is_some()).map(|it| &it.envelope)
    }

    /// How the client has named itself.
    pub fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// Who the client has proved to be.
    pub fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// What the host has said of TLS, if there is TLS.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.tls.as_ref()
    }

    /// Who has come.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Whether it is over.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed(_))
    }

    fn begin(&mut self, now: Duration) {
        (self.began, self.since) = (now, now);
        if self.config.tls == Tls::Implicit {
            self.phase = Phase::Handshake;
            self.wire.output(Output::StartTls);
        } else {
            self.connect();
        }
    }

    /// Goes on by one line or piece of content, if there is one that can be dealt with now.
    fn proceed(&mut self, now: Duration, input: &mut Input<'_>) -> bool {
        let bounds = &self.config.bounds;
        let is_full = self.wire.unwritten() >= bounds.unwritten.max(1) || self.wire.outputs() >= MOST_OUTPUTS;
        match self.phase {
            Phase::Closed(_) => {
                input.take_all();
                false
            }
            _ if is_full || self.wire.is_ending() => false,
            Phase::Created | Phase::Connecting => {
                if !input.is_empty() {
                    let error = Error::new(ErrorCode::ProtocolNotItsTurn, "the client spoke before the greeting");
                    self.pending.clear();
                    self.fail(error.at(Step::Greeting), EARLY_TALKER);
                }
                false
            }
            Phase::Handshake => {
                if !input.is_empty() {
                    self.injected();
                    input.take_all();
                }
                false
            }
            Phase::Refused | Phase::Commands | Phase::Auth(_) => self.read_line(now, input),
            Phase::Data => self.read_data(now, input),
            Phase::Chunk { .. } => self.read_chunk(now, input),
        }
    }

    /// Bytes stand behind STARTTLS. CVE-2011-0411: what came before TLS must not be taken for what comes inside it.
    pub(super) fn injected(&mut self) {
        let what = "bytes came behind STARTTLS, before TLS";
        let error = Error::new(ErrorCode::SecurityStarttlsInjection, what).at(Step::StartTls);
        self.close(Closed::Failed(error));
    }

    /// Asks the host.
    pub(super) fn ask(&mut self, asked: Asked, question: Question) -> QuestionId {
        let id = QuestionId(self.questions);
        self.questions += 1;
        self.pending.push(Pending { question: id, asked });
        self.wire.output(Output::Ask { id, question });
        id
    }

    pub(super) fn say(&mut self, saying: impl Into<Saying>) {
        self.wire.say(&saying.into(), self.config.offer.enhanced_status_codes);
    }

    /// Ends the session with these words, behind what has to be said before.
    pub(super) fn fail(&mut self, error: Error, words: Words) {
        let error = if error.step().is_none() { error.at(self.step()) } else { error };
        self.fail_as(Closed::Failed(error), words);
    }

    pub(super) fn fail_as(&mut self, closed: Closed, words: Words) {
        self.wire.say_last(&words.into(), self.config.offer.enhanced_status_codes, closed);
    }

    pub(super) fn close(&mut self, closed: Closed) {
        if self.is_closed() {
            return;
        }
        self.discard();
        self.transaction = None;
        self.pending.clear();
        self.line.clear();
        self.wire.close();
        self.phase = Phase::Closed(closed);
    }

    /// The host throws away what it has of the content.
    pub(super) fn discard(&mut self) {
        if let Some(incoming) = self.transaction.as_mut().and_then(|it| it.incoming.as_mut())
            && core::mem::take(&mut incoming.is_shown)
        {
            self.wire.output(Output::Discard { message: incoming.message });
        }
    }

    fn incoming(&self, message: MessageId) -> bool {
        let incoming = self.transaction.as_ref().and_then(|it| it.incoming.as_ref());
        incoming.is_some_and(|incoming| incoming.message == message && incoming.refusal.is_none())
    }

    /// Whether nothing is under way that was promised or may yet be.
    fn is_quiet(&self) -> bool {
        // With BDAT the content may be on its way as soon as there is a recipient.
        let takes_content = self.transaction.as_ref().is_some_and(|it| it.recipients() > 0);
        self.pending.is_empty()
            && !takes_content
            && matches!(self.phase, Phase::Commands | Phase::Refused | Phase::Auth(_))
    }

    /// Whether bytes are taken now.
    fn reads(&self) -> bool {
        if self.has_ended || self.wire.is_ending() {
            return false;
        }
        match self.phase {
            Phase::Closed(_) | Phase::Created | Phase::Handshake => false,
            Phase::Connecting | Phase::Data | Phase::Chunk { .. } => true,
            Phase::Refused | Phase::Commands | Phase::Auth(_) => self.may_read() && !self.line_waits(),
        }
    }

    fn deadline(&self) -> Option<(Duration, ErrorCode)> {
        let timeouts = &self.config.timeouts;
        let (timeout, code) = match self.phase {
            Phase::Closed(_) | Phase::Created => return None,
            Phase::Handshake => (timeouts.tls, ErrorCode::TimeoutTls),
            _ if !self.pending.is_empty() => return None,
            Phase::Data | Phase::Chunk { .. } => (timeouts.content, ErrorCode::TimeoutCommand),
            _ => (timeouts.command, ErrorCode::TimeoutCommand),
        };
        let (end, session) = (self.since.saturating_add(timeout), self.began.saturating_add(timeouts.session));
        Some(if session < end { (session, ErrorCode::TimeoutSession) } else { (end, code) })
    }

    fn step(&self) -> Step {
        match self.phase {
            Phase::Created | Phase::Connecting => Step::Greeting,
            Phase::Handshake => Step::StartTls,
            Phase::Auth(_) => Step::Auth,
            Phase::Data | Phase::Chunk { .. } => Step::Content,
            Phase::Refused | Phase::Commands | Phase::Closed(_) => Step::Idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_idles_is_small() {
        let config = Arc::new(Config::new("mx.example".parse().unwrap()));
        let seed = Seed { random: [0; 32], unix_time: 0 };
        let mut session = Session::new(config, Peer::default(), seed);
        let now = Duration::ZERO;
        while !matches!(session.poll(now), Output::Wait { .. }) {}
        assert_eq!(session.receive(now, b"EHLO client.example\r\n"), 21);
        while !matches!(session.poll(now), Output::Wait { .. }) {}
        // What it holds besides: the room for a line, and the client's name.
        assert!(size_of::<Session>() < 2048, "{} octets", size_of::<Session>());
    }
}
