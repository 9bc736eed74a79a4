//! The host: it carries out the script, and looks at everything that the machine says.

use std::time::Duration;

use arbitrary::Unstructured;
use okuru_core::ErrorCode;
use okuru_core::client::{Body, Closed, Config, Connection, Event, MessageId, Pipelining, Tls, Trace};

use super::answers;
use super::calls::{self, Call, MOST_OUTPUTS, Seen};
use super::judge;
use super::offer;
use super::script::{self, Letter, Step};
use super::server::{Server, Then};

/// How much is submitted at the most, so that a run stays short.
const MOST_LETTERS: usize = 24;
const MOST_STEPS: usize = 400;

pub(super) struct Host {
    config: Config,
    connection: Connection,
    now: Duration,
    server: Server,
    letters: Vec<Letter>,
    /// Whether each has ended.
    ended: Vec<bool>,
    /// What is asked for: content of this message, from there on.
    asked: Option<(usize, u64)>,
    /// How far content was handed in.
    handed: Vec<u64>,
    wants_tls: bool,
    wants_token: bool,
    authenticated: bool,
    begun: bool,
    deadline: Option<Duration>,
    /// When it was said just now that a deadline has passed, and how many octets had been said then.
    told_deadline: Option<(Duration, u64)>,
    queries: u64,
    answered: u64,
    wants_quit: bool,
    closed: Option<Closed>,
    /// How the host behaves.
    chunk: u8,
    lazy: bool,
    offer: u16,
    /// The end of an answer that comes later.
    late: Vec<u8>,
    shows: bool,
    pub(super) calls: Vec<(Duration, Call)>,
    pub(super) seen: Vec<Seen>,
}

impl Host {
    pub(super) fn new(config: Config, shows: bool) -> Self {
        Self {
            connection: Connection::new(config.clone()),
            server: Server::new(config.clone()),
            config,
            now: Duration::from_secs(1000),
            letters: Vec::new(),
            ended: Vec::new(),
            asked: None,
            handed: Vec::new(),
            wants_tls: false,
            wants_token: false,
            authenticated: false,
            begun: false,
            deadline: None,
            told_deadline: None,
            queries: 0,
            answered: 0,
            wants_quit: false,
            closed: None,
            chunk: 200,
            lazy: false,
            offer: offer::USUAL,
            late: Vec::new(),
            shows,
            calls: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// Carries out the whole script, and comes to an end.
    pub(super) fn run(&mut self, from: &mut Unstructured<'_>) {
        self.poll();
        for _ in 0..MOST_STEPS {
            let Some(step) = script::step(from) else {
                break;
            };
            if self.shows {
                println!("{:?} {step:?}", self.now);
            }
            self.step(step, from);
        }
        if !self.connection.is_closed() {
            self.call(Call::Failed(ErrorCode::ConnectLost));
        }
        self.poll();
        assert!(self.closed.is_some(), "it is not over");
        assert!(self.ended.iter().all(|ended| *ended), "a message has not ended");
        judge::contents(&self.server, &self.letters);
        self.keeps_secrets(&format!("{:?}", self.connection));
    }

    fn step(&mut self, step: Step, from: &mut Unstructured<'_>) {
        let waits =
            self.lazy && matches!(step, Step::Answer { .. } | Step::AnswerAll(_) | Step::Write(_) | Step::Receive(_));
        match step {
            Step::Submit => self.submit(from),
            Step::Answer { kind, later } => {
                let what = self.server.due.front().map(|due| due.what);
                let mut answer = answers::answer(what, kind, self.offer);
                let late = answer.split_off(answer.len().saturating_sub(later.into()));
                self.receive(answer);
                self.late = late;
            }
            Step::AnswerAll(most) => self.answer_all(most.into()),
            Step::Write(octets) => self.write(octets),
            Step::Receive(bytes) => self.receive(bytes),
            Step::Feed(octets) => self.feed(octets.into()),
            Step::FeedEnd => {
                if let Some((message, offset)) = self.asked.take() {
                    self.letters[message].content.truncate(usize::try_from(offset).expect("it is small"));
                    self.call(Call::ContentEnd(MessageId(message as u64)));
                }
            }
            Step::FeedFails => {
                if let Some((message, _)) = self.asked.take() {
                    self.call(Call::ContentFailed(MessageId(message as u64)));
                }
            }
            Step::Chunk(octets) => self.chunk = octets,
            Step::Unasked(message) => {
                if self.asked.is_none_or(|(asked, _)| asked != usize::from(message)) {
                    let message = MessageId(message.into());
                    self.call(Call::Content(message, b"nobody has asked for this".to_vec()));
                    self.call(Call::ContentEnd(message));
                }
            }
            Step::Abort(message) => self.call(Call::Abort(MessageId(message.into()))),
            Step::Command(query) => {
                self.queries += 1;
                self.call(Call::Command(query));
            }
            Step::Quit => {
                self.wants_quit = true;
                self.call(Call::Quit);
            }
            Step::Pass(milliseconds) => self.now += Duration::from_millis(milliseconds.into()),
            Step::Deadline => {
                if let Some(deadline) = self.deadline {
                    self.now = self.now.max(deadline);
                    self.call(Call::DeadlinePassed);
                }
            }
            Step::DeadlinePassed => self.call(Call::DeadlinePassed),
            Step::TlsStarted { verified } => self.start_tls(verified),
            Step::Token(token) => {
                self.wants_token = false;
                self.call(Call::Token(token));
            }
            Step::Fails(kind) => {
                let codes = [ErrorCode::ConnectLost, ErrorCode::TlsHandshake, ErrorCode::AuthToken];
                self.call(Call::Failed(codes[usize::from(kind) % codes.len()]));
                assert!(self.connection.is_closed());
            }
            Step::Eof => {
                self.call(Call::Eof);
                assert!(self.connection.is_closed());
            }
            Step::Clone => self.connection = self.connection.clone(),
            Step::Offer(bits) => self.offer = bits,
            Step::Lazy(lazy) => self.lazy = lazy,
        }
        if !waits {
            self.poll();
        }
    }

    fn call(&mut self, call: Call) {
        calls::make(&mut self.connection, self.now, &call);
        self.told_deadline = matches!(call, Call::DeadlinePassed).then_some((self.now, self.server.said));
        self.calls.push((self.now, call));
        self.server.over |= self.connection.is_closed();
    }

    fn submit(&mut self, from: &mut Unstructured<'_>) {
        if self.letters.len() < MOST_LETTERS {
            let letter = script::letter(from, self.letters.len(), self.now);
            self.call(Call::Submit(Box::new(letter.message.clone())));
            self.letters.push(letter);
            self.ended.push(false);
            self.handed.push(0);
        }
    }

    fn start_tls(&mut self, verified: bool) {
        if self.wants_tls {
            self.wants_tls = false;
            self.call(Call::TlsStarted { verified });
            if !self.server.over {
                self.server.tls_started(verified);
            }
        } else if !self.server.handshake {
            self.call(Call::TlsStarted { verified });
        }
    }

    fn write(&mut self, octets: u16) {
        let left = self.server.said - self.server.written;
        let written = if octets == 0 { left } else { left.min(octets.into()) };
        if !self.server.over {
            self.server.written += written;
            self.call(Call::Written(written));
        }
    }

    fn answer_all(&mut self, most: usize) {
        self.write(0);
        let written = self.server.written;
        let due = self.server.due.iter().take_while(|due| due.end <= written).take(most);
        let bytes: Vec<u8> = due.flat_map(|due| answers::answer(Some(due.what), 0, self.offer)).collect();
        self.receive(bytes);
    }

    /// Hands in bytes of the server, line by line, and asks after each line what has to come of it.
    fn receive(&mut self, bytes: Vec<u8>) {
        let bytes = [std::mem::take(&mut self.late), bytes].concat();
        if self.shows {
            println!("    < {}", bytes.escape_ascii());
        }
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let then = if self.server.over { Then::Anything } else { self.server.speak(line) };
            self.connection.receive(self.now, line);
            self.server.over |= self.connection.is_closed();
            assert!(then != Then::Closes || self.server.over, "it goes on after {}", line.escape_ascii());
        }
        self.told_deadline = None;
        self.calls.push((self.now, Call::Receive(bytes)));
    }

    /// Hands in content that was asked for.
    fn feed(&mut self, octets: usize) {
        let Some((message, offset)) = self.asked.take() else {
            return;
        };
        let letter = &self.letters[message];
        let rest = &letter.content[usize::try_from(offset).expect("it is small")..];
        let piece = &rest[..rest.len().min(octets)];
        let call = if rest.is_empty() && matches!(letter.message.body, Body::Stream { .. }) {
            Call::ContentEnd(MessageId(message as u64))
        } else {
            self.handed[message] = offset + piece.len() as u64;
            Call::Content(MessageId(message as u64), piece.to_vec())
        };
        self.call(call);
    }

    /// Does what the machine says until it waits.
    fn poll(&mut self) {
        if !self.begun {
            self.begun = true;
            if !self.connection.is_closed() {
                self.server.begin();
            }
        }
        loop {
            self.calls.push((self.now, Call::Poll));
            for count in 0.. {
                assert!(count < MOST_OUTPUTS, "there is no end of outputs");
                let output = Seen::from(self.connection.poll(self.now));
                if self.shows {
                    show(&output);
                }
                let ends = output.ends_polling();
                self.look_at(&output);
                calls::note(&mut self.seen, output);
                if ends {
                    break;
                }
            }
            if self.asked.is_none() || self.chunk == 0 {
                // Content that was asked for does not come: what else is there to do?
                if !matches!(self.seen.last(), Some(Seen::Read(..))) {
                    return;
                }
            } else {
                self.feed(self.chunk.into());
            }
        }
    }

    fn look_at(&mut self, output: &Seen) {
        assert!(self.closed.is_none() || matches!(output, Seen::Closed(_) | Seen::Event(Event::Finished(_))));
        match output {
            Seen::Write(bytes) => {
                assert!(!bytes.is_empty());
                self.server.hear(bytes);
            }
            Seen::Body(message, range) => {
                let number = usize::try_from(message.0).expect("it is small");
                assert!(!self.ended[number], "content is sent of a message that has ended");
                let handed = match self.letters[number].message.body {
                    Body::Whole(inspection) => inspection.size(),
                    Body::Stream { .. } => self.handed[number],
                };
                assert!(range.start <= range.end && range.end <= handed, "{range:?} of {handed}");
                self.server.hear(&self.letters[number].content[range.start as usize..range.end as usize]);
            }
            Seen::Read(message, offset) => {
                let number = usize::try_from(message.0).expect("it is small");
                assert!(self.asked.is_none() && !self.ended[number]);
                assert!(*offset == 0 || *offset <= self.handed[number]);
                self.asked = Some((number, *offset));
            }
            Seen::StartTls { verify } => {
                assert!(self.server.handshake && self.server.tls.is_none());
                assert_eq!(*verify, self.config.tls != Tls::Opportunistic);
                self.wants_tls = true;
            }
            Seen::GetToken => self.wants_token = true,
            Seen::Event(event) => self.look_at_event(event),
            Seen::Wait(deadline) => self.look_at_wait(*deadline),
            Seen::Closed(closed) => {
                assert!(self.connection.is_closed());
                assert_eq!(self.closed.get_or_insert_with(|| closed.clone()), closed);
                if *closed == Closed::Quit {
                    assert!(self.server.quit && self.server.is_between_commands());
                }
                assert!(self.ended.iter().all(|ended| *ended), "it is over, and a message has not ended");
                self.keeps_secrets(&format!("{closed:?}"));
            }
        }
    }

    fn look_at_event(&mut self, event: &Event) {
        self.keeps_secrets(&format!("{event:?}"));
        match event {
            Event::Trace(Trace::Received(reply)) => {
                assert_eq!(Some(reply.raw()), self.server.replies.pop_front().as_deref());
            }
            Event::Capabilities(offered) => {
                assert_eq!(offered.pipelining(), self.server.offered.has("PIPELINING"));
                assert_eq!(offered.starttls(), self.server.offered.has("STARTTLS"));
            }
            Event::Authenticated(mechanism) => {
                assert!(!mechanism.name().starts_with("SCRAM"), "the server does not know the password");
                self.authenticated = true;
            }
            Event::Ready => {
                assert!(!self.server.ready);
                assert!(self.authenticated || self.config.authentication.is_none());
                self.server.ready = true;
            }
            Event::PipeliningReduced => {
                assert!(self.config.pipelining >= Pipelining::Session && !self.server.reduced);
                self.server.reduced = true;
            }
            Event::Reply { id, .. } => {
                assert_eq!(*id, self.answered);
                self.answered += 1;
            }
            Event::Finished(outcome) => {
                let number = usize::try_from(outcome.message.0).expect("it is small");
                assert!(!std::mem::replace(&mut self.ended[number], true), "a message ends twice");
                judge::outcome(&self.server, &self.letters[number], outcome);
                if self.asked.is_some_and(|(asked, _)| asked == number) {
                    self.asked = None;
                }
            }
            _ => {}
        }
    }

    fn look_at_wait(&mut self, deadline: Option<Duration>) {
        // Of what has been said since, time may have run out at once.
        if self.told_deadline == Some((self.now, self.server.said)) {
            assert!(deadline.is_none_or(|deadline| deadline > self.now), "the deadline has been told to have passed");
        }
        self.deadline = deadline;
        if self.wants_tls {
            assert!(deadline.is_some(), "it waits for TLS for ever");
        } else if !self.server.due.is_empty() || self.server.said > self.server.written {
            assert!(deadline.is_some(), "it waits for the server for ever");
        } else if self.asked.is_none() && !self.wants_token {
            assert!(self.connection.is_idle(), "it waits for nothing");
            assert!(self.ended.iter().all(|ended| *ended) && self.answered == self.queries && !self.wants_quit);
        }
        if self.wants_quit {
            assert!(!self.connection.wants_message());
        }
    }

    fn keeps_secrets(&self, shown: &str) {
        if self.config.authentication.is_none() {
            return;
        }
        for secret in script::secrets() {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

fn show(output: &Seen) {
    match output {
        Seen::Write(bytes) => println!("    > {}", bytes.escape_ascii()),
        Seen::Event(Event::Trace(_)) => {}
        output => println!("      {output:?}"),
    }
}
