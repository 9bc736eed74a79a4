//! What was said on the connections of late.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use okuru::server::Trace;

/// How many sessions are remembered, the latest ones.
const SESSIONS: usize = 1000;

/// How many lines of each, the first ones.
const LINES: usize = 2000;

/// What was said on the connections of late. Secrets are hidden. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Dialogues(Arc<Mutex<BTreeMap<u64, Vec<String>>>>);

impl Dialogues {
    pub(crate) fn push(&self, session: u64, trace: &Trace) {
        let line = match trace {
            Trace::Received(line) => format!("C: {line}"),
            Trace::ReceivedContent(octets) => format!("C: ({octets} octets of content)"),
            Trace::Sent(line) => format!("S: {line}"),
            Trace::Tls => "-- TLS --".to_owned(),
        };
        let mut sessions = self.sessions();
        let lines = sessions.entry(session).or_default();
        if lines.len() < LINES {
            lines.push(line);
        }
        while sessions.len() > SESSIONS {
            sessions.pop_first();
        }
    }

    pub(super) fn of(&self, session: u64) -> Vec<String> {
        self.sessions().get(&session).cloned().unwrap_or_default()
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
