//! A mailer, taking one step at a time.

use alloc::vec::Vec;
use core::time::Duration;

use okuru_core::Error;
use okuru_core::client::{Message, MessageId, TlsInfo};
use okuru_core::delivery::mailer::{Config, ConnectionId, LookUpId, Opened};
use okuru_core::delivery::route::Answer;
use okuru_core::delivery::{self, Stepper};
use okuru_core::sasl::Secret;

use crate::machine::Machine;
use crate::output;
use crate::packing::Writer;

pub(crate) struct Mailer(Stepper<Vec<u8>>);

impl Mailer {
    pub(crate) fn new(config: Config, seed: u64) -> Self {
        Self(Stepper::new(delivery::Mailer::new(config, seed)))
    }
}

impl Machine for Mailer {
    fn submit(&mut self, now: Duration, message: Message, content: Option<Vec<u8>>) -> Result<MessageId, Error> {
        self.0.submit(now, message, content)
    }

    fn cancel(&mut self, now: Duration, message: MessageId) {
        self.0.mailer().cancel(now, message);
    }

    fn opened(&mut self, now: Duration, connection: u64, opened: Opened) {
        self.0.mailer().opened(now, ConnectionId(connection), &opened);
    }

    fn failed(&mut self, now: Duration, connection: u64, error: Error) {
        self.0.mailer().failed(now, ConnectionId(connection), error);
    }

    fn receive(&mut self, now: Duration, connection: u64, bytes: &[u8]) {
        self.0.mailer().receive(now, ConnectionId(connection), bytes);
    }

    fn receive_eof(&mut self, now: Duration, connection: u64) {
        self.0.mailer().receive_eof(now, ConnectionId(connection));
    }

    fn written(&mut self, now: Duration, connection: u64, octets: u64) {
        self.0.mailer().written(now, ConnectionId(connection), octets);
    }

    fn tls_started(&mut self, now: Duration, connection: u64, info: TlsInfo) {
        self.0.mailer().tls_started(now, ConnectionId(connection), info);
    }

    fn token(&mut self, now: Duration, connection: u64, token: Secret) {
        self.0.mailer().token(now, ConnectionId(connection), token);
    }

    fn content(&mut self, now: Duration, connection: u64, message: u64, bytes: &[u8]) -> usize {
        self.0.mailer().content(now, ConnectionId(connection), MessageId(message), bytes)
    }

    fn content_end(&mut self, now: Duration, connection: u64, message: MessageId) {
        self.0.mailer().content_end(now, ConnectionId(connection), message);
    }

    fn content_failed(&mut self, connection: u64, message: MessageId, error: &Error) {
        self.0.mailer().content_failed(ConnectionId(connection), message, error);
    }

    fn deadline_passed(&mut self, now: Duration) {
        self.0.mailer().deadline_passed(now);
    }

    fn finish(&mut self) {
        self.0.mailer().finish();
    }

    fn stop(&mut self) {
        self.0.mailer().stop();
    }

    fn dns_answer(&mut self, look_up: LookUpId, answer: Answer) {
        self.0.mailer().dns_answer(look_up, answer);
    }

    fn observe(&mut self, is_observed: bool) {
        self.0.observe(is_observed);
    }

    fn step(&mut self, now: Duration, out: &mut Writer) {
        let step = self.0.step(now);
        for write in &step.writes {
            output::write(write, out);
        }
        for ask in &step.asks {
            output::ask(ask, out);
        }
        for event in &step.events {
            output::event(event, out);
        }
        for outcome in &step.outcomes {
            output::outcome(outcome, out);
        }
        if step.is_done {
            output::done(out);
        } else {
            output::wait(step.deadline, self.0.mailer().wants_message(), out);
        }
    }
}
