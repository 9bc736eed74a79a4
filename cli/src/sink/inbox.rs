//! The messages of late, in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::letter::{Letter, Place};

/// How much is kept. The oldest messages go first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) messages: usize,
    pub(crate) octets: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { messages: 1000, octets: 64 << 20 }
    }
}

/// The messages of late. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inbox {
    room: Room,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    letters: VecDeque<Arc<Letter>>,
    octets: usize,
}

impl Inbox {
    pub(crate) fn new(room: Room) -> Self {
        Self { room, ..Self::default() }
    }

    pub(super) fn push(&self, letter: Arc<Letter>) {
        let mut kept = self.kept();
        kept.octets += octets(&letter);
        kept.letters.push_back(letter);
        while kept.letters.len() > self.room.messages || kept.octets > self.room.octets {
            let Some(oldest) = kept.letters.pop_front() else { break };
            kept.octets -= octets(&oldest);
        }
    }

    /// All that are still there, the oldest first.
    pub(crate) fn letters(&self) -> Vec<Arc<Letter>> {
        self.kept().letters.iter().cloned().collect()
    }

    /// The one with this number, if it is still there.
    pub(super) fn letter(&self, number: u64) -> Option<Arc<Letter>> {
        self.kept().letters.iter().find(|letter| letter.number == number).cloned()
    }

    /// Forgets all of them.
    pub(super) fn clear(&self) {
        *self.kept() = Kept::default();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn octets(letter: &Letter) -> usize {
    match &letter.place {
        Place::Memory(content) => content.len(),
        Place::File(_) => 0,
    }
}
