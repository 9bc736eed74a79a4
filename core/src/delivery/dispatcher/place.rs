//! What is known of a destination.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::alarms::Bell;
use super::books::Delivery;
use super::config::Quota;
use super::host::Host;
use super::pace::Pace;
use super::parcel::{Destination, Unrouted};
use super::session::Session;
use super::slab::Key;
use super::waiters::Resource;
use crate::error::Error;

/// A destination.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) name: Arc<str>,
    pub(super) aims: Vec<Aim>,
    pub(super) fallback: Option<Arc<Destination>>,
    pub(super) routing: Routing,
    pub(super) route_failures: u32,
    /// What waits to be sent, in its order. What has ended in the meantime may still be in there.
    pub(super) queue: VecDeque<Key<Delivery>>,
    /// How many of the queue have not ended.
    pub(super) queued: usize,
    /// Deliveries, wherever they are.
    pub(super) held: usize,
    /// Connections that carry its messages, or are on their way to.
    pub(super) connections: u32,
    /// Of those, the ones on their way.
    pub(super) coming: u32,
    /// Sessions that have messages of this destination in flight and want more.
    pub(super) wanting: BTreeSet<Key<Session>>,
    pub(super) quota: Quota,
    pub(super) pace: Pace,
    pub(super) turn: Turn,
    /// How many at the front of the queue have been there when the last of its hosts failed, and have not learnt it.
    pub(super) to_charge: usize,
    /// Up to which failure those in the queue know.
    pub(super) failures_seen: u64,
    /// When a host was chosen last.
    chosen: Duration,
    pub(super) bell: Bell,
}

/// For how long it is remembered whose turn it is among equal hosts.
const TURNS_REMEMBERED: Duration = Duration::from_secs(60);

/// One of its hosts.
#[derive(Clone, Debug)]
pub(super) struct Aim {
    pub(super) host: Key<Host>,
    pub(super) priority: u16,
    pub(super) weight: u16,
    /// How much it is behind its share.
    pub(super) lag: i64,
}

/// Whether its hosts are known.
#[derive(Clone, Debug)]
pub(super) enum Routing {
    Known {
        since: Duration,
    },
    Asked {
        /// Why they could not be found before.
        failed: Option<Error>,
    },
    /// They could not be found.
    Failed {
        unrouted: Unrouted,
        number: u64,
        until: Duration,
    },
}

/// Whether it gets its turn.
#[derive(Clone, Debug)]
pub(super) enum Turn {
    /// It has nothing to send.
    Idle,
    /// It is in the ring; what woke it may wake another afterwards. Should it have to wait again, it has its old places.
    Ring { woken_by: Option<Resource>, before: Vec<(Resource, u64)> },
    /// It waits for any of these, or for something that is its own.
    Blocked { at: Vec<(Resource, u64)> },
}

impl Place {
    pub(super) fn new(name: Arc<str>, quota: Quota) -> Self {
        Self {
            name,
            aims: Vec::new(),
            fallback: None,
            routing: Routing::Known { since: Duration::ZERO },
            route_failures: 0,
            queue: VecDeque::new(),
            queued: 0,
            held: 0,
            connections: 0,
            coming: 0,
            wanting: BTreeSet::new(),
            pace: Pace::new(&quota),
            quota,
            turn: Turn::Idle,
            to_charge: 0,
            failures_seen: 0,
            chosen: Duration::ZERO,
            bell: Bell::default(),
        }
    }

    /// When nothing is lost by forgetting it.
    pub(super) fn forgotten_at(&self) -> Duration {
        let takes_turns = self.aims.iter().any(|aim| aim.lag != 0);
        let turns = if takes_turns { self.chosen.saturating_add(TURNS_REMEMBERED) } else { Duration::ZERO };
        self.pace.forgotten_at().max(turns)
    }

    /// Takes turns among some of its hosts, each as often as its weight says (smooth weighted round robin): which is next.
    pub(super) fn next_of(&mut self, now: Duration, among: &[usize]) -> Option<usize> {
        self.chosen = now;
        if let [only] = among {
            return Some(*only);
        }
        let mut total = 0;
        for index in among {
            if let Some(aim) = self.aims.get_mut(*index) {
                let weight = i64::from(aim.weight.max(1));
                aim.lag += weight;
                total += weight;
            }
        }
        let lag = |index: usize| self.aims.get(index).map_or(i64::MIN, |aim| aim.lag);
        // The first among equals.
        let next = among.iter().copied().rev().max_by_key(|index| lag(*index))?;
        if let Some(aim) = self.aims.get_mut(next) {
            aim.lag -= total;
        }
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_shares_and_turns_are_mixed() {
        let mut place = Place::new("relays".into(), Quota::default());
        for weight in [5, 1, 0] {
            place.aims.push(Aim { host: Key::from_raw(0), priority: 0, weight, lag: 0 });
        }
        let turns: Vec<_> = (0..14).filter_map(|_| place.next_of(Duration::ZERO, &[0, 1, 2])).collect();
        assert_eq!(turns, [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(place.next_of(Duration::ZERO, &[1]), Some(1));
        assert_eq!(place.next_of(Duration::ZERO, &[]), None);
    }
}
