//! One connection to a server, without the waiting: the core's machine, what it wants written, TLS, and the content of the
//! messages that it has.
//!
//! [`turn`](Session::turn) does what the machine says until that has nothing more to say; [`flush`](Session::flush) writes
//! what has come together. Whatever has to be waited for is told to the driver.

use std::io;
use std::time::Duration;

use okuru_core::client::{Closed, Connection, Event, MessageId, Outcome, Output, Query, Trace};
use okuru_core::sasl::Secret;
use okuru_core::syntax::Reply;
use okuru_core::{Error, ErrorCode};

use crate::connect::{lost, without_number};
use crate::flight::{Available, Flight, Item, Loan};
use crate::gather::Gather;
use crate::logging;
use crate::options::Tracer;
use crate::server_info::ServerInfo;
#[cfg(feature = "rustls")]
use crate::tls::{TlsLayer, Trust};
use crate::transport::Transport;

/// One connection to a server.
pub(crate) struct Session {
    machine: Connection,
    gather: Gather,
    flight: Flight,
    /// Content that the machine has asked for, and has not been given.
    wanted: Option<(MessageId, u64)>,
    wants_token: bool,
    was_ready: bool,
    is_over: bool,
    is_reduced: bool,
    info: ServerInfo,
    tracer: Option<Tracer>,
    /// What had come before the machine began.
    early: Vec<u8>,
    #[cfg(feature = "rustls")]
    trust: Option<Trust>,
    #[cfg(feature = "rustls")]
    tls: Option<TlsLayer>,
    #[cfg(feature = "rustls")]
    plaintext: Vec<u8>,
}

/// What came of a turn.
#[derive(Debug)]
pub(crate) enum Turn {
    /// The message is to be [taken](Session::take) back.
    Finished(Outcome),
    Replied(Reply),
    /// One more message would keep the wire busy.
    Hungry,
    /// The machine has nothing to say before something comes or `deadline` passes.
    Quiet {
        deadline: Option<Duration>,
    },
    Closed(Closed),
}

/// What came of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// There was nothing to write.
    Nothing,
    /// All that there was, or the connection broke. The machine has learnt of it, and may say more.
    All,
    /// Nothing more can be written for now.
    Blocked,
}

/// While more than this is gathered, no content is read and no message taken.
const MOST_GATHERED: usize = 256 << 10;

/// When this has come together it is written, before the machine has said all that it has to say.
const ENOUGH: usize = 128 << 10;

/// How often what the server has said is read when writing has failed.
const LAST_READS: usize = 64;

impl Session {
    pub(crate) fn new(machine: Connection, info: ServerInfo, tracer: Option<Tracer>, early: Vec<u8>) -> Self {
        Self {
            machine,
            gather: Gather::default(),
            flight: Flight::default(),
            wanted: None,
            wants_token: false,
            was_ready: false,
            is_over: false,
            is_reduced: false,
            info,
            tracer,
            early,
            #[cfg(feature = "rustls")]
            trust: None,
            #[cfg(feature = "rustls")]
            tls: None,
            #[cfg(feature = "rustls")]
            plaintext: Vec::new(),
        }
    }

    /// The same, and whom to trust should TLS begin.
    #[cfg(feature = "rustls")]
    pub(crate) fn trusting(mut self, trust: Option<Trust>) -> Self {
        self.trust = trust;
        self
    }

    pub(crate) fn info(&self) -> &ServerInfo {
        &self.info
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.machine.is_ready()
    }

    /// Whether it has ever been so far that messages could be sent.
    pub(crate) fn was_ready(&self) -> bool {
        self.was_ready
    }

    /// Whether the server turned out not to take what comes behind content.
    pub(crate) fn is_reduced(&self) -> bool {
        self.is_reduced
    }

    /// Whether messages can be sent, and the server owes nothing to one.
    pub(crate) fn is_between_messages(&self) -> bool {
        self.machine.is_ready() && !self.machine.has_transaction()
    }

    /// Whether it has no message.
    pub(crate) fn is_empty(&self) -> bool {
        self.flight.is_empty()
    }

    /// Whether TLS has begun, and has not come to be.
    #[cfg(feature = "rustls")]
    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(TlsLayer::is_handshaking)
    }

    #[cfg(not(feature = "rustls"))]
    pub(crate) fn is_handshaking(&self) -> bool {
        false
    }

    /// The machine, when everything else is over.
    pub(crate) fn into_machine(self) -> Connection {
        self.machine
    }

    /// Whether one more message would keep the wire busy.
    fn wants_message(&self) -> bool {
        self.machine.wants_message() && self.gather.len() < MOST_GATHERED
    }

    pub(crate) fn submit(&mut self, item: Item) {
        self.machine.submit(item.for_core());
        self.flight.push(item);
    }

    /// Takes back a message that has ended.
    pub(crate) fn take(&mut self, message: MessageId) -> Option<Item> {
        self.flight.take(message)
    }

    /// Cancels every message.
    pub(crate) fn abort_all(&mut self) {
        for id in self.flight.ids() {
            self.machine.abort(id);
        }
    }

    pub(crate) fn command(&mut self, query: Query) {
        self.machine.command(query);
    }

    pub(crate) fn quit(&mut self) {
        self.machine.quit();
    }

    /// Does what the machine says, until there is something to tell. `more`: there may be more messages, and it is told
    /// as soon as one is wanted.
    pub(crate) fn turn(&mut self, transport: &mut impl Transport, now: Duration, more: bool) -> Turn {
        let mut blocked = false;
        self.hand_in(now);
        loop {
            if more && self.wants_message() {
                return Turn::Hungry;
            }
            self.drop_what_came_too_late();
            match self.machine.poll(now) {
                Output::Write(bytes) => self.gather.push_owned(bytes),
                Output::WriteBody { message, range } => {
                    if let Some((content, range)) = self.flight.item(message).and_then(|item| item.range(range)) {
                        self.gather.push_range(content, range);
                    }
                }
                Output::ReadBody { message, offset } => {
                    self.wanted = Some((message, offset));
                    self.hand_in(now);
                }
                Output::StartTls { server_name, verify } => self.begin_tls(&server_name, verify),
                Output::GetToken => self.wants_token = true,
                Output::Event(Event::Finished(outcome)) => {
                    self.wanted = self.wanted.filter(|(message, _)| *message != outcome.message);
                    return Turn::Finished(outcome);
                }
                Output::Event(Event::Reply { reply, .. }) => return Turn::Replied(reply),
                Output::Event(event) => self.learn(event),
                Output::Wait { .. } if !self.early.is_empty() => {
                    let early = std::mem::take(&mut self.early);
                    self.receive(now, &early);
                }
                Output::Wait { deadline } => return Turn::Quiet { deadline },
                Output::Closed(closed) => {
                    self.say_goodbye(transport, now);
                    return Turn::Closed(closed);
                }
            }
            if self.gather.len() >= ENOUGH && !blocked {
                blocked = self.flush(transport, now) == Flushed::Blocked;
            }
        }
    }

    /// Writes what has come together, as far as it can be written now.
    pub(crate) fn flush(&mut self, transport: &mut impl Transport, now: Duration) -> Flushed {
        if self.has_nothing_to_write() {
            return Flushed::Nothing;
        }
        let before = self.gather.len();
        let result = self.write(transport);
        let written = before - self.gather.len();
        if written > 0 {
            self.machine.written(now, written as u64);
        }
        match result {
            Ok(()) => Flushed::All,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Flushed::Blocked,
            Err(error) => {
                self.listen_once_more(transport, now);
                self.broken(&error);
                Flushed::All
            }
        }
    }

    /// Bytes have come from the network.
    pub(crate) fn receive(&mut self, now: Duration, bytes: &[u8]) {
        #[cfg(feature = "rustls")]
        if self.tls.is_some() {
            return self.receive_tls(now, bytes);
        }
        self.machine.receive(now, bytes);
    }

    /// The network has nothing more to give.
    pub(crate) fn receive_eof(&mut self, now: Duration) {
        if self.is_handshaking() {
            let what = "the server closed the connection during the TLS handshake";
            self.machine.failed(Error::new(ErrorCode::TlsHandshake, what));
        } else {
            self.machine.receive_eof(now);
        }
    }

    /// Reading or writing has failed.
    pub(crate) fn broken(&mut self, error: &io::Error) {
        self.machine.failed(lost(error));
        self.gather.clear();
    }

    pub(crate) fn deadline_passed(&mut self, now: Duration) {
        self.machine.deadline_passed(now);
    }

    /// Whether a token is to be got. Said once.
    pub(crate) fn asks_for_token(&mut self) -> bool {
        std::mem::take(&mut self.wants_token)
    }

    pub(crate) fn token(&mut self, now: Duration, token: Result<Secret, Error>) {
        match token {
            Ok(token) => self.machine.token(now, token),
            Err(error) => self.machine.failed(error),
        }
    }

    /// What is to be read for a message. To be given back by [`content_read`](Self::content_read).
    pub(crate) fn asks_for_content(&mut self) -> Option<(MessageId, Loan)> {
        let (message, offset) = self.wanted.filter(|_| self.gather.len() < MOST_GATHERED)?;
        let loan = self.flight.item_mut(message)?.lend(offset)?;
        Some((message, loan))
    }

    pub(crate) fn content_read(&mut self, message: MessageId, loan: Option<Loan>, result: io::Result<usize>) {
        let given_back = match (self.flight.item_mut(message), loan) {
            (Some(item), Some(loan)) => item.give_back(loan, result),
            (Some(_), None) => result.map(|_| ()),
            // The message has ended in the meantime.
            (None, _) => Ok(()),
        };
        if let Err(error) = given_back {
            self.machine.content_failed(message, &unreadable(&error));
        }
    }

    /// Hands in the content that was asked for, if it is in memory and not too much is waiting to be written.
    fn hand_in(&mut self, now: Duration) {
        let Some((message, offset)) = self.wanted.filter(|_| self.gather.len() < MOST_GATHERED) else {
            return;
        };
        match self.flight.item(message).map(|item| item.from(offset)) {
            Some(Available::NotYet) => {}
            Some(Available::Bytes(bytes)) => {
                self.wanted = None;
                self.machine.content(now, message, bytes);
            }
            Some(Available::End) => {
                self.wanted = None;
                self.machine.content_end(now, message);
            }
            None => self.wanted = None,
        }
    }

    fn learn(&mut self, event: Event) {
        match event {
            Event::Greeting(reply) => self.info.greeting = Some(reply),
            Event::Capabilities(capabilities) => self.info.capabilities = Some(*capabilities),
            Event::Authenticated(mechanism) => self.info.mechanism = Some(mechanism),
            Event::Ready => {
                self.was_ready = true;
                logging::ready(&self.info);
            }
            Event::PipeliningReduced => self.is_reduced = true,
            Event::Trace(trace) => self.show(&trace),
            _ => {}
        }
    }

    fn show(&self, trace: &Trace) {
        logging::dialogue(trace);
        if let Some(tracer) = &self.tracer {
            tracer(trace);
        }
    }

    /// The server may have said why it takes no more.
    fn listen_once_more(&mut self, transport: &mut impl Transport, now: Duration) {
        let mut buffer = [0; 4096];
        for _ in 0..LAST_READS {
            match transport.try_read(&mut buffer) {
                Ok(length @ 1..) if !self.machine.is_closed() => {
                    self.receive(now, buffer.get(..length).unwrap_or_default());
                }
                _ => break,
            }
        }
    }

    /// Writes what may still be written; nobody waits for it.
    /// What could not be written before the end must not be written behind it: outcomes say that it was not sent. Only
    /// QUIT may come.
    fn drop_what_came_too_late(&mut self) {
        if !self.is_over && self.machine.is_closed() {
            self.is_over = true;
            self.gather.clear();
        }
    }

    fn say_goodbye(&mut self, transport: &mut impl Transport, now: Duration) {
        self.flush(transport, now);
        #[cfg(feature = "rustls")]
        if let Some(tls) = self.tls.as_mut().filter(|_| self.gather.is_empty()) {
            tls.close();
            // Whoever closed first does not listen any more.
            let _ = tls.flush(transport);
        }
    }

    #[cfg(not(feature = "rustls"))]
    fn has_nothing_to_write(&self) -> bool {
        self.gather.is_empty()
    }

    #[cfg(not(feature = "rustls"))]
    fn write(&mut self, transport: &mut impl Transport) -> io::Result<()> {
        self.write_plain(transport)
    }

    fn write_plain(&mut self, transport: &mut impl Transport) -> io::Result<()> {
        while !self.gather.is_empty() {
            match self.gather.write(|buffers| transport.try_write(buffers)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    #[cfg(not(feature = "rustls"))]
    fn begin_tls(&mut self, _server_name: &str, _verify: bool) {
        let what = "this program was built without TLS";
        self.machine.failed(Error::new(ErrorCode::TlsConfiguration, what));
    }
}

#[cfg(feature = "rustls")]
impl Session {
    fn has_nothing_to_write(&self) -> bool {
        self.gather.is_empty() && !self.tls.as_ref().is_some_and(TlsLayer::wants_write)
    }

    fn write(&mut self, transport: &mut impl Transport) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            return self.write_plain(transport);
        };
        loop {
            match tls.flush(transport) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            if tls.is_handshaking() || self.gather.is_empty() {
                return Ok(());
            }
            let taken = tls.write(self.gather.front());
            if taken == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.gather.advance(taken);
        }
    }

    fn begin_tls(&mut self, server_name: &str, verify: bool) {
        let begun = match &self.trust {
            Some(trust) => trust.begin(server_name, verify),
            None => Err(Error::new(ErrorCode::TlsConfiguration, "TLS was not set up")),
        };
        match begun {
            Ok(tls) => self.tls = Some(tls),
            Err(error) => self.machine.failed(error),
        }
    }

    fn receive_tls(&mut self, now: Duration, bytes: &[u8]) {
        let Some(tls) = &mut self.tls else {
            return;
        };
        let was_handshaking = tls.is_handshaking();
        self.plaintext.clear();
        let result = tls.receive(bytes, &mut self.plaintext);
        if was_handshaking && !tls.is_handshaking() {
            let session = tls.session();
            logging::tls(&session);
            self.info.tls = Some(session);
            self.info.capabilities_before_tls = self.info.capabilities.take();
            self.machine.tls_started(now, tls.info());
        }
        if !self.plaintext.is_empty() {
            self.machine.receive(now, &self.plaintext);
        }
        match result {
            Err(error) => {
                if was_handshaking && tls.is_handshaking() && tls.has_certificate() {
                    self.info.tls = Some(tls.session());
                    self.info.capabilities_before_tls = self.info.capabilities.take();
                }
                self.machine.failed(error);
            }
            Ok(()) if tls.is_over() => self.machine.receive_eof(now),
            Ok(()) => {}
        }
    }
}

/// Content can't be read.
pub(crate) fn unreadable(error: &io::Error) -> Error {
    Error::new(ErrorCode::MessageUnreadable, format!("the content can't be read: {}", without_number(error)))
}
