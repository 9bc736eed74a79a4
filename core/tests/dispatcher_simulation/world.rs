//! A host with virtual time: it does what the dispatcher asks, among the servers.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use okuru_core::client::{Closed, Envelope, Failure, MessageId, Outcome, Progress, RecipientOutcome, State};
use okuru_core::delivery::Dispatcher;
use okuru_core::delivery::dispatcher::{Content, Event, Output, Send, SessionId};
use okuru_core::syntax::{Capabilities, Reply};
use okuru_core::{Error, ErrorCode, Step};

use crate::books::Books;
use crate::random::Random;
use crate::server::{Server, Verdict};

pub(crate) struct World {
    pub(crate) now: Duration,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) random: Random,
    pub(crate) servers: BTreeMap<String, Server>,
    pub(crate) books: Books,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    /// To which domain each recipient of a message goes.
    pub(crate) domains: BTreeMap<(u64, u32), String>,
    pub(crate) first_sends: BTreeMap<(u64, String), Duration>,
    pub(crate) most_sessions: usize,
    pub(crate) most_sessions_by_host: BTreeMap<String, u32>,
    pub(crate) outputs: u64,
    pub(crate) is_done: bool,
    envelopes: Vec<Arc<Envelope>>,
    agenda: BinaryHeap<Reverse<(Duration, u64, Happening)>>,
    happenings: u64,
    offers: Capabilities,
}

#[derive(Debug)]
pub(crate) struct Session {
    host: String,
    jobs: VecDeque<Send>,
    is_open: bool,
    /// The server has closed it, and nobody has noticed.
    is_cut: bool,
    messages: u32,
    /// What was planned for it before does not hold any more.
    epoch: u64,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Connected(SessionId),
    Answered(SessionId, u64),
    Stalled(SessionId, u64),
    Checked(SessionId, u64),
    Idle(SessionId, u64),
    Quit(SessionId),
    Turn(String),
    LookUp,
}

const LATENCY: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(300);

impl World {
    pub(crate) fn new(dispatcher: Dispatcher, servers: BTreeMap<String, Server>, random: Random) -> Self {
        let recipient = || "<someone@example.org>".parse::<okuru_core::syntax::ForwardPath>().unwrap().into();
        let envelope = |recipients: usize| Envelope {
            reverse_path: "<sender@example.com>".parse().unwrap(),
            parameters: Default::default(),
            recipients: (0..recipients).map(|_| recipient()).collect(),
        };
        let mut world = Self {
            now: Duration::from_secs(1000),
            dispatcher,
            random,
            servers,
            books: Books::default(),
            sessions: BTreeMap::new(),
            domains: BTreeMap::new(),
            first_sends: BTreeMap::new(),
            most_sessions: 0,
            most_sessions_by_host: BTreeMap::new(),
            outputs: 0,
            is_done: false,
            envelopes: (0..8).map(|count| Arc::new(envelope(count))).collect(),
            agenda: BinaryHeap::new(),
            happenings: 0,
            offers: Capabilities::from_reply(&Reply::parse(b"250-here\r\n250 PIPELINING\r\n").unwrap()),
        };
        let mortal: Vec<_> =
            world.servers.iter().filter(|(_, it)| it.nature.lives.is_some()).map(|(name, _)| name.clone()).collect();
        for name in mortal {
            world.plan_turn(name);
        }
        world
    }

    pub(crate) fn envelope(&self, recipients: usize) -> Arc<Envelope> {
        Arc::clone(&self.envelopes[recipients])
    }

    /// Does what the dispatcher asks, until it waits.
    pub(crate) fn drain(&mut self) {
        loop {
            self.outputs += 1;
            match self.dispatcher.poll(self.now) {
                Output::Open(open) => {
                    let host = open.host.to_string();
                    let latency = self.random.between(LATENCY / 2, LATENCY * 2);
                    let server = &self.servers[&host];
                    let timeout =
                        if server.is_up { Duration::ZERO } else { Duration::from_secs(self.random.below(30)) };
                    let session = Session {
                        host: host.clone(),
                        jobs: VecDeque::new(),
                        is_open: false,
                        is_cut: false,
                        messages: 0,
                        epoch: 0,
                    };
                    self.sessions.insert(open.session, session);
                    self.most_sessions = self.most_sessions.max(self.sessions.len());
                    let count = self.sessions.values().filter(|it| it.host == host).count() as u32;
                    let most = self.most_sessions_by_host.entry(host).or_default();
                    *most = (*most).max(count);
                    self.plan(latency + timeout, Happening::Connected(open.session));
                }
                Output::Send(send) => self.send(send),
                Output::Check { session } => {
                    let epoch = self.fresh_epoch(session);
                    self.plan(LATENCY, Happening::Checked(session, epoch));
                }
                Output::Close { session } => {
                    self.fresh_epoch(session);
                    self.plan(LATENCY, Happening::Quit(session));
                }
                Output::Abort { session, delivery } => {
                    let it = self.sessions.get_mut(&session).expect("aborted on a session that there is");
                    let index = it.jobs.iter().position(|job| job.delivery == delivery).expect("it is there");
                    let job = it.jobs.remove(index).expect("it is there");
                    let outcome = self.outcome(&job, State::Deferred, ErrorCode::Cancelled, Progress::Envelope);
                    if index == 0 {
                        self.fresh_epoch(session);
                        self.begin(session);
                    }
                    self.dispatcher.finished(self.now, delivery, &outcome, Content::Whole);
                }
                Output::Event(Event::Finished(outcome)) => self.books.finished(&outcome),
                Output::Event(_) => {}
                Output::Wait { deadline } => {
                    if let Some(deadline) = deadline {
                        assert!(deadline > self.now, "it is to be waited for what is past");
                        self.plan(deadline - self.now, Happening::LookUp);
                    }
                    return;
                }
                Output::Done => {
                    self.is_done = true;
                    return;
                }
                output @ (Output::Route { .. } | Output::LogIn { .. }) => unreachable!("{output:?}"),
            }
        }
    }

    /// Goes on to the next thing that happens. Says whether there is any.
    pub(crate) fn step(&mut self) -> bool {
        let Some(Reverse((at, _, happening))) = self.agenda.pop() else {
            return false;
        };
        self.now = at;
        match happening {
            Happening::LookUp => {
                // One is enough for the same moment.
                while self.agenda.peek().is_some_and(|Reverse((then, _, it))| *then == at && *it == Happening::LookUp) {
                    self.agenda.pop();
                }
            }
            Happening::Turn(host) => self.turn(host),
            Happening::Connected(session) => self.connected(session),
            Happening::Quit(session) => self.end(session, &Closed::Quit),
            Happening::Idle(session, epoch) if self.is_current(session, epoch) => {
                if self.random.per_cent(50) {
                    self.break_off(session, ErrorCode::ProtocolClosed);
                } else if let Some(it) = self.sessions.get_mut(&session) {
                    it.is_cut = true;
                }
            }
            Happening::Checked(session, epoch) if self.is_current(session, epoch) => {
                if self.sessions[&session].is_cut {
                    self.break_off(session, ErrorCode::ProtocolClosed);
                } else {
                    self.rest(session);
                    self.dispatcher.checked(self.now, session);
                }
            }
            Happening::Answered(session, epoch) if self.is_current(session, epoch) => self.answered(session),
            Happening::Stalled(session, epoch) if self.is_current(session, epoch) => {
                self.break_off(session, ErrorCode::TimeoutReply);
            }
            _ => {}
        }
        true
    }

    fn plan(&mut self, after: Duration, happening: Happening) {
        self.happenings += 1;
        self.agenda.push(Reverse((self.now + after, self.happenings, happening)));
    }

    fn is_current(&self, session: SessionId, epoch: u64) -> bool {
        self.sessions.get(&session).is_some_and(|it| it.epoch == epoch)
    }

    fn fresh_epoch(&mut self, session: SessionId) -> u64 {
        self.happenings += 1;
        let it = self.sessions.get_mut(&session).expect("the dispatcher names sessions that there are");
        it.epoch = self.happenings;
        it.epoch
    }

    fn plan_turn(&mut self, host: String) {
        let server = &self.servers[&host];
        let (up, down) = server.nature.lives.unwrap();
        let time = if server.is_up { up } else { down };
        let after = self.random.between(time / 2, time * 2);
        self.plan(after, Happening::Turn(host));
    }

    /// A server dies or comes back.
    fn turn(&mut self, host: String) {
        let server = self.servers.get_mut(&host).unwrap();
        server.is_up = !server.is_up;
        if !server.is_up {
            let open: Vec<_> =
                self.sessions.iter().filter(|(_, it)| it.host == host && it.is_open).map(|(id, _)| *id).collect();
            for session in open {
                if self.sessions[&session].jobs.is_empty() && self.random.per_cent(50) {
                    self.sessions.get_mut(&session).unwrap().is_cut = true;
                } else {
                    self.break_off(session, ErrorCode::ConnectLost);
                }
            }
        }
        self.plan_turn(host);
    }

    fn connected(&mut self, session: SessionId) {
        let Some(it) = self.sessions.get_mut(&session) else {
            return;
        };
        let server = self.servers.get_mut(&it.host).unwrap();
        if !server.is_up {
            return self.end(session, &failed(ErrorCode::ConnectRefused, Step::Connect, None));
        }
        if server.nature.most_connections.is_some_and(|most| server.connections >= most) {
            let reply = Reply::parse(b"421 4.7.0 Too many connections\r\n").unwrap();
            return self.end(session, &failed(ErrorCode::ReplyClosing, Step::Greeting, Some(reply)));
        }
        server.connections += 1;
        it.is_open = true;
        self.rest(session);
        self.dispatcher.ready(self.now, session, &self.offers.clone());
    }

    /// It has nothing to do: the server may not wait for ever.
    fn rest(&mut self, session: SessionId) {
        let epoch = self.fresh_epoch(session);
        if let Some(idle) = self.servers[&self.sessions[&session].host].nature.idle {
            self.plan(idle, Happening::Idle(session, epoch));
        }
    }

    fn send(&mut self, send: Send) {
        let session = send.session;
        let message = send.message.0;
        let domain = self.domains[&(message, send.recipients[0])].clone();
        for recipient in send.recipients.iter() {
            assert_eq!(self.domains[&(message, *recipient)], domain, "recipients of one domain go together");
        }
        self.first_sends.entry((message, domain.clone())).or_insert(self.now);
        let it = self.sessions.get_mut(&session).expect("sent on a session that there is");
        assert!(it.is_open, "sent on a session that is not open");
        self.books.sent(self.now, &it.host, &domain);
        it.jobs.push_back(send);
        if it.jobs.len() == 1 {
            self.begin(session);
        }
    }

    /// Begins the first of the messages that a session has.
    fn begin(&mut self, session: SessionId) {
        let it = &self.sessions[&session];
        if it.jobs.is_empty() {
            return self.rest(session);
        }
        if it.is_cut {
            return self.break_off(session, ErrorCode::ProtocolClosed);
        }
        let nature = &self.servers[&it.host].nature;
        let (pace, stalls) = (nature.pace, nature.stalls);
        let epoch = self.fresh_epoch(session);
        if self.random.below(1000) < stalls {
            self.plan(PATIENCE, Happening::Stalled(session, epoch));
        } else {
            let time = self.random.between(Duration::from_millis(pace / 2), Duration::from_millis(pace * 2));
            self.plan(time, Happening::Answered(session, epoch));
        }
        if self.random.per_cent(70) {
            self.dispatcher.wants_more(session);
        }
    }

    fn answered(&mut self, session: SessionId) {
        let it = self.sessions.get_mut(&session).unwrap();
        let server = self.servers.get_mut(&it.host).unwrap();
        if server.nature.most_messages.is_some_and(|most| it.messages >= most) {
            return self.break_off(session, ErrorCode::ReplyClosing);
        }
        it.messages += 1;
        let job = it.jobs.pop_front().unwrap();
        let message = job.message.0;
        let whole = self.random.per_cent(server.nature.defers);
        let mut recipients = Vec::new();
        for recipient in job.recipients.iter() {
            let verdict = match whole {
                true => Verdict::Defer,
                false => server.verdict(self.now, &mut self.random, message, *recipient),
            };
            let (state, reply): (_, &[u8]) = match verdict {
                Verdict::Take => (State::Accepted, b"250 2.1.5 Ok\r\n"),
                Verdict::Grey => (State::Deferred, b"450 4.7.1 Greylisted\r\n"),
                Verdict::Defer => (State::Deferred, b"451 4.3.0 Not now\r\n"),
                Verdict::Refuse => (State::Rejected, b"550 5.1.1 Nobody here\r\n"),
            };
            if verdict == Verdict::Take {
                self.books.take(message, *recipient);
            }
            recipients.push(RecipientOutcome::new(state, Some(Reply::parse(reply).unwrap()), None));
        }
        let error = whole.then(|| Error::new(ErrorCode::ReplyDeferred, "not now").at(Step::Mail));
        let outcome = Outcome {
            message: MessageId(message),
            envelope: self.envelope(recipients.len()),
            recipients,
            reply: None,
            error,
            progress: if whole { Progress::Envelope } else { Progress::Sent },
            round_trips: 1,
        };
        self.begin(session);
        self.dispatcher.finished(self.now, job.delivery, &outcome, Content::Whole);
    }

    /// A session ends while it has messages: some were on their way, some had not been begun.
    fn break_off(&mut self, session: SessionId, code: ErrorCode) {
        let it = self.sessions.get_mut(&session).unwrap();
        let jobs = std::mem::take(&mut it.jobs);
        let timed_out = code == ErrorCode::TimeoutReply;
        let early = it.is_cut || code == ErrorCode::ReplyClosing;
        for (job, index) in jobs.iter().zip(0..) {
            let outcome = if index > 0 {
                self.outcome(job, State::Deferred, code, Progress::Queued)
            } else if early {
                self.outcome(job, State::Deferred, code, Progress::Envelope)
            } else {
                match self.random.below(if timed_out { 2 } else { 4 }) {
                    0 => self.outcome(job, State::Deferred, code, Progress::Envelope),
                    1 => {
                        // It was all sent; perhaps it was taken.
                        if self.random.per_cent(50) {
                            job.recipients.iter().for_each(|recipient| self.books.take(job.message.0, *recipient));
                        }
                        self.outcome(job, State::Unknown, code, Progress::Sent)
                    }
                    _ => self.outcome(job, State::Deferred, code, Progress::Content),
                }
            };
            self.dispatcher.finished(self.now, job.delivery, &outcome, Content::Whole);
        }
        self.end(session, &failed(code, Step::Mail, None));
    }

    fn end(&mut self, session: SessionId, closed: &Closed) {
        let Some(it) = self.sessions.remove(&session) else {
            return;
        };
        if it.is_open {
            self.servers.get_mut(&it.host).unwrap().connections -= 1;
        }
        assert!(it.jobs.is_empty(), "closed with messages on it");
        self.dispatcher.closed(self.now, session, closed);
    }

    fn outcome(&self, job: &Send, state: State, code: ErrorCode, progress: Progress) -> Outcome {
        let error = Error::new(code, "the session ended").at(Step::Mail);
        let recipient = RecipientOutcome::new(state, None, Some(error.clone()));
        Outcome {
            message: job.message,
            envelope: self.envelope(job.recipients.len()),
            recipients: vec![recipient; job.recipients.len()],
            reply: None,
            error: Some(error),
            progress,
            round_trips: 1,
        }
    }
}

fn failed(code: ErrorCode, step: Step, reply: Option<Reply>) -> Closed {
    Closed::Failed(Failure { error: Error::new(code, "the session ended").at(step), reply })
}
