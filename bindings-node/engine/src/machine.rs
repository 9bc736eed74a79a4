//! What every machine takes from its host, whatever stands behind it.

use alloc::vec::Vec;
use core::time::Duration;

use okuru_core::client::{Message, MessageId, TlsInfo};
use okuru_core::delivery::mailer::{LookUpId, Opened};
use okuru_core::delivery::route::Answer;
use okuru_core::sasl::Secret;
use okuru_core::{Error, ErrorCode, client};

use crate::packing::Writer;

/// What every machine takes.
pub(crate) trait Machine {
    fn submit(&mut self, now: Duration, message: Message, content: Option<Vec<u8>>) -> Result<MessageId, Error>;
    fn cancel(&mut self, now: Duration, message: MessageId);
    fn opened(&mut self, now: Duration, connection: u64, opened: Opened);
    fn failed(&mut self, now: Duration, connection: u64, error: Error);
    fn receive(&mut self, now: Duration, connection: u64, bytes: &[u8]);
    fn receive_eof(&mut self, now: Duration, connection: u64);
    fn written(&mut self, now: Duration, connection: u64, octets: u64);
    fn tls_started(&mut self, now: Duration, connection: u64, info: TlsInfo);
    fn token(&mut self, now: Duration, connection: u64, token: Secret);
    fn content(&mut self, now: Duration, connection: u64, message: u64, bytes: &[u8]) -> usize;
    fn content_end(&mut self, now: Duration, connection: u64, message: MessageId);
    fn content_failed(&mut self, connection: u64, message: MessageId, error: &Error);
    fn deadline_passed(&mut self, now: Duration);
    fn finish(&mut self);

    /// What only a mailer takes.
    fn stop(&mut self) {
        self.finish();
    }

    /// What only a mailer takes.
    fn dns_answer(&mut self, _look_up: LookUpId, _answer: Answer) {}

    /// What only a mailer takes: one connection tells all.
    fn observe(&mut self, _is_observed: bool) {}

    /// What only a connection takes.
    ///
    /// # Errors
    ///
    /// `usage` from a mailer.
    fn command(&mut self, _query: client::Query) -> Result<(), Error> {
        Err(Error::new(ErrorCode::Usage, "commands are for one connection"))
    }

    /// All that is to be done.
    fn step(&mut self, now: Duration, out: &mut Writer);
}
