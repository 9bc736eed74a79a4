//! The mailer itself.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::config::{Config, Server};
use super::links::{LinkState, Links, LogInSession, Purpose};
use super::output::{ConnectionId, Endpoint, Event, LookUpId, Output};
use super::routes::{Routes, Turn};
use super::session::{Flying, Session};
use crate::client::{
    self, Body, Closed, Connection, Envelope, Failure, Message, MessageId, Pipelining, Query, State, Tls, TlsInfo,
};
use crate::delivery::dispatcher::{self, Destination, Dispatcher, Group, Metrics, Open, Parcel, Unrouted, Way};
use crate::delivery::route::{Answer, Hop, Policy};
use crate::error::{Error, ErrorCode, Step};
use crate::pop3;
use crate::sasl::Secret;
use crate::syntax::EhloName;

/// Messages in, outcomes out: over as many connections as it needs. See the [module](super) for how to drive it.
#[derive(Clone, Debug)]
pub struct Mailer {
    pub(super) dispatcher: Dispatcher,
    policy: Policy<Arc<Destination>>,
    servers: BTreeMap<Arc<str>, Arc<Server>>,
    direct: super::Direct,
    host_name: String,
    routes: Routes,
    pub(super) messages: BTreeMap<MessageId, Message>,
    next_message: u64,
    pub(super) links: Links,
    /// What has come together and is still to be told.
    pub(super) outputs: VecDeque<Output>,
}

/// What the host knows of a connection that it has opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Where it comes from.
    pub local: Option<IpAddr>,
    /// Random bytes, used once, for SCRAM.
    pub nonce: [u8; 24],
}

impl Mailer {
    /// A mailer without messages. `seed` is random, and different for each; nobody gains by guessing it.
    pub fn new(config: Config, seed: u64) -> Self {
        let Config { dispatcher, policy, servers, direct, host_name } = config;
        let mut dispatcher = Dispatcher::new(dispatcher, seed);
        for server in &servers {
            if let Some(policy) = &server.policy {
                dispatcher.set_host(Arc::clone(&server.name), policy.clone());
            }
        }
        Self {
            dispatcher,
            policy,
            servers: servers.into_iter().map(|server| (Arc::clone(&server.name), Arc::new(server))).collect(),
            routes: Routes::new(Arc::clone(&direct.route), direct.port, seed),
            direct,
            host_name,
            messages: BTreeMap::new(),
            next_message: 0,
            links: Links::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Whether one more message would keep the connections busy. A driver with many messages submits while this says so.
    pub fn wants_message(&self) -> bool {
        self.dispatcher.wants_message()
    }

    /// Takes a message. It ends by exactly one [`Event::Finished`].
    ///
    /// # Errors
    ///
    /// As [`Dispatcher::submit`].
    pub fn submit(&mut self, now: Duration, message: Message) -> Result<MessageId, Error> {
        let id = MessageId(self.next_message);
        let groups = self.policy.group(message.envelope.recipients.iter().map(|recipient| &recipient.path));
        let once = matches!(message.body, Body::Stream { rewindable: false, .. });
        let groups = groups.into_iter().enumerate().map(|(place, group)| {
            let way = match group.hop {
                Hop::Relay(_) | Hop::Direct { .. } if once && place > 0 => nowhere(read_twice()),
                Hop::Relay(relay) => Way::To(relay),
                Hop::Direct { domain, then } => {
                    let name = Arc::from(domain.as_str());
                    Way::To(Arc::new(Destination { name, targets: Vec::new(), fallback: then }))
                }
                Hop::Nowhere => nowhere(no_domain()),
            };
            let recipients = group.recipients.into_iter().filter_map(|place| u32::try_from(place).ok());
            Group { recipients: recipients.collect(), way }
        });
        let groups = groups.collect();
        let envelope = Arc::clone(&message.envelope);
        self.dispatcher.submit(now, Parcel { id, envelope, groups, deadline: message.deadline })?;
        self.next_message += 1;
        self.messages.insert(id, message);
        Ok(id)
    }

    /// The user cancels a message. Its outcome follows.
    pub fn cancel(&mut self, now: Duration, message: MessageId) {
        self.dispatcher.cancel(now, message);
    }

    /// There will be no more messages: those that are there are sent, then come [`Output::Close`] for each connection and
    /// [`Output::Done`].
    pub fn finish(&mut self) {
        self.dispatcher.finish();
    }

    /// No message is begun any more: what is on its way is finished, the rest deferred. Then as after
    /// [`finish`](Self::finish).
    pub fn stop(&mut self) {
        self.dispatcher.stop();
    }

    /// What is going on, in numbers.
    pub fn metrics(&self) -> Metrics {
        self.dispatcher.metrics()
    }

    /// The connection that [`Output::Open`] asked for is there.
    pub fn opened(&mut self, now: Duration, connection: ConnectionId, opened: &Opened) {
        let Some(LinkState::Opening(purpose)) = self.links.get_mut(connection) else {
            return;
        };
        let state = match purpose.clone() {
            Purpose::Messages(open) => match self.client_config(&open, opened) {
                Ok(config) => {
                    let machine = Connection::new(config);
                    LinkState::Messages(Box::new(Session::new(open.session, open.host, machine)))
                }
                Err(error) => return self.failed(now, connection, error),
            },
            Purpose::LogIn(name) => match self.servers.get(&name).and_then(|server| server.log_in.as_ref()) {
                Some(log_in) => {
                    let mut config = log_in.config.clone();
                    config.authentication.nonce = opened.nonce;
                    let machine = pop3::Connection::new(config);
                    LinkState::LogIn(Box::new(LogInSession { server: name, machine, is_told: false }))
                }
                None => return,
            },
        };
        if let Some(link) = self.links.woken(connection) {
            *link = state;
        }
    }

    /// A connection could not be opened, or broke, TLS could not be made, or no token could be had.
    pub fn failed(&mut self, now: Duration, connection: ConnectionId, error: Error) {
        match self.links.woken(connection) {
            Some(LinkState::Opening(_)) => {
                let error = if error.step().is_none() { error.at(Step::Connect) } else { error };
                self.over(now, connection, Closed::Failed(Failure { error, reply: None }));
            }
            Some(LinkState::Messages(session)) => session.machine.failed(error),
            Some(LinkState::LogIn(log_in)) => log_in.machine.failed(error),
            None => {}
        }
    }

    /// Bytes have come.
    pub fn receive(&mut self, now: Duration, connection: ConnectionId, bytes: &[u8]) {
        match self.links.woken(connection) {
            Some(LinkState::Messages(session)) => session.machine.receive(now, bytes),
            Some(LinkState::LogIn(log_in)) => log_in.machine.receive(now, bytes),
            Some(LinkState::Opening(_)) | None => {}
        }
    }

    /// The other side has closed, and nothing more will come.
    pub fn receive_eof(&mut self, now: Duration, connection: ConnectionId) {
        match self.links.woken(connection) {
            Some(LinkState::Messages(session)) => session.machine.receive_eof(now),
            Some(LinkState::LogIn(log_in)) => log_in.machine.receive_eof(now),
            Some(LinkState::Opening(_)) | None => {}
        }
    }

    /// So many octets, of everything that was to be written, in order, have been handed to the network. To be said before
    /// anything else that happens on that connection after it.
    pub fn written(&mut self, now: Duration, connection: ConnectionId, octets: u64) {
        if let Some(LinkState::Messages(session)) = self.links.woken(connection) {
            session.machine.written(now, octets);
        }
    }

    /// TLS is there.
    pub fn tls_started(&mut self, now: Duration, connection: ConnectionId, info: TlsInfo) {
        match self.links.woken(connection) {
            Some(LinkState::Messages(session)) => session.machine.tls_started(now, info),
            Some(LinkState::LogIn(log_in)) => log_in.machine.tls_started(now, info),
            Some(LinkState::Opening(_)) | None => {}
        }
    }

    /// Here is the token that was asked for.
    pub fn token(&mut self, now: Duration, connection: ConnectionId, token: Secret) {
        match self.links.woken(connection) {
            Some(LinkState::Messages(session)) => session.machine.token(now, token),
            Some(LinkState::LogIn(log_in)) => log_in.machine.token(now, token),
            Some(LinkState::Opening(_)) | None => {}
        }
    }

    /// Here is content of a message, from the offset on that [`Output::ReadBody`] named. Says how many octets were taken.
    pub fn content(&mut self, now: Duration, connection: ConnectionId, message: MessageId, bytes: &[u8]) -> usize {
        match self.links.woken(connection) {
            Some(LinkState::Messages(session)) => match session.number(message) {
                Some(number) => session.machine.content(now, number, bytes),
                None => bytes.len(),
            },
            _ => bytes.len(),
        }
    }

    /// The content of a message has ended.
    pub fn content_end(&mut self, now: Duration, connection: ConnectionId, message: MessageId) {
        if let Some(LinkState::Messages(session)) = self.links.woken(connection)
            && let Some(number) = session.number(message)
        {
            session.machine.content_end(now, number);
        }
    }

    /// The content of a message could not be read.
    pub fn content_failed(&mut self, connection: ConnectionId, message: MessageId, error: &Error) {
        if let Some(LinkState::Messages(session)) = self.links.woken(connection)
            && let Some(number) = session.number(message)
        {
            session.machine.content_failed(number, error);
        }
    }

    /// Here is what came of a look-up.
    pub fn dns_answer(&mut self, look_up: LookUpId, answer: Answer) {
        self.routes.answered(look_up, answer);
    }

    /// The moment has come that [`Output::Wait`] named.
    pub fn deadline_passed(&mut self, now: Duration) {
        self.routes.deadline_passed(now);
        while let Some(link) = self.links.overdue(now) {
            match link {
                LinkState::Messages(session) => session.machine.deadline_passed(now),
                LinkState::LogIn(log_in) => log_in.machine.deadline_passed(now),
                LinkState::Opening(_) => {}
            }
        }
    }

    /// What to do next. To be called until it says [`Output::Wait`] or [`Output::Done`].
    pub fn poll(&mut self, now: Duration) -> Output {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return output;
            }
            if let Some(connection) = self.links.busy() {
                if let Some(output) = self.turn(now, connection) {
                    return output;
                }
                continue;
            }
            match self.routes.turn(now) {
                Some(Turn::Resolve(look_up, query)) => return Output::Resolve { look_up, query },
                Some(Turn::Routed(destination, resolution)) => {
                    let targets = self.routes.targets(&resolution);
                    self.dispatcher.routed(now, &destination, targets.as_deref().map_err(Clone::clone));
                    return Output::Event(Event::Routed(resolution));
                }
                None => {}
            }
            match self.dispatcher.poll(now) {
                dispatcher::Output::Wait { deadline } => return self.wait(now, deadline),
                dispatcher::Output::Done if self.messages.is_empty() => return Output::Done,
                dispatcher::Output::Done => self.dispatcher.defer_the_rest(now),
                output => self.dispatch(now, output),
            }
        }
    }

    /// Does what the dispatcher says.
    fn dispatch(&mut self, now: Duration, output: dispatcher::Output) {
        match output {
            dispatcher::Output::Route { destination } => {
                if let Err(error) = self.routes.find(&destination) {
                    self.dispatcher.routed(now, &destination, Err(Unrouted { state: State::Rejected, error }));
                }
            }
            dispatcher::Output::LogIn { host } => {
                match self.servers.get(&host).and_then(|server| server.log_in.as_ref()) {
                    Some(log_in) => {
                        let endpoint = Arc::clone(&log_in.endpoint);
                        self.open(Purpose::LogIn(host), endpoint);
                    }
                    None => self.dispatcher.logged_in(now, &host, Ok(())),
                }
            }
            dispatcher::Output::Open(open) => match self.endpoint(&open.host) {
                Ok(endpoint) => self.open(Purpose::Messages(open), endpoint),
                Err(error) => {
                    self.dispatcher.closed(now, open.session, &Closed::Failed(Failure { error, reply: None }));
                }
            },
            dispatcher::Output::Send(send) => self.send(&send),
            dispatcher::Output::Check { session } => {
                if let Some(session) = self.links.woken_session(session) {
                    session.machine.command(Query::Noop);
                }
            }
            dispatcher::Output::Close { session } => match self.links.woken_session(session) {
                Some(session) => session.machine.quit(),
                // The host is still opening it.
                None => {
                    if let Some(connection) = self.links.of_session(session) {
                        self.over(now, connection, Closed::Quit);
                    }
                }
            },
            dispatcher::Output::Abort { session, delivery } => {
                if let Some(session) = self.links.woken_session(session)
                    && let Some(number) = session.number_of(delivery)
                {
                    session.machine.abort(number);
                }
            }
            dispatcher::Output::Event(dispatcher::Event::Finished(outcome)) => {
                self.messages.remove(&outcome.message);
                self.outputs.push_back(Output::Event(Event::Finished(outcome)));
            }
            dispatcher::Output::Event(event) => self.outputs.push_back(Output::Event(Event::Progress(event))),
            dispatcher::Output::Wait { .. } | dispatcher::Output::Done => {}
        }
    }

    fn send(&mut self, send: &dispatcher::Send) {
        let Some(message) = self.messages.get(&send.message) else {
            return;
        };
        let mut message = message.clone();
        let is_all = send.recipients.len() == message.envelope.recipients.len()
            && (0..).zip(send.recipients.iter()).all(|(place, recipient)| place == *recipient);
        if !is_all {
            let chosen = send.recipients.iter().filter_map(|place| message.envelope.recipients.get(*place as usize));
            message.envelope = Arc::new(Envelope {
                reverse_path: message.envelope.reverse_path.clone(),
                parameters: message.envelope.parameters.clone(),
                recipients: chosen.cloned().collect(),
            });
        }
        message.deadline = send.deadline;
        let untold = Some(Arc::clone(&send.recipients));
        let flying = Flying { delivery: send.delivery, message: send.message, untold };
        if let Some(session) = self.links.woken_session(send.session) {
            session.submit(flying, message);
        }
    }

    fn open(&mut self, purpose: Purpose, endpoint: Arc<Endpoint>) {
        let server = match &purpose {
            Purpose::Messages(open) => Arc::clone(&open.host),
            Purpose::LogIn(host) => Arc::clone(host),
        };
        let connection = self.links.insert(purpose);
        self.outputs.push_back(Output::Open { connection, server, endpoint });
    }

    fn endpoint(&self, host: &str) -> Result<Arc<Endpoint>, Error> {
        match self.servers.get(host) {
            Some(server) => Ok(Arc::clone(&server.endpoint)),
            None => Ok(Arc::clone(&self.routes.host(host)?.endpoint)),
        }
    }

    fn client_config(&self, open: &Open, opened: &Opened) -> Result<client::Config, Error> {
        let (mut config, ehlo) = match self.servers.get(&open.host) {
            Some(server) => (server.client.clone(), &server.ehlo),
            None => {
                let server_name = self.routes.host(&open.host)?.server_name.as_ref().to_owned();
                (client::Config { server_name, ..self.direct.client.clone() }, &self.direct.ehlo)
            }
        };
        config.ehlo = ehlo.clone().unwrap_or_else(|| EhloName::of_host(&self.host_name, opened.local));
        if let Some(authentication) = &mut config.authentication {
            authentication.nonce = opened.nonce;
        }
        if open.is_reduced {
            config.pipelining = config.pipelining.min(Pipelining::Message);
        }
        if open.without_tls {
            config.tls = Tls::None;
        }
        Ok(config)
    }

    fn wait(&mut self, now: Duration, dispatcher: Option<Duration>) -> Output {
        let deadline = [dispatcher, self.links.deadline(), self.routes.deadline(now)].into_iter().flatten().min();
        Output::Wait { deadline }
    }
}

fn nowhere(error: Error) -> Way {
    Way::Nowhere(Unrouted { state: State::Rejected, error })
}

fn read_twice() -> Error {
    Error::new(ErrorCode::MessageUnreadable, "the content can be read only once, and has to go to several servers")
}

fn no_domain() -> Error {
    Error::new(ErrorCode::AddressSyntax, "an address without a domain goes only to a relay")
}
