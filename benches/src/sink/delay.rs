//! A network's round trip: what arrives is read at once, and looked at only when the time has passed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How much may be on its way at once, over all connections.
const BOUND: usize = 256 << 20;

/// What arrived on a connection.
#[derive(Debug)]
pub(super) enum Arrival {
    /// The connection itself: the greeting is late as well.
    Opening,
    Bytes(Vec<u8>),
    End,
}

/// Arrivals in order. All are held back equally long, so the first to come is the first due.
pub(super) struct Delay {
    round_trip: Duration,
    queue: VecDeque<(Instant, usize, Arrival)>,
    bytes: usize,
}

impl Delay {
    pub(super) fn new(round_trip: Duration) -> Delay {
        Delay { round_trip, queue: VecDeque::new(), bytes: 0 }
    }

    pub(super) fn push(&mut self, connection: usize, arrival: Arrival) {
        if let Arrival::Bytes(bytes) = &arrival {
            self.bytes += bytes.len();
        }
        self.queue.push_back((Instant::now() + self.round_trip, connection, arrival));
    }

    /// The next arrival whose time has come at `now`.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(usize, Arrival)> {
        let (_, connection, arrival) = self.queue.pop_front_if(|(due, ..)| *due <= now)?;
        if let Arrival::Bytes(bytes) = &arrival {
            self.bytes -= bytes.len();
        }
        Some((connection, arrival))
    }

    /// When `pop` has something next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.queue.front().map(|(due, ..)| *due)
    }

    /// Whether more may be read.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < BOUND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_back_and_keeps_the_order() {
        let mut delay = Delay::new(Duration::from_secs(60));
        assert_eq!(delay.due(), None);
        delay.push(1, Arrival::Bytes(vec![0; BOUND]));
        assert!(!delay.has_room());
        delay.push(2, Arrival::End);
        let now = Instant::now();
        assert!(delay.pop(now).is_none());
        let later = now + Duration::from_secs(60);
        assert!(delay.due().is_some_and(|due| due <= later));
        assert!(matches!(delay.pop(later), Some((1, Arrival::Bytes(_)))));
        assert!(delay.has_room());
        assert!(matches!(delay.pop(later), Some((2, Arrival::End))));
        assert!(delay.pop(later).is_none());
    }
}
