//! A host without sockets: what the dispatcher asks, as one line of words; what happens, in a word.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use okuru_core::client::{Closed, Envelope, Failure, MessageId, Outcome, Progress, RecipientOutcome, State};
use okuru_core::delivery::Dispatcher;
use okuru_core::delivery::dispatcher::{
    Backoff, Config, Content, DeliveryId, Destination, Event, Group, Output, Parcel, Retry, SessionId, Tried, Way,
};
use okuru_core::syntax::{Capabilities, Reply};
use okuru_core::{Error, ErrorCode, Step};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

pub(crate) struct Fake {
    pub(crate) dispatcher: Dispatcher,
    pub(crate) now: Duration,
    /// Of the last `Wait`.
    pub(crate) deadline: Option<Duration>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) tried: Vec<Tried>,
    /// By the number under which they were opened, from 1.
    sessions: Vec<SessionId>,
    deliveries: BTreeMap<u64, (DeliveryId, usize)>,
}

/// Retried after 10 minutes, doubling to an hour, without jitter.
pub(crate) fn retry() -> Retry {
    let backoff = Backoff { first: MINUTE * 10, most: MINUTE * 60, jitter: 0 };
    Retry { backoff, tries: 5, within: MINUTE * 60 * 24, duplicates_are_acceptable: false }
}

/// Up to so many connections to each host, which rests for 30 seconds, doubling to 10 minutes, without jitter.
pub(crate) fn config(connections: u32) -> Config {
    let mut config = Config { retry: Some(retry()), ..Config::relay(connections) };
    config.host.rest = Backoff { first: SECOND * 30, most: MINUTE * 10, jitter: 0 };
    config
}

pub(crate) fn envelope(recipients: usize) -> Arc<Envelope> {
    let recipient = || "<someone@example.org>".parse::<okuru_core::syntax::ForwardPath>().unwrap().into();
    Arc::new(Envelope {
        reverse_path: "<sender@example.com>".parse().unwrap(),
        parameters: Default::default(),
        recipients: (0..recipients).map(|_| recipient()).collect(),
    })
}

pub(crate) fn failure(code: ErrorCode, reply: Option<&str>) -> Failure {
    let reply = reply.map(|reply| Reply::parse(format!("{reply}\r\n").as_bytes()).unwrap());
    Failure { error: Error::new(code, "it failed"), reply }
}

impl Fake {
    pub(crate) fn new(config: Config) -> Self {
        Self::with(Dispatcher::new(config, 1), SECOND * 1000)
    }

    pub(crate) fn with(dispatcher: Dispatcher, now: Duration) -> Self {
        Self {
            dispatcher,
            now,
            deadline: None,
            outcomes: Vec::new(),
            tried: Vec::new(),
            sessions: Vec::new(),
            deliveries: BTreeMap::new(),
        }
    }

    /// A message to one recipient.
    pub(crate) fn submit(&mut self, id: u64, destination: &Destination) {
        self.submit_to(id, &[(&[0], destination)]);
    }

    pub(crate) fn submit_to(&mut self, id: u64, groups: &[(&[u32], &Destination)]) {
        let count = groups.iter().map(|(recipients, _)| recipients.len()).sum();
        let group = |(recipients, destination): &(&[u32], &Destination)| Group {
            recipients: recipients.to_vec(),
            way: Way::To(Arc::new(Destination::clone(destination))),
        };
        let groups = groups.iter().map(group).collect();
        let parcel = Parcel { id: MessageId(id), envelope: envelope(count), groups, deadline: None };
        self.dispatcher.submit(self.now, parcel).unwrap();
    }

    /// What the dispatcher asks until it waits. Recipients are told where it is not the only one.
    pub(crate) fn says(&mut self) -> String {
        let mut said = Vec::new();
        loop {
            match self.dispatcher.poll(self.now) {
                Output::Open(open) => {
                    self.sessions.push(open.session);
                    let reduced = if open.is_reduced { " reduced" } else { "" };
                    let plain = if open.without_tls { " plain" } else { "" };
                    said.push(format!("open {} {}{reduced}{plain}", self.sessions.len(), open.host));
                }
                Output::Send(send) => {
                    let only = send.recipients.as_ref() == [0];
                    let recipients = if only { String::new() } else { format!(" to {:?}", send.recipients) };
                    let attempt = if send.attempt == 1 { String::new() } else { format!(" again {}", send.attempt) };
                    let session = self.number(send.session);
                    said.push(format!("send {}{recipients} by {session}{attempt}", send.message.0));
                    self.deliveries.insert(send.message.0, (send.delivery, send.recipients.len()));
                }
                Output::Check { session } => said.push(format!("check {}", self.number(session))),
                Output::Close { session } => said.push(format!("close {}", self.number(session))),
                Output::Abort { session, .. } => said.push(format!("abort on {}", self.number(session))),
                Output::Route { destination } => said.push(format!("route {destination}")),
                Output::LogIn { host } => said.push(format!("log in at {host}")),
                Output::Event(Event::Finished(outcome)) => {
                    let states: Vec<_> = outcome.recipients.iter().map(|it| it.state.to_string()).collect();
                    said.push(format!("{} {}", outcome.message.0, states.join(" ")));
                    self.outcomes.push(outcome);
                }
                Output::Event(Event::Tried(tried)) => self.tried.push(tried),
                Output::Event(Event::FellBack { message, from, to }) => {
                    said.push(format!("{} from {from} to {to}", message.0));
                }
                Output::Event(Event::Resting { host, until, .. }) => {
                    said.push(format!("{host} rests {}s", (until - self.now).as_secs()));
                }
                Output::Event(Event::Recovered { host }) => said.push(format!("{host} works")),
                Output::Event(Event::Slowed { host, connections }) => {
                    said.push(format!("{host} slowed to {connections}"));
                }
                Output::Event(event) => said.push(format!("{event:?}")),
                Output::Wait { deadline } => {
                    self.deadline = deadline;
                    return said.join(", ");
                }
                Output::Done => {
                    said.push("done".to_owned());
                    return said.join(", ");
                }
            }
        }
    }

    /// Opens, checks and closes all that is asked for, at once, and tells the rest.
    pub(crate) fn goes(&mut self) -> String {
        let mut rest = Vec::new();
        loop {
            let said = self.says();
            if said.is_empty() {
                return rest.join(", ");
            }
            for word in said.split(", ") {
                let session = || word.split(' ').nth(1).unwrap().parse().unwrap();
                match word.split(' ').next() {
                    Some("open") => {
                        self.ready(session());
                    }
                    Some("check") => {
                        self.checked(session());
                    }
                    Some("close") => {
                        self.quit(session());
                    }
                    _ => rest.push(word.to_owned()),
                }
            }
        }
    }

    fn number(&self, session: SessionId) -> usize {
        1 + self.sessions.iter().position(|it| *it == session).unwrap()
    }

    pub(crate) fn session(&self, number: usize) -> SessionId {
        self.sessions[number - 1]
    }

    pub(crate) fn later(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    /// Goes to the moment that the dispatcher waits for.
    pub(crate) fn wait(&mut self) -> &mut Self {
        self.now = self.deadline.unwrap();
        self
    }

    pub(crate) fn ready(&mut self, number: usize) -> &mut Self {
        self.ready_with(number, "")
    }

    pub(crate) fn ready_with(&mut self, number: usize, offer: &str) -> &mut Self {
        let reply = Reply::parse(format!("250-here\r\n250 {offer}\r\n").as_bytes()).unwrap();
        self.dispatcher.ready(self.now, self.session(number), &Capabilities::from_reply(&reply));
        self
    }

    pub(crate) fn wants_more(&mut self, number: usize) -> &mut Self {
        self.dispatcher.wants_more(self.session(number));
        self
    }

    pub(crate) fn checked(&mut self, number: usize) -> &mut Self {
        self.dispatcher.checked(self.now, self.session(number));
        self
    }

    pub(crate) fn quit(&mut self, number: usize) -> &mut Self {
        self.dispatcher.closed(self.now, self.session(number), &Closed::Quit);
        self
    }

    /// The session has failed, or could not be opened.
    pub(crate) fn fail(&mut self, number: usize, code: ErrorCode) -> &mut Self {
        self.fail_with(number, failure(code, None))
    }

    pub(crate) fn fail_with(&mut self, number: usize, failure: Failure) -> &mut Self {
        self.dispatcher.closed(self.now, self.session(number), &Closed::Failed(failure));
        self
    }

    /// A reply for each recipient, all from RCPT or the content.
    pub(crate) fn answer(&mut self, message: u64, replies: &[&str]) -> &mut Self {
        let recipients = replies.iter().map(|reply| recipient(reply)).collect();
        self.finish(message, recipients, None, Progress::Sent, Content::Whole)
    }

    pub(crate) fn accept(&mut self, message: u64) -> &mut Self {
        self.answer(message, &["250 2.0.0 Ok"])
    }

    /// The message as a whole was refused at MAIL.
    pub(crate) fn refuse(&mut self, message: u64, reply: &str) -> &mut Self {
        let code = if reply.starts_with('4') { ErrorCode::ReplyDeferred } else { ErrorCode::ReplyRejected };
        let recipients = vec![recipient(reply); self.deliveries[&message].1];
        let error = Error::new(code, "refused").at(Step::Mail);
        self.finish(message, recipients, Some(error), Progress::Envelope, Content::Whole)
    }

    /// The connection broke when the message had come so far.
    pub(crate) fn lose(&mut self, message: u64, progress: Progress) -> &mut Self {
        self.lose_with(message, progress, ErrorCode::ProtocolClosed, Content::Whole)
    }

    pub(crate) fn lose_with(
        &mut self,
        message: u64,
        progress: Progress,
        code: ErrorCode,
        content: Content,
    ) -> &mut Self {
        let state = if progress == Progress::Sent { State::Unknown } else { State::Deferred };
        let error = Error::new(code, "it broke").at(Step::Rcpt);
        let recipient = RecipientOutcome::new(state, None, Some(error.clone()));
        let recipients = vec![recipient; self.deliveries[&message].1];
        self.finish(message, recipients, Some(error), progress, content)
    }

    fn finish(
        &mut self,
        message: u64,
        recipients: Vec<RecipientOutcome>,
        error: Option<Error>,
        progress: Progress,
        content: Content,
    ) -> &mut Self {
        let (delivery, _) = self.deliveries[&message];
        let envelope = envelope(recipients.len());
        let outcome =
            Outcome { message: MessageId(0), envelope, recipients, reply: None, error, progress, round_trips: 1 };
        self.dispatcher.finished(self.now, delivery, &outcome, content);
        self
    }
}

fn recipient(reply: &str) -> RecipientOutcome {
    let state = match &reply[..1] {
        "2" => State::Accepted,
        "4" => State::Deferred,
        _ => State::Rejected,
    };
    RecipientOutcome::new(state, Some(Reply::parse(format!("{reply}\r\n").as_bytes()).unwrap()), None)
}
