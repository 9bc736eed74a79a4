//! Which message goes over which session: what both clients do alike, without the waiting.
//!
//! The driver asks what is [needed](Courier::step), gets it, and asks again. A message that a session lost before its content
//! was begun goes over a new one, once that has something to show for it: a session that was open before, or has carried
//! a message. Nobody needs to know then that a server had closed it in the meantime, or takes only so many messages in one.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use okuru_core::client::{
    Closed, Connection, Event, MessageId, Outcome, Output, Pipelining, Progress, Query, State, Tls,
};
use okuru_core::sasl::Secret;
use okuru_core::syntax::{Reply, Severity};
use okuru_core::{Error, ErrorCode, Step};

use crate::connect::too_late;
use crate::flight::{Item, Loan};
use crate::logging;
use crate::message::Message;
use crate::options::Options;
use crate::server_info::ServerInfo;
use crate::session::{Flushed, Session, Turn, unreadable};
#[cfg(feature = "rustls")]
use crate::tls::Trust;
use crate::transport::Transport;

/// What a client has to do, and with what.
pub(crate) struct Courier {
    options: Arc<Options>,
    session: Option<Session>,
    /// What was known of the server when the last session ended.
    last_info: Option<ServerInfo>,
    /// In place of a session that never came to be.
    failed: Option<Failed>,
    /// Messages that no session has, in their order.
    waiting: VecDeque<Item>,
    outcomes: VecDeque<Outcome>,
    /// How many of the outcomes may be told: behind them, nothing is left to be written.
    told: usize,
    goal: Goal,
    /// Whether the user may have more messages.
    more: bool,
    call: u64,
    taken: u64,
    begins: bool,
    /// The session was open before, or has carried a message.
    is_proven: bool,
    /// The next session goes without TLS.
    without_tls: bool,
    is_reduced: bool,
    query: Option<Query>,
    reply: Option<Reply>,
    error: Option<Error>,
}

/// A connection that never got so far that a message could be sent. It gives each message its outcome.
struct Failed {
    machine: Connection,
    since: Duration,
    /// It would fail in the same way again.
    is_final: bool,
}

/// For how long messages of the same call share a failure to get a session, before another try.
const SHARED_FAILURE: Duration = Duration::from_secs(10);

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// All messages have their outcomes.
    Outcomes,
    /// The session is ready.
    Ready,
    /// The query has a reply.
    Reply,
    /// The session is over.
    Closed,
}

/// What the driver is to do.
#[derive(Debug)]
pub(crate) enum Need {
    /// Tell the user.
    Outcome(Outcome),
    /// Ask the user for a message: [`take`](Courier::take), or [`no_more`](Courier::no_more).
    Message,
    /// Connect: [`connected`](Courier::connected), or [`not_connected`](Courier::not_connected).
    Connection {
        until: Duration,
    },
    /// Read: [`content_read`](Courier::content_read).
    Content(MessageId, Loan),
    /// Get a token: [`token`](Courier::token).
    Token,
    /// Wait until there is something to read, or room to write where there is something to be written, or the deadline.
    Wait {
        #[cfg_attr(not(feature = "blocking"), expect(dead_code, reason = "a task is woken for either"))]
        writing: bool,
        deadline: Option<Duration>,
    },
    Done,
}

/// A transport that has been opened.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Where it goes, for the user.
    pub(crate) address: String,
    /// Where it comes from.
    pub(crate) local: Option<IpAddr>,
    /// What the server has said already.
    pub(crate) early: Vec<u8>,
    #[cfg(feature = "rustls")]
    pub(crate) trust: Option<Trust>,
}

impl Opened {
    pub(crate) fn new(address: String, local: Option<IpAddr>, early: Vec<u8>) -> Self {
        Self {
            address,
            local,
            early,
            #[cfg(feature = "rustls")]
            trust: None,
        }
    }
}

impl Courier {
    pub(crate) fn new(options: Arc<Options>) -> Self {
        Self {
            options,
            session: None,
            last_info: None,
            failed: None,
            waiting: VecDeque::new(),
            outcomes: VecDeque::new(),
            told: 0,
            goal: Goal::Outcomes,
            more: false,
            call: 0,
            taken: 0,
            begins: false,
            is_proven: false,
            without_tls: false,
            is_reduced: false,
            query: None,
            reply: None,
            error: None,
        }
    }

    pub(crate) fn options(&self) -> &Arc<Options> {
        &self.options
    }

    pub(crate) fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// What is known of the server, if there is a session that is ready.
    pub(crate) fn info(&self) -> Option<&ServerInfo> {
        self.session.as_ref().filter(|session| session.is_ready()).map(Session::info)
    }

    /// What is known of the server, also if the session has ended or was never ready.
    pub(crate) fn last_info(&self) -> Option<&ServerInfo> {
        self.session.as_ref().map(Session::info).or(self.last_info.as_ref())
    }

    /// Begins a call.
    pub(crate) fn begin(&mut self, goal: Goal) {
        self.call += 1;
        self.taken = 0;
        self.begins = true;
        self.goal = goal;
        self.more = goal == Goal::Outcomes;
        self.failed = None;
        self.error = None;
        self.reply = None;
        self.query = None;
        if goal == Goal::Closed {
            self.end_session();
        }
    }

    /// By QUIT, where that can be said at once. Nobody waits for a server that has not come so far, or that owes replies to what
    /// was cancelled.
    fn end_session(&mut self) {
        match &mut self.session {
            Some(session) if session.is_between_messages() => session.quit(),
            Some(session) => {
                self.last_info = Some(session.info().clone());
                self.session = None;
            }
            None => {}
        }
    }

    /// Begins a call that asks the server something.
    pub(crate) fn begin_query(&mut self, query: Query) {
        self.begin(Goal::Reply);
        self.query = Some(query);
    }

    /// What the query has brought.
    pub(crate) fn take_reply(&mut self) -> Result<Reply, Error> {
        self.reply.take().ok_or_else(|| self.take_error())
    }

    /// Why there is no session.
    pub(crate) fn take_error(&mut self) -> Error {
        let unexplained = || Error::new(ErrorCode::ConnectLost, "the session had been ended").at(Step::Idle);
        self.error.take().unwrap_or_else(unexplained)
    }

    /// The next outcome that needs nothing to be done before.
    pub(crate) fn next_told(&mut self) -> Option<Outcome> {
        self.told = self.told.checked_sub(1)?;
        self.outcomes.pop_front()
    }

    /// What is to be done.
    pub(crate) fn step(&mut self, transport: &mut impl Transport, now: Duration) -> Need {
        if std::mem::take(&mut self.begins) {
            self.look_at_session(transport, now);
        }
        loop {
            if let Some(outcome) = self.next_told() {
                return Need::Outcome(outcome);
            }
            let Some(session) = &mut self.session else {
                match self.without_session(now) {
                    Some(need) => return need,
                    None => continue,
                }
            };
            match session.turn(transport, now, self.more || !self.waiting.is_empty()) {
                Turn::Hungry => match self.waiting.pop_front() {
                    Some(item) => session.submit(item),
                    None => return Need::Message,
                },
                Turn::Finished(outcome) => self.finished(outcome),
                Turn::Replied(reply) => self.reply = Some(reply),
                Turn::Closed(closed) => self.closed(&closed, now),
                Turn::Quiet { deadline } => {
                    if session.is_ready()
                        && let Some(query) = self.query.take()
                    {
                        session.command(query);
                        continue;
                    }
                    let flushed = session.flush(transport, now);
                    self.told = self.outcomes.len();
                    if self.told > 0 || flushed == Flushed::All {
                        continue;
                    }
                    if session.asks_for_token() {
                        return Need::Token;
                    }
                    if let Some((message, loan)) = session.asks_for_content() {
                        return Need::Content(message, loan);
                    }
                    if self.is_done() {
                        return Need::Done;
                    }
                    return Need::Wait { writing: flushed == Flushed::Blocked, deadline };
                }
            }
        }
    }

    /// Takes a message of the user, whose content has been [opened](crate::Content::open).
    pub(crate) fn take(&mut self, message: Message, now: Duration) {
        let item = self.item(message, now);
        match &mut self.session {
            Some(session) if self.waiting.is_empty() => session.submit(item),
            _ => self.waiting.push_back(item),
        }
    }

    /// Takes a message of the user, whose content could not be opened.
    pub(crate) fn take_unreadable(&mut self, message: Message, error: &io::Error, now: Duration) {
        let item = self.item(message, now);
        self.end(item, now, |machine, id| machine.content_failed(id, &unreadable(error)));
    }

    fn item(&mut self, message: Message, now: Duration) -> Item {
        let index = self.taken;
        self.taken += 1;
        let deadline = message.deadline.or(self.options.deadline).map(|deadline| now.saturating_add(deadline));
        Item { index, call: self.call, message, deadline, retried: false, window: None, earlier: None }
    }

    /// The user has no more messages.
    pub(crate) fn no_more(&mut self) {
        self.more = false;
    }

    /// The user may have more messages after all.
    #[cfg(feature = "tokio")]
    pub(crate) fn maybe_more(&mut self) {
        self.more = true;
        // Nobody has looked after an idle session in the meantime.
        self.begins = self.session.as_ref().is_some_and(Session::is_empty);
    }

    /// Here is a transport.
    pub(crate) fn connected(&mut self, opened: Opened, now: Duration) {
        let authentication = match self.options.authentication() {
            Ok(authentication) => authentication,
            Err(error) => return self.not_connected(error, now),
        };
        let tls = if std::mem::take(&mut self.without_tls) { Tls::None } else { self.options.tls };
        let level = if self.is_reduced { Pipelining::Message } else { Pipelining::Streaming };
        let traced = self.options.trace.is_some() || logging::wants_dialogue();
        let mut config = self.options.config(opened.local, tls, level, traced);
        config.authentication = authentication;
        let info = ServerInfo { protocol: config.protocol, address: opened.address, ..ServerInfo::default() };
        logging::connected(&info);
        let session = Session::new(Connection::new(config), info, self.options.trace.clone(), opened.early);
        #[cfg(feature = "rustls")]
        let session = session.trusting(opened.trust);
        self.session = Some(session);
        self.is_proven = false;
    }

    /// There is no way to connect.
    pub(crate) fn not_connected(&mut self, error: Error, now: Duration) {
        let is_overdue = |item: &Item| item.deadline.is_some_and(|deadline| deadline <= now);
        let (overdue, left) = std::mem::take(&mut self.waiting).into_iter().partition(is_overdue);
        self.waiting = left;
        let cut_short = !VecDeque::is_empty(&overdue);
        for item in overdue {
            self.end(item, now, |machine, _| machine.deadline_passed(now));
        }
        if cut_short && error.code() == ErrorCode::TimeoutConnect {
            // That was the time of those messages, not that of the connection.
            return;
        }
        logging::ended(&error);
        let mut machine = self.dry_machine();
        machine.failed(error.clone());
        self.failed = Some(Failed { machine, since: now, is_final: false });
        self.error = Some(error);
    }

    /// Bytes have come.
    pub(crate) fn receive(&mut self, now: Duration, bytes: &[u8]) {
        match &mut self.session {
            Some(session) if bytes.is_empty() => session.receive_eof(now),
            Some(session) => session.receive(now, bytes),
            None => {}
        }
    }

    /// Reading has failed.
    pub(crate) fn broken(&mut self, error: &io::Error) {
        if let Some(session) = &mut self.session {
            session.broken(error);
        }
    }

    pub(crate) fn deadline_passed(&mut self, now: Duration) {
        if let Some(session) = &mut self.session {
            session.deadline_passed(now);
        }
    }

    /// Content has been read, or could not be; without a loan what was lent is lost.
    pub(crate) fn content_read(&mut self, message: MessageId, loan: Option<Loan>, result: io::Result<usize>) {
        if let Some(session) = &mut self.session {
            session.content_read(message, loan, result);
        }
    }

    pub(crate) fn token(&mut self, now: Duration, token: Result<Secret, Error>) {
        if let Some(session) = &mut self.session {
            session.token(now, token);
        }
    }

    /// The user has lost interest in the call. The session is left so that another call can use it, or is over.
    pub(crate) fn abandon(&mut self, now: Duration) {
        self.more = false;
        self.query = None;
        self.waiting.clear();
        self.outcomes.clear();
        self.told = 0;
        let Some(session) = &mut self.session else {
            return;
        };
        session.abort_all();
        loop {
            match session.turn(&mut Busy, now, false) {
                Turn::Finished(outcome) => drop(session.take(outcome.message)),
                Turn::Replied(_) | Turn::Hungry => {}
                Turn::Quiet { .. } => break,
                Turn::Closed(_) => {
                    self.session = None;
                    break;
                }
            }
        }
    }

    /// A session that was left open may have been closed by the server, without our having looked.
    fn look_at_session(&mut self, transport: &mut impl Transport, now: Duration) {
        let Some(session) = &mut self.session else {
            return;
        };
        self.is_proven = true;
        let mut buffer = [0; 4096];
        loop {
            match transport.try_read(&mut buffer) {
                Ok(0) => return session.receive_eof(now),
                Ok(length) => session.receive(now, buffer.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return session.broken(&error),
            }
        }
    }

    fn without_session(&mut self, now: Duration) -> Option<Need> {
        if !self.outcomes.is_empty() {
            self.told = self.outcomes.len();
            return None;
        }
        if self.failed.as_ref().is_some_and(|it| !it.is_final && now > it.since + SHARED_FAILURE) {
            self.failed = None;
        }
        if self.waiting.is_empty() {
            if self.more {
                return Some(Need::Message);
            }
            let wants_session = matches!(self.goal, Goal::Ready | Goal::Reply);
            if !wants_session || self.failed.is_some() || self.reply.is_some() {
                return Some(Need::Done);
            }
        }
        if let Some(failed) = &mut self.failed {
            while let Some(item) = self.waiting.pop_front() {
                failed.machine.submit(item.for_core());
                self.outcomes.extend(outcome_of(&mut failed.machine, item, now));
            }
            return None;
        }
        let timeout = now.saturating_add(self.options.connect_timeout);
        let deadlines = self.waiting.iter().filter_map(|item| item.deadline);
        let until = deadlines.fold(timeout, Duration::min);
        if until <= now {
            self.not_connected(too_late(&self.options.host()), now);
            return None;
        }
        Some(Need::Connection { until })
    }

    fn is_done(&self) -> bool {
        match self.goal {
            Goal::Outcomes => {
                let is_empty = self.session.as_ref().is_none_or(Session::is_empty);
                is_empty && self.waiting.is_empty() && !self.more
            }
            Goal::Ready => self.session.as_ref().is_some_and(Session::is_ready),
            Goal::Reply => self.reply.is_some(),
            Goal::Closed => self.session.is_none(),
        }
    }

    fn finished(&mut self, outcome: Outcome) {
        let Some(mut item) = self.session.as_mut().and_then(|session| session.take(outcome.message)) else {
            return;
        };
        if item.call != self.call {
            return;
        }
        if self.is_worth_another_session(&item, &outcome) {
            logging::again(&outcome);
            item.retried |= outcome.progress > Progress::Queued;
            return self.wait_again(item);
        }
        self.is_proven |= outcome.progress > Progress::Queued;
        // A session that leaves somebody over has taken a message before, whose outcome may not have come yet.
        if item.has_leftover(&outcome)
            && let Some(session) = self.session.as_mut().filter(|session| self.is_proven || !session.is_empty())
        {
            session.quit();
            logging::again(&outcome);
            item.name_leftover(outcome);
            return self.wait_again(item);
        }
        let outcome = item.joined(outcome);
        logging::outcome(&outcome);
        self.outcomes.push_back(outcome);
    }

    fn wait_again(&mut self, item: Item) {
        let place = self.waiting.partition_point(|other| other.index < item.index);
        self.waiting.insert(place, item);
    }

    /// Whether the connection was at fault, and another may do better.
    fn is_worth_another_session(&self, item: &Item, outcome: &Outcome) -> bool {
        let is_deferred = || outcome.recipients.iter().all(|recipient| recipient.state == State::Deferred);
        let Some(error) = outcome.error.as_ref().filter(|_| is_deferred() && item.is_whole()) else {
            return false;
        };
        let has_closed = matches!(
            error.code(),
            ErrorCode::ConnectLost | ErrorCode::ProtocolClosed | ErrorCode::ReplyClosing | ErrorCode::LimitSession
        );
        match outcome.progress {
            Progress::Queued if self.falls_back() => {
                !matches!(error.code(), ErrorCode::Cancelled | ErrorCode::TimeoutDeadline)
            }
            Progress::Queued => self.is_proven && has_closed,
            Progress::Envelope => self.is_proven && has_closed && !item.retried,
            Progress::Content | Progress::Sent => false,
        }
    }

    /// Whether a session is to be tried without TLS, since there was none to be had with it.
    fn falls_back(&self) -> bool {
        self.options.tls == Tls::Opportunistic && self.session.as_ref().is_some_and(Session::is_handshaking)
    }

    fn closed(&mut self, closed: &Closed, now: Duration) {
        self.without_tls = self.falls_back();
        let Some(session) = self.session.take() else {
            return;
        };
        self.is_reduced |= session.is_reduced();
        self.last_info = Some(session.info().clone());
        let Closed::Failed(failure) = closed else {
            return;
        };
        logging::ended(&failure.error);
        self.error = Some(failure.error.clone());
        if !session.was_ready() && !self.without_tls {
            let is_final = failure.reply.as_ref().is_some_and(|reply| reply.severity() == Severity::Permanent);
            self.failed = Some(Failed { machine: session.into_machine(), since: now, is_final });
        }
    }

    /// Ends a message that no session has.
    fn end(&mut self, item: Item, now: Duration, how: impl FnOnce(&mut Connection, MessageId)) {
        let mut machine = self.dry_machine();
        let id = machine.submit(item.for_core());
        how(&mut machine, id);
        self.outcomes.extend(outcome_of(&mut machine, item, now));
    }

    /// A machine without a transport, to give messages their outcomes.
    fn dry_machine(&self) -> Connection {
        Connection::new(self.options.config(None, self.options.tls, Pipelining::Session, false))
    }
}

/// The outcome of the one message that `machine` had.
fn outcome_of(machine: &mut Connection, mut item: Item, now: Duration) -> Option<Outcome> {
    loop {
        match machine.poll(now) {
            Output::Event(Event::Finished(outcome)) => {
                let outcome = item.joined(outcome);
                logging::outcome(&outcome);
                return Some(outcome);
            }
            Output::Wait { .. } | Output::Closed(_) => return None,
            _ => {}
        }
    }
}

/// A transport with which nothing can be done for now.
struct Busy;

impl Transport for Busy {
    fn try_read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn try_write(&mut self, _: &[io::IoSlice<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}
