//! The mailer against receivers, joined by a wire, in virtual time.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use okuru_core::ErrorCode;
use okuru_core::client::{Body, Envelope, Message, MessageId, Outcome, State, Summary, Tls};
use okuru_core::delivery::Mailer;
use okuru_core::delivery::dispatcher::{Backoff, Destination, Event as Progress, Metrics, Retry};
use okuru_core::delivery::mailer::{Config, ConnectionId, Direct, Endpoint, Event, Opened, Output, Server};
use okuru_core::delivery::route::{Answer, Exchange, Policy, QueryKind, Records, Way};
use okuru_core::server::{self, Peer, Question, Seed, Session};
use okuru_core::syntax::{DecodedPiece, Inspection, MailParameters, Reply};
use okuru_core::{Error, client};

const CONTENT: &[u8] = b"Subject: hello\r\n\r\n.hidden\r\n";
/// The same without a dot at the beginning of a line: it goes out as it is, and nobody asks for it before.
const PLAIN: &[u8] = b"Subject: hello\r\n\r\n hidden\r\n";
const STEP: Duration = Duration::from_millis(10);

/// What a server says to the recipient of a message, by the number of the attempt.
type Judge = fn(attempt: usize) -> Option<&'static str>;

/// A server, by its name and port.
#[derive(Default)]
struct Host {
    /// A reply to RCPT, or yes.
    rcpt: Option<Judge>,
    /// A reply to the connection, or yes.
    connect: Option<Judge>,
    is_down: bool,
    attempts: usize,
    connections: usize,
    /// The recipients of each message that it took.
    taken: Vec<Vec<String>>,
}

/// Everything that a host does, with servers instead of sockets.
struct World {
    mailer: Mailer,
    content: &'static [u8],
    now: Duration,
    hosts: BTreeMap<String, Host>,
    zone: HashMap<(String, QueryKind), Records>,
    wires: BTreeMap<ConnectionId, Wire>,
    outcomes: Vec<Outcome>,
    events: Vec<String>,
    /// The recipients of each attempt: those whose content was about to go out, and what became of whom.
    sending: Vec<Vec<u32>>,
    tried: Vec<Vec<(u32, State)>>,
    is_done: bool,
}

struct Wire {
    host: String,
    session: Session,
    to_server: Vec<u8>,
    to_client: VecDeque<u8>,
    content: Vec<u8>,
    is_over: bool,
}

impl World {
    fn new(config: Config, hosts: impl IntoIterator<Item = (&'static str, Host)>) -> Self {
        Self {
            mailer: Mailer::new(config, 7),
            content: CONTENT,
            now: Duration::ZERO,
            hosts: hosts.into_iter().map(|(name, host)| (name.to_owned(), host)).collect(),
            zone: HashMap::new(),
            wires: BTreeMap::new(),
            outcomes: Vec::new(),
            events: Vec::new(),
            sending: Vec::new(),
            tried: Vec::new(),
            is_done: false,
        }
    }

    /// An MX record, and the address of its host.
    fn mx(&mut self, domain: &str, preference: u16, host: &str) {
        let records = self.zone.entry((domain.to_owned(), QueryKind::Mx)).or_insert(Records::Exchanges(Vec::new()));
        if let Records::Exchanges(exchanges) = records {
            exchanges.push(Exchange { preference, host: host.to_owned() });
        }
        let address = Records::Addresses(vec!["192.0.2.1".parse().unwrap()]);
        self.zone.insert((host.to_owned(), QueryKind::A), address);
    }

    fn submit(&mut self, recipients: &[&str]) -> MessageId {
        let message = message(recipients, self.content);
        self.mailer.submit(self.now, message).unwrap()
    }

    /// Lets time pass until all that was submitted has ended.
    fn run(&mut self) {
        for _ in 0..100_000 {
            let deadline = self.drain();
            if self.is_done {
                return;
            }
            if self.move_bytes() {
                self.now += STEP;
                continue;
            }
            let metrics: Metrics = self.mailer.metrics();
            if metrics.messages == 0 && metrics.sessions == metrics.idle_sessions {
                return;
            }
            let deadline = deadline.expect("there is something to wait for");
            self.now = self.now.max(deadline);
            self.mailer.deadline_passed(self.now);
        }
        panic!("no end: {:?}", self.mailer.metrics());
    }

    fn drain(&mut self) -> Option<Duration> {
        loop {
            match self.mailer.poll(self.now) {
                Output::Open { connection, endpoint, .. } => self.open(connection, &endpoint),
                Output::Write { connection, bytes } => self.write(connection, &bytes),
                Output::WriteBody { connection, range, .. } => {
                    self.write(connection, &self.content[range.start as usize..range.end as usize]);
                }
                Output::Close { connection } => {
                    let wire = self.wires.remove(&connection);
                    self.events.push(format!("closed {}", wire.map_or_else(String::new, |wire| wire.host)));
                }
                Output::Resolve { look_up, query } => {
                    let found = self.zone.get(&(query.name.as_str().to_owned(), query.kind));
                    let records = found.cloned().unwrap_or(match query.kind {
                        QueryKind::Mx if query.name.as_str().starts_with("nowhere") => Records::NxDomain,
                        _ => Records::NoData,
                    });
                    self.mailer.dns_answer(look_up, Answer::new(records));
                }
                Output::Event(Event::Finished(outcome)) => self.outcomes.push(outcome),
                Output::Event(Event::Sending { recipients, .. }) => self.sending.push(recipients.to_vec()),
                Output::Event(Event::Progress(Progress::Tried(tried))) => self.tried.push(tried.recipients),
                Output::Event(_) => {}
                Output::Wait { deadline } => return deadline,
                Output::Done => {
                    self.is_done = true;
                    return None;
                }
                Output::ReadBody { connection, message, offset } => {
                    self.mailer.content(self.now, connection, message, &self.content[offset as usize..]);
                }
                output @ (Output::StartTls { .. } | Output::GetToken { .. }) => panic!("not configured: {output:?}"),
            }
        }
    }

    fn open(&mut self, connection: ConnectionId, endpoint: &Endpoint) {
        let Endpoint::Host { name, port, .. } = endpoint else { panic!("no sockets here") };
        let name = format!("{name}:{port}");
        let host = self.hosts.entry(name.clone()).or_insert_with(|| panic!("no host {name}"));
        if host.is_down {
            return self.mailer.failed(self.now, connection, Error::new(ErrorCode::ConnectRefused, "nobody listens"));
        }
        host.connections += 1;
        let mut config = server::Config::new("mx.example".parse().unwrap());
        config.relay.dangerously_for_anyone = true;
        config.asks.connect = true;
        let wire = Wire {
            host: name,
            session: Session::new(config, Peer::default(), Seed { random: [7; 32], unix_time: 0 }),
            to_server: Vec::new(),
            to_client: VecDeque::new(),
            content: Vec::new(),
            is_over: false,
        };
        self.wires.insert(connection, wire);
        self.mailer.opened(self.now, connection, &Opened { local: "192.0.2.9".parse().ok(), nonce: [3; 24] });
    }

    fn write(&mut self, connection: ConnectionId, bytes: &[u8]) {
        if let Some(wire) = self.wires.get_mut(&connection) {
            wire.to_server.extend(bytes);
        }
        self.mailer.written(self.now, connection, bytes.len() as u64);
    }

    /// Hands everything over that is under way. Says whether there was something.
    fn move_bytes(&mut self) -> bool {
        let mut moved = false;
        for (connection, wire) in &mut self.wires {
            let host = self.hosts.get_mut(&wire.host).unwrap();
            wire.serve(self.now, host);
            let bytes: Vec<u8> = wire.to_client.drain(..).collect();
            moved |= !bytes.is_empty();
            self.mailer.receive(self.now, *connection, &bytes);
            if std::mem::take(&mut wire.is_over) {
                moved = true;
                self.mailer.receive_eof(self.now, *connection);
            }
        }
        moved
    }
}

impl Wire {
    fn serve(&mut self, now: Duration, host: &mut Host) {
        if self.session.is_closed() {
            return;
        }
        let input = std::mem::take(&mut self.to_server);
        let (mut base, mut taken) = (0, 0);
        loop {
            match self.session.poll(now) {
                server::Output::Write(bytes) => self.to_client.extend(bytes),
                server::Output::Content { piece: DecodedPiece::Received(range), .. } => {
                    self.content.extend(&input[base..][range]);
                }
                server::Output::Content { piece: DecodedPiece::Added(bytes), .. } => self.content.extend(bytes),
                server::Output::Discard { .. } => self.content.clear(),
                server::Output::Ask { id, question } => {
                    let judge = match &question {
                        Question::Connect => host.connect.map(|judge| judge(host.connections)),
                        Question::ForwardPath(_) => {
                            host.attempts += 1;
                            host.rcpt.map(|judge| judge(host.attempts))
                        }
                        Question::Message(received) => {
                            let content = std::mem::take(&mut self.content);
                            assert!(content == CONTENT || content == PLAIN);
                            let recipients = received.envelope.recipients.iter();
                            host.taken.push(recipients.map(|recipient| recipient.path.to_string()).collect());
                            None
                        }
                        _ => None,
                    };
                    let answer = match judge.flatten() {
                        Some(reply) => server::Answer::Reply(Reply::parse(reply.as_bytes()).unwrap()),
                        None => server::Answer::Accept,
                    };
                    assert!(self.session.answer(now, id, answer));
                }
                server::Output::Event(_) => {}
                server::Output::Wait { .. } => {
                    if taken == input.len() {
                        return;
                    }
                    base = taken;
                    taken += self.session.receive(now, &input[base..]);
                    assert!(taken > base, "every question has been answered");
                }
                server::Output::StartTls => panic!("not configured"),
                server::Output::Closed(_) => {
                    self.is_over = true;
                    return;
                }
            }
        }
    }
}

fn message(recipients: &[&str], content: &[u8]) -> Message {
    let envelope = Envelope {
        reverse_path: "<ann@example.com>".parse().unwrap(),
        parameters: MailParameters::default(),
        recipients: recipients.iter().map(|to| to.parse::<okuru_core::syntax::ForwardPath>().unwrap().into()).collect(),
    };
    Message::new(envelope, Body::Whole(Inspection::of(content)))
}

fn server(name: &str) -> Server {
    let endpoint = Endpoint::Host { name: name.to_owned(), port: 25, addresses: Vec::new() };
    Server {
        name: name.into(),
        endpoint: endpoint.into(),
        client: client::Config { tls: Tls::None, ..client::Config::new(name, "client.example".parse().unwrap()) },
        ehlo: None,
        log_in: None,
        policy: None,
    }
}

fn direct() -> Direct {
    let mut direct = Direct::default();
    direct.client.tls = Tls::None;
    direct
}

fn states(outcome: &Outcome) -> Vec<State> {
    outcome.recipients.iter().map(|recipient| recipient.state).collect()
}

#[test]
fn one_relay_and_a_thousand_messages() {
    let mut world = World::new(Config::relay(server("relay.example"), 4), [("relay.example:25", Host::default())]);
    for number in 0..1000 {
        world.submit(&[&format!("<bob{number}@example.org>")]);
    }
    world.mailer.finish();
    world.run();
    let host = &world.hosts["relay.example:25"];
    assert!(world.is_done && world.wires.is_empty());
    assert_eq!((world.outcomes.len(), host.taken.len()), (1000, 1000));
    assert!(world.outcomes.iter().all(|outcome| outcome.summary() == Summary::Accepted));
    // Each of the four has 250, and 100 go over one connection.
    assert_eq!(host.connections, 12);
    // One round trip a message, four at a time, and the openings.
    assert!(world.now < STEP * 300, "{:?}", world.now);
}

#[test]
fn only_the_deferred_recipients_are_tried_again() {
    let greylists: Judge = |attempt| (attempt == 2).then_some("451 4.7.1 come back later\r\n");
    let host = Host { rcpt: Some(greylists), ..Host::default() };
    let mut config = Config::relay(server("relay.example"), 1);
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    config.dispatcher.retry = Some(Retry {
        backoff: Backoff { first: minutes(5), most: minutes(60), jitter: 0 },
        tries: 3,
        ..Retry::default()
    });
    let mut world = World::new(config, [("relay.example:25", host)]);
    world.submit(&["<a@example.org>", "<b@example.org>", "<c@example.org>"]);
    world.run();
    assert_eq!(states(&world.outcomes[0]), [State::Accepted; 3]);
    let taken = &world.hosts["relay.example:25"].taken;
    assert_eq!(*taken, [vec!["<a@example.org>", "<c@example.org>"], vec!["<b@example.org>"]]);
    assert!(world.now >= minutes(5) && world.now < minutes(6), "{:?}", world.now);
    let (accepted, deferred) = (State::Accepted, State::Deferred);
    assert_eq!(world.sending, [vec![0, 1, 2], vec![1]]);
    assert_eq!(world.tried, [vec![(0, accepted), (1, deferred), (2, accepted)], vec![(1, accepted)]]);
}

#[test]
fn when_a_relay_is_down_the_next_one_takes_over() {
    let servers = [server("one.example"), server("two.example")];
    let relays = Destination::failover("relays", ["one.example", "two.example"]);
    let hosts = [("one.example:25", Host { is_down: true, ..Host::default() }), ("two.example:25", Host::default())];
    let mut world = World::new(Config::relays(servers, relays, 2), hosts);
    for _ in 0..20 {
        world.submit(&["<bob@example.org>"]);
    }
    world.run();
    assert!(world.outcomes.iter().all(|outcome| outcome.summary() == Summary::Accepted), "{:?}", world.outcomes);
    assert_eq!(world.hosts["two.example:25"].taken.len(), 20);
}

#[test]
fn directly_to_each_domain() {
    let mut config = Config::direct(direct());
    config.dispatcher.retry = None;
    let down = Host { is_down: true, ..Host::default() };
    let hosts =
        [("mx1.a.example:25", down), ("mx2.a.example:25", Host::default()), ("mx.b.example:25", Host::default())];
    let mut world = World::new(config, hosts);
    world.mx("a.example", 10, "mx1.a.example");
    world.mx("a.example", 20, "mx2.a.example");
    world.mx("b.example", 0, "mx.b.example");
    world.mx("null.example", 0, ".");
    world.submit(&["<1@a.example>", "<2@b.example>", "<3@A.example>", "<4@null.example>", "<5@nowhere.example>"]);
    world.run();
    let outcome = &world.outcomes[0];
    let accepted = State::Accepted;
    assert_eq!(states(outcome), [accepted, accepted, accepted, State::Rejected, State::Rejected], "{outcome:?}");
    assert_eq!(world.hosts["mx2.a.example:25"].taken, [["<1@a.example>", "<3@A.example>"]]);
    assert_eq!(world.hosts["mx.b.example:25"].taken, [["<2@b.example>"]]);
    let codes: Vec<_> = outcome.recipients[3..].iter().map(|recipient| recipient.error().unwrap().code()).collect();
    assert_eq!(codes, [ErrorCode::DnsNullMx, ErrorCode::DnsNoSuchHost]);
}

#[test]
fn the_relay_takes_what_is_not_wanted_directly() {
    let refuses: Judge = |_| Some("554 5.7.1 your address is listed\r\n");
    let no_such_user: Judge = |_| Some("550 5.1.1 no such user\r\n");
    let hosts = [
        ("mx.listed.example:25", Host { connect: Some(refuses), ..Host::default() }),
        ("mx.strict.example:25", Host { rcpt: Some(no_such_user), ..Host::default() }),
        ("relay.example:25", Host::default()),
    ];
    let mut config = Config::direct(direct());
    config.servers.push(server("relay.example"));
    config.policy = Policy::new(Way::DirectThenRelay(Arc::new(Destination::host("relay.example"))));
    config.dispatcher.retry = None;
    let mut world = World::new(config, hosts);
    world.mx("listed.example", 0, "mx.listed.example");
    world.mx("strict.example", 0, "mx.strict.example");
    world.mx("null.example", 0, ".");
    world.submit(&["<1@listed.example>", "<2@strict.example>", "<3@null.example>", "<4@nowhere.example>"]);
    world.run();
    let rejected = State::Rejected;
    assert_eq!(states(&world.outcomes[0]), [State::Accepted, rejected, rejected, rejected], "{:?}", world.outcomes);
    assert_eq!(world.hosts["relay.example:25"].taken, [["<1@listed.example>"]]);
}

#[test]
fn content_that_goes_out_as_it_is_is_announced_too() {
    let mut world = World::new(Config::relay(server("relay.example"), 1), [("relay.example:25", Host::default())]);
    world.content = PLAIN;
    world.submit(&["<a@example.org>"]);
    world.run();
    assert_eq!(world.sending, [vec![0]]);
}

#[test]
fn what_has_not_had_its_turn_is_deferred_when_all_is_stopped() {
    let mut world = World::new(Config::relay(server("relay.example"), 1), [("relay.example:25", Host::default())]);
    for _ in 0..5 {
        world.submit(&["<bob@example.org>"]);
    }
    world.drain();
    world.mailer.stop();
    world.run();
    assert!(world.is_done);
    let deferred = world.outcomes.iter().filter(|outcome| outcome.summary() == Summary::Deferred).count();
    assert_eq!((world.outcomes.len(), world.hosts["relay.example:25"].taken.len()), (5, 5 - deferred));
    assert!(deferred > 0);
}

#[test]
fn a_cancelled_message_ends_and_the_others_go_on() {
    let mut world = World::new(Config::relay(server("relay.example"), 1), [("relay.example:25", Host::default())]);
    let messages: Vec<_> = (0..3).map(|_| world.submit(&["<bob@example.org>"])).collect();
    world.mailer.cancel(world.now, messages[1]);
    world.run();
    let cancelled = world.outcomes.iter().find(|outcome| outcome.message == messages[1]).unwrap();
    assert_eq!(cancelled.recipients[0].error().unwrap().code(), ErrorCode::Cancelled);
    assert_eq!((world.outcomes.len(), world.hosts["relay.example:25"].taken.len()), (3, 2));
}

#[test]
fn what_is_still_being_opened_is_given_up_when_all_is_stopped() {
    let mut mailer = Mailer::new(Config::relay(server("relay.example"), 1), 7);
    mailer.submit(Duration::ZERO, message(&["<bob@example.org>"], CONTENT)).unwrap();
    let Output::Open { connection, .. } = mailer.poll(Duration::ZERO) else { panic!("not opened") };
    mailer.stop();
    let (mut closed, mut outcomes) = (Vec::new(), Vec::new());
    loop {
        match mailer.poll(Duration::ZERO) {
            Output::Close { connection } => closed.push(connection),
            Output::Event(Event::Finished(outcome)) => outcomes.push(outcome.summary()),
            Output::Event(_) => {}
            Output::Done => break,
            output => panic!("{output:?}"),
        }
    }
    assert_eq!((closed, outcomes), (vec![connection], vec![Summary::Deferred]));
    // Too late.
    mailer.opened(Duration::ZERO, connection, &Opened { local: None, nonce: [3; 24] });
    assert!(matches!(mailer.poll(Duration::ZERO), Output::Done));
}
