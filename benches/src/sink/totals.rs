//! What the sink has counted, over all its connections.

use std::time::Instant;

use crate::digest::Digested;
use crate::message::hex;

/// Counts since the start.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub connections: u64,
    pub messages: u64,
    pub recipients: u64,
    /// Bytes of content, without what stuffing and chunk headers added.
    pub bytes: u64,
    /// The sum of the messages' hashes, so that their order does not matter.
    pub digest: u64,
    /// How often the sink had taken all that had come, had answered, was not in the midst of a line or a message,
    /// and was then sent more.
    pub round_trips: u64,
    /// Those of them that were over before the first MAIL of their connection.
    pub setup_round_trips: u64,
    /// Replies other than 2yz and 3yz.
    pub refusals: u64,
    /// When the first MAIL of all was looked at.
    pub first_mail: Option<Instant>,
    /// When the last message of all was taken.
    pub last_message: Option<Instant>,
}

impl Totals {
    pub(super) fn add(&mut self, message: Digested, recipients: u64) {
        self.messages += 1;
        self.recipients += recipients;
        self.bytes += message.bytes;
        self.digest = self.digest.wrapping_add(message.hash);
    }

    /// The seconds from the first MAIL to the last message taken: start-up and log-off of the client are not in it.
    pub fn seconds(&self) -> f64 {
        match (self.first_mail, self.last_message) {
            (Some(first), Some(last)) => last.saturating_duration_since(first).as_secs_f64(),
            _ => 0.0,
        }
    }

    /// One line of JSON.
    pub fn to_json(&self) -> String {
        let Totals { connections, messages, recipients, bytes, round_trips, setup_round_trips, refusals, .. } = self;
        format!(
            "{{\"connections\":{connections},\"messages\":{messages},\"recipients\":{recipients},\"bytes\":{bytes},\
             \"digest\":\"{}\",\"round_trips\":{round_trips},\"setup_round_trips\":{setup_round_trips},\
             \"refusals\":{refusals},\"seconds\":{:.9}}}",
            hex(self.digest),
            self.seconds(),
        )
    }
}
