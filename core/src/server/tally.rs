//! How often something has happened in a session.

use alloc::collections::BTreeSet;
use alloc::string::String;

use super::bounds::Bounds;
use crate::syntax::ForwardPath;

#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) messages: u32,
    pub(super) idle_commands: u32,
    pub(super) bad_commands: u32,
    pub(super) refusals: u32,
    /// Exchanges of AUTH that were begun.
    pub(super) exchanges: u32,
    pub(super) auth_failures: u32,
    /// Octets of content that were refused.
    pub(super) discarded: u64,
    /// Domains of recipients, in lower case, where there is a bound.
    domains: BTreeSet<String>,
}

impl Tally {
    /// A message was accepted: that excuses much.
    pub(super) fn message_accepted(&mut self) {
        self.idle_commands = 0;
        self.bad_commands = 0;
        self.refusals = 0;
    }

    /// Counts the domain of a recipient, unless it is one too many.
    pub(super) fn admits_domain(&mut self, path: &ForwardPath, bounds: &Bounds) -> bool {
        let (Some(most), Some(mailbox)) = (bounds.recipient_domains, path.mailbox()) else {
            return true;
        };
        let domain = mailbox.domain().to_ascii_lowercase();
        let has_room = u32::try_from(self.domains.len()).is_ok_and(|count| count < most);
        self.domains.contains(&domain) || has_room && self.domains.insert(domain)
    }
}
