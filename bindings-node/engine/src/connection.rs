//! One connection, taking one step at a time: for hosts that have a transport of their own, and one server to speak to.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use okuru_core::client::Event as Happened;
use okuru_core::client::{self, Closed, Config, Failure, Message, MessageId, Output, Query, TlsInfo};
use okuru_core::delivery::mailer::{ConnectionId, Endpoint, Event, Opened};
use okuru_core::delivery::stepper::{Piece, Write};
use okuru_core::sasl::Secret;
use okuru_core::{Error, ErrorCode};

use crate::machine::Machine;
use crate::output;
use crate::packing::Writer;

/// There is no other.
const ID: ConnectionId = ConnectionId(0);

pub(crate) struct Connection {
    state: State,
    server: Arc<str>,
    endpoint: Endpoint,
    is_over: bool,
}

enum State {
    /// The host has not been asked for a transport, or has none yet.
    Opening(Box<Waiting>),
    Open(Box<client::Connection>),
    Failed(Closed),
}

/// What waits for the transport.
struct Waiting {
    config: Config,
    is_asked: bool,
    messages: Vec<Message>,
    commands: Vec<Query>,
    wants_quit: bool,
}

impl Connection {
    pub(crate) fn new(config: Config, endpoint: Endpoint) -> Self {
        let server = config.server_name.as_str().into();
        let waiting =
            Waiting { config, is_asked: false, messages: Vec::new(), commands: Vec::new(), wants_quit: false };
        Self { state: State::Opening(Box::new(waiting)), server, endpoint, is_over: false }
    }

    fn machine(&mut self) -> Option<&mut client::Connection> {
        match &mut self.state {
            State::Open(machine) => Some(machine),
            State::Opening(_) | State::Failed(_) => None,
        }
    }

    /// Says once why it is over.
    fn end(&mut self, closed: Closed, out: &mut Writer) {
        if !core::mem::replace(&mut self.is_over, true) {
            output::event(&Event::Closed { connection: ID, server: Arc::clone(&self.server), closed }, out);
            output::close(ID, out);
        }
        output::done(out);
    }
}

impl Machine for Connection {
    /// The host keeps every content.
    fn submit(&mut self, _now: Duration, message: Message, _content: Option<Vec<u8>>) -> Result<MessageId, Error> {
        match &mut self.state {
            State::Open(machine) => Ok(machine.submit(message)),
            State::Opening(waiting) => {
                waiting.messages.push(message);
                Ok(MessageId(waiting.messages.len() as u64 - 1))
            }
            State::Failed(_) => Err(Error::new(ErrorCode::ConnectLost, "the connection is over")),
        }
    }

    fn cancel(&mut self, _now: Duration, message: MessageId) {
        if let Some(machine) = self.machine() {
            machine.abort(message);
        }
    }

    fn opened(&mut self, _now: Duration, _connection: u64, opened: Opened) {
        let State::Opening(waiting) = &mut self.state else { return };
        let mut config = waiting.config.clone();
        if let Some(authentication) = &mut config.authentication {
            authentication.nonce = opened.nonce;
        }
        let mut machine = client::Connection::new(config);
        for message in waiting.messages.drain(..) {
            machine.submit(message);
        }
        for command in waiting.commands.drain(..) {
            machine.command(command);
        }
        if waiting.wants_quit {
            machine.quit();
        }
        self.state = State::Open(Box::new(machine));
    }

    fn failed(&mut self, _now: Duration, _connection: u64, error: Error) {
        match &mut self.state {
            State::Open(machine) => machine.failed(error),
            State::Opening(_) => self.state = State::Failed(Closed::Failed(Failure { error, reply: None })),
            State::Failed(_) => {}
        }
    }

    fn receive(&mut self, now: Duration, _connection: u64, bytes: &[u8]) {
        if let Some(machine) = self.machine() {
            machine.receive(now, bytes);
        }
    }

    fn receive_eof(&mut self, now: Duration, _connection: u64) {
        if let Some(machine) = self.machine() {
            machine.receive_eof(now);
        }
    }

    fn written(&mut self, now: Duration, _connection: u64, octets: u64) {
        if let Some(machine) = self.machine() {
            machine.written(now, octets);
        }
    }

    fn tls_started(&mut self, now: Duration, _connection: u64, info: TlsInfo) {
        if let Some(machine) = self.machine() {
            machine.tls_started(now, info);
        }
    }

    fn token(&mut self, now: Duration, _connection: u64, token: Secret) {
        if let Some(machine) = self.machine() {
            machine.token(now, token);
        }
    }

    fn content(&mut self, now: Duration, _connection: u64, message: u64, bytes: &[u8]) -> usize {
        self.machine().map_or(0, |machine| machine.content(now, MessageId(message), bytes))
    }

    fn content_end(&mut self, now: Duration, _connection: u64, message: MessageId) {
        if let Some(machine) = self.machine() {
            machine.content_end(now, message);
        }
    }

    fn content_failed(&mut self, _connection: u64, message: MessageId, error: &Error) {
        if let Some(machine) = self.machine() {
            machine.content_failed(message, error);
        }
    }

    fn deadline_passed(&mut self, now: Duration) {
        if let Some(machine) = self.machine() {
            machine.deadline_passed(now);
        }
    }

    fn finish(&mut self) {
        match &mut self.state {
            State::Open(machine) => machine.quit(),
            State::Opening(waiting) => waiting.wants_quit = true,
            State::Failed(_) => {}
        }
    }

    fn command(&mut self, query: Query) -> Result<(), Error> {
        match &mut self.state {
            State::Open(machine) => _ = machine.command(query),
            State::Opening(waiting) => waiting.commands.push(query),
            State::Failed(_) => {}
        }
        Ok(())
    }

    fn step(&mut self, now: Duration, out: &mut Writer) {
        let machine = match &mut self.state {
            State::Open(machine) => machine,
            State::Opening(waiting) => {
                if !core::mem::replace(&mut waiting.is_asked, true) {
                    output::open(ID, &self.server, &self.endpoint, out);
                }
                return output::wait(None, true, out);
            }
            State::Failed(closed) => {
                let closed = closed.clone();
                return self.end(closed, out);
            }
        };
        let piece = |piece, length, out: &mut Writer| {
            output::write(&Write { connection: ID, pieces: vec![piece], length }, out);
        };
        loop {
            match machine.poll(now) {
                Output::Write(bytes) => {
                    let length = bytes.len() as u64;
                    piece(Piece::Bytes(bytes), length, out);
                }
                Output::WriteBody { message, range } => {
                    let length = range.end.saturating_sub(range.start);
                    piece(Piece::Content { message, range }, length, out);
                }
                Output::ReadBody { message, offset } => output::read_content(ID, message.0, offset, out),
                Output::StartTls { server_name, verify } => output::start_tls(ID, &server_name, verify, out),
                Output::GetToken => output::get_token(ID, &self.server, out),
                Output::Event(Happened::Finished(outcome)) => output::outcome(&outcome, out),
                Output::Event(event) => {
                    output::event(&Event::Connection { connection: ID, server: Arc::clone(&self.server), event }, out);
                }
                Output::Wait { deadline } => return output::wait(deadline, machine.wants_message(), out),
                Output::Closed(closed) => return self.end(closed, out),
            }
        }
    }
}
