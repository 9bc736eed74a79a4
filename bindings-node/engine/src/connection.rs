//! One connection, taking one step at a time: for hosts that have a transport of their own, and one server to speak to.

use std::sync::Arc;
use std::time::Duration;

use okuru_core::client::{self, Closed, Config, Message, MessageId, Output, Query, TlsInfo};
use okuru_core::delivery::mailer::{ConnectionId, Event, Opened};
use okuru_core::delivery::stepper::{Piece, Write};
use okuru_core::sasl::Secret;
use okuru_core::{Error, client::Event as Happened};

use crate::machine::Machine;
use crate::output;
use crate::packing::Writer;

/// There is no other.
const ID: ConnectionId = ConnectionId(0);

#[derive(Debug)]
pub(crate) struct Connection {
    machine: client::Connection,
    server: Arc<str>,
    is_over: bool,
}

impl Connection {
    /// Over a transport that is there already.
    pub(crate) fn new(config: Config) -> Self {
        let server = config.server_name.as_str().into();
        Self { machine: client::Connection::new(config), server, is_over: false }
    }

    /// Says once why it is over.
    fn end(&mut self, closed: Closed, out: &mut Writer) {
        if !std::mem::replace(&mut self.is_over, true) {
            output::event(&Event::Closed { connection: ID, server: Arc::clone(&self.server), closed }, out);
            output::close(ID, out);
        }
        output::done(out);
    }
}

impl Machine for Connection {
    /// The host keeps every content.
    fn submit(&mut self, _now: Duration, message: Message, _content: Option<Vec<u8>>) -> Result<MessageId, Error> {
        Ok(self.machine.submit(message))
    }

    fn cancel(&mut self, _now: Duration, message: MessageId) {
        self.machine.abort(message);
    }

    fn opened(&mut self, _now: Duration, _connection: u64, _opened: Opened) {}

    fn failed(&mut self, _now: Duration, _connection: u64, error: Error) {
        self.machine.failed(error);
    }

    fn receive(&mut self, now: Duration, _connection: u64, bytes: &[u8]) {
        self.machine.receive(now, bytes);
    }

    fn receive_eof(&mut self, now: Duration, _connection: u64) {
        self.machine.receive_eof(now);
    }

    fn written(&mut self, now: Duration, _connection: u64, octets: u64) {
        self.machine.written(now, octets);
    }

    fn tls_started(&mut self, now: Duration, _connection: u64, info: TlsInfo) {
        self.machine.tls_started(now, info);
    }

    fn token(&mut self, now: Duration, _connection: u64, token: Secret) {
        self.machine.token(now, token);
    }

    fn content(&mut self, now: Duration, _connection: u64, message: u64, bytes: &[u8]) -> usize {
        self.machine.content(now, MessageId(message), bytes)
    }

    fn content_end(&mut self, now: Duration, _connection: u64, message: MessageId) {
        self.machine.content_end(now, message);
    }

    fn content_failed(&mut self, _connection: u64, message: MessageId, error: &Error) {
        self.machine.content_failed(message, error);
    }

    fn deadline_passed(&mut self, now: Duration) {
        self.machine.deadline_passed(now);
    }

    fn finish(&mut self) {
        self.machine.quit();
    }

    fn command(&mut self, query: Query) -> Result<u64, Error> {
        Ok(self.machine.command(query))
    }

    fn step(&mut self, now: Duration, out: &mut Writer) {
        let piece = |piece, length, out: &mut Writer| {
            output::write(&Write { connection: ID, pieces: vec![piece], length }, out);
        };
        loop {
            match self.machine.poll(now) {
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
                Output::Wait { deadline } => return output::wait(deadline, self.machine.wants_message(), out),
                Output::Closed(closed) => return self.end(closed, out),
            }
        }
    }
}
