//! How much of anything there may be.

/// How much of anything there may be in a session. Where one is passed, a 4yz or 5yz says so; where that does not help, a
/// 421 ends the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Octets in a command line with its CRLF. AUTH may have as many as RFC 4954 §4 grants it.
    pub command_line: usize,
    /// Octets in a message, without the dots of DATA (552).
    pub message: u64,
    /// Recipients in a transaction (452). RFC 5321 §4.5.3.1.8 wants 100 at least. RCPTMAX of LIMITS.
    pub recipients: u32,
    /// Transactions in a session (421). MAILMAX of LIMITS.
    pub messages: u32,
    /// Different domains among the recipients of a session, if there is a bound (452). RCPTDOMAINMAX of LIMITS.
    pub recipient_domains: Option<u32>,
    /// Commands that do not bring a message forward, such as NOOP, RSET or MAIL without content, between two messages.
    pub idle_commands: u32,
    /// Lines that are no command, and commands out of sequence, between two messages.
    pub bad_commands: u32,
    /// Refusals to MAIL and RCPT between two messages: who tries out names soon finds the door.
    pub refusals: u32,
    /// Attempts to authenticate that failed, in a session.
    pub auth_failures: u32,
    /// Commands whose replies wait for answers of the host.
    pub pending: usize,
    /// Octets to be written that the host has not asked for by [`poll`](super::Session::poll). Beyond that no more is taken.
    pub unwritten: usize,
    /// Octets of refused content in a session, or of one line that is too long, that are read to their end for politeness' sake.
    pub discarded: u64,
}

impl Default for Bounds {
    /// For servers that trust nobody, and no client that means well ever meets.
    fn default() -> Self {
        Self {
            command_line: 2048,
            message: 50 << 20,
            recipients: 1000,
            messages: 1000,
            recipient_domains: None,
            idle_commands: 100,
            bad_commands: 20,
            refusals: 100,
            auth_failures: 3,
            pending: 100,
            unwritten: 16 << 10,
            discarded: 64 << 20,
        }
    }
}
