//! The task behind a mailer: it owns the core's machine and every connection, and does what the machine says.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use okuru_core::client::{Outcome, State};
use okuru_core::delivery::dispatcher::{Event as Progress, Metrics};
use okuru_core::delivery::mailer::{
    self as core, Config, ConnectionId, Endpoint, Event, LookUpId, Opened as Known, Output,
};
use okuru_core::delivery::route::{Answer, Query};
use okuru_core::sasl::Secret;
use okuru_core::{Error, ErrorCode, client};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::call::{Call, Submission, Unreadable, failed, stopped};
use super::letter::{Letter, Supply};
use super::link::{Feed, Letters, Link};
use super::options::Observer;
#[cfg(feature = "dns")]
use super::resolver::Resolver;
use super::rounds::{Begun, Round, rounds};
use super::side::Sides;
use super::woken::Woken;
use crate::alarm::Alarm;
use crate::asynchronous::pending::GettingToken;
use crate::asynchronous::stream::Stream;
use crate::connect::lost;
use crate::courier::Opened;
use crate::logging;
use crate::session::{ENOUGH, unreadable};
use crate::wire::Received;

/// The task behind a mailer.
pub(super) struct Driver {
    machine: core::Mailer,
    clock: Instant,
    sides: Sides,
    #[cfg(feature = "dns")]
    resolver: Option<Resolver>,
    /// Connections that are being opened.
    opening: HashMap<ConnectionId, AbortHandle>,
    links: HashMap<ConnectionId, Link>,
    /// Connections that have something to be written.
    due: Vec<ConnectionId>,
    woken: Arc<Woken>,
    tasks: JoinSet<Done>,
    /// There is a task that has not been waited for.
    has_begun: bool,
    letters: Letters,
    /// Attempts whose content has been gathered, and that no journal knows yet.
    begun: Vec<Begun>,
    /// Outcomes that have not been told.
    ended: Vec<(Arc<Call>, Outcome)>,
    orders: mpsc::UnboundedReceiver<Order>,
    submissions: mpsc::Receiver<Submission>,
    /// Whether nothing is taken any more.
    is_stopping: bool,
    stopped: Vec<oneshot::Sender<()>>,
    deadline: Option<Duration>,
    observer: Option<Observer>,
    metrics: Arc<Mutex<Metrics>>,
    alarm: Alarm,
    buffer: Vec<u8>,
}

/// What the handles of a mailer want of it.
pub(super) enum Order {
    /// Nobody waits for the outcomes of this call any more.
    Abandon(u64),
    /// No message is begun any more. Says when all is over.
    Stop(oneshot::Sender<()>),
}

/// Both ends that a driver listens to, and what it tells.
pub(super) struct Ends {
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
    pub(super) submissions: mpsc::Receiver<Submission>,
    pub(super) metrics: Arc<Mutex<Metrics>>,
}

/// What a task has brought.
enum Done {
    Opened(ConnectionId, Box<Result<(Stream, Opened), Error>>),
    Token(ConnectionId, Result<Secret, Error>),
    #[cfg_attr(not(feature = "dns"), expect(dead_code, reason = "nobody is asked then"))]
    Answered(LookUpId, Answer),
}

/// How much is read at once.
const BUFFER: usize = 64 << 10;

/// So often in a row the task looks for something to do before others get their turn.
const MOST_TURNS: usize = 64;

impl Driver {
    pub(super) fn new(config: Config, sides: Sides, ends: Ends) -> Result<Self, Error> {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|error| no_random(&error))?;
        Ok(Self {
            machine: core::Mailer::new(config, u64::from_le_bytes(seed)),
            clock: Instant::now(),
            sides,
            #[cfg(feature = "dns")]
            resolver: None,
            opening: HashMap::new(),
            links: HashMap::new(),
            due: Vec::new(),
            woken: Arc::default(),
            tasks: JoinSet::new(),
            has_begun: false,
            letters: HashMap::new(),
            begun: Vec::new(),
            ended: Vec::new(),
            orders: ends.orders,
            submissions: ends.submissions,
            is_stopping: false,
            stopped: Vec::new(),
            deadline: None,
            observer: None,
            metrics: ends.metrics,
            alarm: Alarm::default(),
            buffer: vec![0; BUFFER],
        })
    }

    /// The same, with what the user has said beside the core's configuration.
    pub(super) fn with(mut self, deadline: Option<Duration>, observer: Option<Observer>) -> Self {
        self.deadline = deadline;
        self.observer = observer;
        self
    }

    /// The same, with somebody who answers questions to the DNS.
    #[cfg(feature = "dns")]
    pub(super) fn asking(mut self, resolver: Option<Resolver>) -> Self {
        self.resolver = resolver;
        self
    }

    /// Goes on until it is stopped, or all handles are dropped.
    pub(super) async fn run(mut self) {
        poll_fn(|context| self.poll(context)).await;
        for stopped in self.stopped.drain(..) {
            // Whoever asked may have lost interest.
            let _ = stopped.send(());
        }
        let mut submissions = self.submissions;
        submissions.close();
        // Those who had a place already when the others were turned away.
        while let Some(Submission { call, index, message }) = submissions.recv().await {
            let (Ok(message) | Err(Unreadable { message, .. })) = message;
            call.tell(index, stopped(&message));
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.woken.wakes(context.waker());
        let mut woken = Vec::new();
        for _ in 0..MOST_TURNS {
            let now = self.clock.elapsed();
            let mut is_idle = true;
            while let Poll::Ready(order) = self.orders.poll_recv(context) {
                match order {
                    Some(order) => self.obey(order, now),
                    None => return Poll::Ready(()),
                }
                is_idle = false;
            }
            self.woken.take(&mut woken);
            woken.sort_unstable();
            woken.dedup();
            for connection in woken.drain(..) {
                is_idle &= !self.serve(connection, now);
            }
            while let Poll::Ready(Some(done)) = self.tasks.poll_join_next(context) {
                if let Ok(done) = done {
                    self.done(done, now);
                }
                is_idle = false;
            }
            while self.is_stopping || self.machine.wants_message() {
                match self.submissions.poll_recv(context) {
                    Poll::Ready(Some(submission)) => self.take(submission, now),
                    Poll::Ready(None) | Poll::Pending => break,
                }
                is_idle = false;
            }
            let deadline = self.drain(now);
            self.publish();
            let Some(deadline) = deadline else {
                return Poll::Ready(());
            };
            if !is_idle || std::mem::take(&mut self.has_begun) {
                continue;
            }
            match deadline {
                Some(deadline) if self.alarm.poll(context, self.clock, deadline).is_ready() => {
                    self.machine.deadline_passed(self.clock.elapsed().max(deadline));
                }
                _ => return Poll::Pending,
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Tells how things stand, and then what has ended.
    fn publish(&mut self) {
        *self.metrics.lock().unwrap_or_else(PoisonError::into_inner) = self.machine.metrics();
        for (call, outcome) in self.ended.drain(..) {
            call.tell(outcome.message, outcome);
        }
    }

    fn obey(&mut self, order: Order, now: Duration) {
        match order {
            Order::Abandon(call) => {
                let of_call = self.letters.iter().filter(|(_, letter)| letter.call.id == call);
                let cancelled: Vec<_> = of_call.map(|(message, _)| *message).collect();
                for message in cancelled {
                    self.machine.cancel(now, message);
                }
            }
            Order::Stop(stopped) => {
                self.machine.stop();
                self.is_stopping = true;
                self.stopped.push(stopped);
                self.submissions.close();
            }
        }
    }

    /// Takes a message of a user.
    fn take(&mut self, submission: Submission, now: Duration) {
        let Submission { call, index, message } = submission;
        if call.is_over() {
            return;
        }
        let message = match message {
            Ok(message) => message,
            Err(Unreadable { message, error }) => return call.tell(index, failed(&message, State::Deferred, &error)),
        };
        let deadline = message.deadline.or(self.deadline).map(|deadline| now.saturating_add(deadline));
        if message.envelope.recipients.is_empty() {
            let error = Error::new(ErrorCode::MessageNoRecipients, "the message has no recipients");
            return call.tell(index, failed(&message, State::Rejected, &error));
        }
        match self.machine.submit(now, message.for_core(deadline)) {
            Ok(id) => {
                let supply = Supply::new(message.content);
                self.letters.insert(id, Letter { call, index, supply });
            }
            Err(_) if self.is_stopping => call.tell(index, stopped(&message)),
            Err(error) => call.tell(index, failed(&message, State::Rejected, &error)),
        }
    }

    /// A task has ended.
    fn done(&mut self, done: Done, now: Duration) {
        match done {
            Done::Opened(connection, result) => {
                if self.opening.remove(&connection).is_some() {
                    self.opened(connection, *result, now);
                }
            }
            Done::Token(connection, Ok(token)) => self.machine.token(now, connection, token),
            Done::Token(connection, Err(error)) => self.machine.failed(now, connection, error),
            Done::Answered(look_up, answer) => self.machine.dns_answer(look_up, answer),
        }
    }

    fn opened(&mut self, connection: ConnectionId, result: Result<(Stream, Opened), Error>, now: Duration) {
        let mut nonce = [0; 24];
        let random = getrandom::fill(&mut nonce).map_err(|error| no_random(&error));
        let (stream, opened) = match result.and_then(|opened| random.map(|()| opened)) {
            Ok(opened) => opened,
            Err(error) => return self.machine.failed(now, connection, error),
        };
        self.machine.opened(now, connection, &Known { local: opened.local, nonce });
        self.links.insert(connection, Link::new(stream, self.woken.waker(connection), opened));
        // It is read from once the machine has begun.
        self.woken.again(connection);
    }

    /// Does one thing that can be done on a connection: the machine is asked what it has to say before the next. Says whether
    /// there was something.
    fn serve(&mut self, connection: ConnectionId, now: Duration) -> bool {
        let Some(link) = self.links.get_mut(&connection) else {
            return false;
        };
        if link.is_blocked && self.flush(connection, now) {
            self.woken.again(connection);
            return true;
        }
        let Some(link) = self.links.get_mut(&connection) else {
            return false;
        };
        if let Poll::Ready(failed) = link.poll_reading(&mut self.letters) {
            if let Some((message, error)) = failed {
                self.machine.content_failed(connection, message, &unreadable(&error));
            }
            self.feed(connection, now);
            self.woken.again(connection);
            return true;
        }
        if let early @ [_, ..] = &*std::mem::take(&mut link.early) {
            self.receive(connection, Bytes::Others(early), now);
            self.woken.again(connection);
            return true;
        }
        if link.is_deaf {
            return false;
        }
        match link.poll_read(&mut self.buffer) {
            Poll::Pending => return false,
            Poll::Ready(Ok(0)) => {
                link.is_deaf = true;
                match link.wire.cut_short() {
                    Some(error) => self.machine.failed(now, connection, error),
                    None => self.machine.receive_eof(now, connection),
                }
            }
            Poll::Ready(Ok(length)) => {
                self.receive(connection, Bytes::Read(length), now);
                self.woken.again(connection);
            }
            Poll::Ready(Err(error)) => {
                link.is_deaf = true;
                link.wire.gather.clear();
                self.machine.failed(now, connection, lost(&error));
            }
        }
        true
    }

    /// Bytes have come from the network.
    fn receive(&mut self, connection: ConnectionId, bytes: Bytes<'_>, now: Duration) {
        let Some(link) = self.links.get_mut(&connection) else {
            return;
        };
        let bytes = match bytes {
            Bytes::Read(length) => self.buffer.get(..length).unwrap_or_default(),
            Bytes::Others(bytes) => bytes,
        };
        let Received { plaintext, handshake, is_over, .. } = link.wire.receive(bytes);
        if let Some((session, info)) = handshake {
            logging::tls(&session);
            self.machine.tls_started(now, connection, info);
        }
        if !plaintext.is_empty() {
            self.machine.receive(now, connection, plaintext);
        }
        match is_over {
            Err(error) => self.machine.failed(now, connection, error),
            Ok(true) => self.machine.receive_eof(now, connection),
            Ok(false) => {}
        }
        // What TLS has to say for itself.
        if link.wire.wants_write() {
            due(&mut self.due, connection, link);
        }
    }

    /// Does what the machine says until it has nothing more to say, and writes. None when all is over.
    fn drain(&mut self, now: Duration) -> Option<Option<Duration>> {
        loop {
            match self.machine.poll(now) {
                Output::Write { connection, bytes } => {
                    if let Some(link) = self.links.get_mut(&connection) {
                        link.wire.gather.push_owned(bytes);
                        due(&mut self.due, connection, link);
                    }
                }
                Output::WriteBody { connection, message, range } => {
                    let (link, letter) = (self.links.get_mut(&connection), self.letters.get_mut(&message));
                    if let (Some(link), Some(letter)) = (link, letter) {
                        link.push_range(letter, message, range);
                        due(&mut self.due, connection, link);
                        if link.wire.gather.len() >= ENOUGH && !link.is_blocked {
                            self.journal(now);
                            self.flush(connection, now);
                        }
                    }
                }
                Output::ReadBody { connection, message, offset } => {
                    if let Some(link) = self.links.get_mut(&connection) {
                        link.want(message, offset);
                    }
                    self.feed(connection, now);
                }
                Output::Open { connection, server, endpoint } => self.open(connection, &server, endpoint),
                Output::StartTls { connection, server_name, verify } => {
                    self.begin_tls(connection, &server_name, verify, now);
                }
                Output::GetToken { connection, server } => {
                    let options = Arc::clone(&self.sides.of(&server).options);
                    self.tasks.spawn(async move {
                        let mut token = GettingToken::begin(options.token.as_ref());
                        Done::Token(connection, poll_fn(|context| token.poll(context)).await)
                    });
                    self.has_begun = true;
                }
                Output::Close { connection } => self.close(connection),
                Output::Resolve { look_up, query } => self.resolve(look_up, query),
                Output::Event(event) => self.happened(event),
                Output::Wait { deadline } => {
                    if !self.flush_all(now) {
                        return Some(deadline);
                    }
                }
                Output::Done => return None,
            }
        }
    }

    fn open(&mut self, connection: ConnectionId, server: &str, endpoint: Arc<Endpoint>) {
        let side = Arc::clone(self.sides.of(server));
        let task = self.tasks.spawn(async move { Done::Opened(connection, Box::new(side.open(&endpoint).await)) });
        self.opening.insert(connection, task);
        self.has_begun = true;
    }

    #[cfg(feature = "rustls")]
    fn begin_tls(&mut self, connection: ConnectionId, server_name: &str, verify: bool, now: Duration) {
        let Some(link) = self.links.get_mut(&connection) else {
            return;
        };
        match link.wire.begin_tls(link.trust.as_ref(), server_name, verify) {
            Ok(()) => due(&mut self.due, connection, link),
            Err(error) => self.machine.failed(now, connection, error),
        }
    }

    #[cfg(not(feature = "rustls"))]
    fn begin_tls(&mut self, connection: ConnectionId, _server_name: &str, _verify: bool, now: Duration) {
        self.machine.failed(now, connection, crate::wire::without_tls());
    }

    #[cfg(feature = "dns")]
    fn resolve(&mut self, look_up: LookUpId, query: Query) {
        match self.resolver.clone() {
            Some(resolver) => {
                self.tasks.spawn(async move { Done::Answered(look_up, resolver.look_up(&query).await) });
                self.has_begun = true;
            }
            None => self.machine.dns_answer(look_up, failed_answer()),
        }
    }

    #[cfg(not(feature = "dns"))]
    fn resolve(&mut self, look_up: LookUpId, _query: Query) {
        self.machine.dns_answer(look_up, failed_answer());
    }

    /// Only what came since everything had been written may still be written: QUIT.
    fn close(&mut self, connection: ConnectionId) {
        if let Some(task) = self.opening.remove(&connection) {
            task.abort();
        }
        let count = self.begun.len();
        self.begun.retain(|begun| begun.connection != connection);
        let is_unknown_to_journal = self.begun.len() < count;
        if let Some(mut link) = self.links.remove(&connection)
            && !(link.is_blocked || is_unknown_to_journal)
        {
            // Nobody waits for it.
            let _ = link.write();
            link.close();
        }
    }

    /// Hands in content that was asked for.
    fn feed(&mut self, connection: ConnectionId, now: Duration) {
        let Some(link) = self.links.get_mut(&connection) else {
            return;
        };
        match link.feed(&mut self.letters) {
            Feed::Nothing => {}
            Feed::Bytes(message, bytes) => {
                self.machine.content(now, connection, message, bytes);
            }
            Feed::End(message) => self.machine.content_end(now, connection, message),
            Feed::Failed(message, error) => {
                self.machine.content_failed(connection, message, &unreadable(&error));
            }
            Feed::Begun => self.woken.again(connection),
        }
    }

    /// Writes to every connection that has something to be written. Says whether the machine may have more to say.
    fn flush_all(&mut self, now: Duration) -> bool {
        if self.due.is_empty() {
            return false;
        }
        self.journal(now);
        let mut is_busy = false;
        for connection in std::mem::take(&mut self.due) {
            is_busy |= self.flush(connection, now);
        }
        is_busy
    }

    /// Writes what has come together on a connection. Says whether the machine may have more to say.
    fn flush(&mut self, connection: ConnectionId, now: Duration) -> bool {
        let Some(link) = self.links.get_mut(&connection) else {
            return false;
        };
        link.is_due = false;
        if !link.wire.wants_write() {
            return false;
        }
        let (written, result) = link.write();
        link.is_blocked = false;
        if written > 0 {
            self.machine.written(now, connection, written);
        }
        match result {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                link.is_blocked = true;
                if written == 0 {
                    return false;
                }
            }
            Err(error) => {
                // The server may have said why it takes no more.
                let words = link.last_words();
                if !words.is_empty() {
                    self.receive(connection, Bytes::Others(&words), now);
                }
                if let Some(link) = self.links.get_mut(&connection) {
                    link.wire.gather.clear();
                    link.is_deaf = true;
                }
                self.machine.failed(now, connection, lost(&error));
            }
        }
        self.feed(connection, now);
        true
    }

    /// Tells the journals what is about to be sent.
    fn journal(&mut self, now: Duration) {
        for Round { journal, attempts, connections } in rounds(&mut self.begun, &self.letters) {
            let Err(error) = journal.sending(&attempts) else { continue };
            for connection in connections {
                if let Some(link) = self.links.get_mut(&connection) {
                    link.wire.gather.clear();
                    link.is_deaf = true;
                }
                self.machine.failed(now, connection, error.clone());
            }
        }
    }

    fn happened(&mut self, event: Event) {
        if let Some(observer) = &self.observer {
            observer(&event);
        }
        match event {
            Event::Finished(outcome) => {
                if let Some(letter) = self.letters.remove(&outcome.message) {
                    let outcome = Outcome { message: letter.index, ..outcome };
                    logging::outcome(&outcome);
                    self.ended.push((letter.call, outcome));
                }
            }
            Event::Sending { connection, message, recipients } => {
                let has_journal = |letter: &Letter| letter.call.journal.is_some();
                if self.letters.get(&message).is_some_and(has_journal) {
                    self.begun.push(Begun { connection, message, recipients });
                }
            }
            Event::Progress(Progress::Tried(tried)) => {
                if let Some(letter) = self.letters.get(&tried.message)
                    && let Some(journal) = &letter.call.journal
                {
                    journal.tried(letter.index, &tried.recipients);
                }
            }
            Event::Connection { server, event: client::Event::Trace(trace), .. } => {
                logging::dialogue(&trace);
                if let Some(tracer) = &self.sides.of(&server).options.trace {
                    tracer(&trace);
                }
            }
            Event::Closed { closed: client::Closed::Failed(failure), .. } => logging::ended(&failure.error),
            _ => {}
        }
    }
}

/// Bytes from the network: those that were read last, or others.
#[derive(Clone, Copy)]
enum Bytes<'a> {
    Read(usize),
    Others(&'a [u8]),
}

/// Has a connection written to next.
fn due(all: &mut Vec<ConnectionId>, connection: ConnectionId, link: &mut Link) {
    if !link.is_due {
        link.is_due = true;
        all.push(connection);
    }
}

fn failed_answer() -> Answer {
    Answer::new(okuru_core::delivery::route::Records::Failed)
}

fn no_random(error: &getrandom::Error) -> Error {
    Error::new(ErrorCode::ConnectFailed, format!("there are no random numbers: {error}"))
}
