//! What really happened, kept apart from what the dispatcher believes, and compared with it.

use std::collections::BTreeMap;
use std::time::Duration;

use okuru_core::client::{Outcome, State};
use okuru_core::delivery::dispatcher::Rate;

#[derive(Default)]
pub(crate) struct Books {
    /// How often the servers took each recipient of each message.
    taken: BTreeMap<(u64, u32), u32>,
    /// What the dispatcher said became of each message.
    pub(crate) outcomes: BTreeMap<u64, Vec<State>>,
    /// When messages were given to sessions: in all, by host, by destination.
    pub(crate) sends: Vec<Duration>,
    pub(crate) sends_by_host: BTreeMap<String, Vec<Duration>>,
    pub(crate) sends_by_domain: BTreeMap<String, Vec<Duration>>,
    pub(crate) allows_duplicates: bool,
}

impl Books {
    pub(crate) fn take(&mut self, message: u64, recipient: u32) {
        let times = self.taken.entry((message, recipient)).or_default();
        *times += 1;
        assert!(*times == 1 || self.allows_duplicates, "message {message} came twice to recipient {recipient}");
    }

    pub(crate) fn sent(&mut self, now: Duration, host: &str, domain: &str) {
        self.sends.push(now);
        self.sends_by_host.entry(host.to_owned()).or_default().push(now);
        self.sends_by_domain.entry(domain.to_owned()).or_default().push(now);
    }

    pub(crate) fn finished(&mut self, outcome: &Outcome) {
        let states = outcome.recipients.iter().map(|recipient| recipient.state).collect();
        let before = self.outcomes.insert(outcome.message.0, states);
        assert_eq!(before, None, "message {} ended twice", outcome.message.0);
        for (recipient, index) in outcome.recipients.iter().zip(0..) {
            let explained = recipient.reply.is_some() || recipient.error().is_some();
            assert!(explained, "message {}, recipient {index} has no reason", outcome.message.0);
        }
    }

    pub(crate) fn check_outcomes(&self, messages: u64) {
        assert_eq!(self.outcomes.len() as u64, messages, "messages were lost");
        for (message, states) in &self.outcomes {
            for (state, recipient) in states.iter().zip(0..) {
                let taken = self.taken.get(&(*message, recipient)).copied().unwrap_or(0);
                let agrees = match state {
                    State::Accepted => taken == 1 || self.allows_duplicates && taken > 1,
                    State::Deferred | State::Rejected => taken == 0,
                    State::Unknown => taken <= 1 || self.allows_duplicates,
                };
                assert!(agrees, "message {message}, recipient {recipient}: {state}, and taken {taken} times");
            }
        }
    }
}

/// No window of the rate's length may hold more, wherever it begins.
pub(crate) fn check_rate(moments: &[Duration], rate: Rate, whose: &str) {
    for (first, beyond) in moments.iter().zip(moments.iter().skip(rate.messages as usize)) {
        assert!(*beyond >= *first + rate.per, "{whose}: more than {} from {first:?} to {beyond:?}", rate.messages);
    }
}
