//! What is known of a server.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::time::Duration;

use super::alarms::Bell;
use super::config::HostPolicy;
use super::pace::Pace;
use super::session::Session;
use super::slab::Key;
use super::waiters::Waiters;
use crate::client::Failure;

/// A server.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) name: Arc<str>,
    pub(super) policy: HostPolicy,
    pub(super) pace: Pace,
    pub(super) health: Health,
    pub(super) adaptation: Adaptation,
    pub(super) log_in: LogIn,
    /// How often it has failed since it worked.
    pub(super) failures: u32,
    /// How it failed last, and which failure of all that was.
    pub(super) failure: Option<(Arc<Failure>, u64)>,
    pub(super) failed_at: Option<Duration>,
    /// Connections, those being opened and closed included.
    pub(super) sessions: u32,
    /// Of those, the ones that are being opened.
    pub(super) opening: u32,
    pub(super) idle: BTreeSet<(Duration, Key<Session>)>,
    pub(super) waiters: Waiters,
    /// It takes no more than `Pipelining::Message`.
    pub(super) is_reduced: bool,
    /// Until then, TLS is not tried.
    pub(super) plain_until: Duration,
    /// It was seen to close a session that had been idle for so long.
    pub(super) closes_after: Duration,
    /// How many destinations name it.
    pub(super) places: u32,
    unused_since: Option<Duration>,
    pub(super) bell: Bell,
}

/// Whether it can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Good,
    /// It has failed.
    Resting {
        until: Duration,
    },
    /// It has failed and rested; one message on one session tries it.
    Probing(Option<Key<Session>>),
}

/// POP before SMTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LogIn {
    Asked,
    /// Nobody needs to log in before.
    Until(Duration),
}

/// A server's word that it is too much, and what came of it.
#[derive(Clone, Debug)]
pub(super) struct Adaptation {
    /// No more connections than these.
    pub(super) ceiling: Option<u32>,
    /// So many times as long between messages.
    pub(super) slowness: u32,
    /// Messages that went well since the last change.
    credit: u32,
    pub(super) slowed_at: Option<Duration>,
    pub(super) not_before: Duration,
}

/// The longest it gets between messages is this many times [`GAP`].
const SLOWEST: u32 = 1024;
/// What lies between messages for each slowness, where no rate is configured.
const GAP: Duration = Duration::from_millis(50);
/// A message that goes well for each connection, so many times, is worth one connection more.
const CREEP: u32 = 8;
/// An idle time that is kept, however early a server was seen to close.
const LEAST_IDLE: Duration = Duration::from_secs(5);
/// How long it is remembered what a host has taught, while nobody needs it.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);

impl Host {
    pub(super) fn new(name: Arc<str>, policy: HostPolicy) -> Self {
        Self {
            name,
            pace: Pace::new(&policy.quota),
            policy,
            health: Health::Good,
            adaptation: Adaptation::default(),
            log_in: LogIn::Until(Duration::ZERO),
            failures: 0,
            failure: None,
            failed_at: None,
            sessions: 0,
            opening: 0,
            idle: BTreeSet::new(),
            waiters: Waiters::default(),
            is_reduced: false,
            plain_until: Duration::ZERO,
            closes_after: Duration::MAX,
            places: 0,
            unused_since: None,
            bell: Bell::default(),
        }
    }

    /// How many connections it may have.
    pub(super) fn limit(&self) -> u32 {
        let configured = self.policy.quota.connections.max(1);
        self.adaptation.ceiling.map_or(configured, |ceiling| ceiling.clamp(1, configured))
    }

    /// When the next message may go to it.
    pub(super) fn next(&mut self, now: Duration) -> Duration {
        self.pace.next(now).max(self.adaptation.not_before)
    }

    /// A message goes to it.
    pub(super) fn take(&mut self, now: Duration) {
        let slowness = self.adaptation.slowness;
        self.pace.take(now, slowness);
        if slowness > 1 {
            self.adaptation.not_before = now.saturating_add(GAP.saturating_mul(slowness));
        }
    }

    /// How long a session may be idle.
    pub(super) fn idle_time(&self) -> Duration {
        let seen = self.closes_after.saturating_sub(self.closes_after / 5).max(LEAST_IDLE);
        self.policy.idle.min(seen)
    }

    pub(super) fn is_resting(&self) -> bool {
        matches!(self.health, Health::Resting { .. })
    }

    pub(super) fn needs_log_in(&self, now: Duration) -> bool {
        self.policy.log_in_every.is_some()
            && self.log_in != LogIn::Asked
            && !matches!(self.log_in, LogIn::Until(until) if until > now)
    }

    /// When nothing is lost by forgetting it, if nobody needs it.
    pub(super) fn forgotten_at(&mut self, now: Duration) -> Option<Duration> {
        if self.places > 0 || self.sessions > 0 || !self.waiters.is_empty() || self.log_in == LogIn::Asked {
            self.unused_since = None;
            return None;
        }
        let since = *self.unused_since.get_or_insert(now);
        let is_plain = self.health == Health::Good
            && !self.is_reduced
            && self.plain_until <= now
            && self.closes_after == Duration::MAX
            && self.adaptation.slowness == 1
            && self.adaptation.ceiling.is_none();
        let rested = if let Health::Resting { until } = self.health { until } else { Duration::ZERO };
        let logged_in = match self.log_in {
            LogIn::Until(until) if self.policy.log_in_every.is_some() => until,
            _ => Duration::ZERO,
        };
        let learnt = if is_plain { since } else { since.saturating_add(REMEMBERED) };
        Some(self.pace.forgotten_at().max(rested).max(logged_in).max(learnt))
    }
}

impl Adaptation {
    /// The server has said that it is too much, while it had so many connections, to something begun at `begun`. Says
    /// whether anything has changed: what was begun before the last change is the same complaint.
    pub(super) fn slow(&mut self, now: Duration, begun: Duration, sessions: u32, limit: u32) -> bool {
        if self.slowed_at.is_some_and(|at| begun <= at) {
            return false;
        }
        self.slowed_at = Some(now);
        self.credit = 0;
        self.ceiling = Some((sessions.min(limit) / 2).max(1));
        self.slowness = self.slowness.saturating_mul(2).min(SLOWEST);
        true
    }

    /// It takes no more connections than these.
    pub(super) fn cap(&mut self, sessions: u32) {
        self.credit = 0;
        self.ceiling = Some(sessions.max(1));
    }

    /// A message went well.
    pub(super) fn creep(&mut self, configured: u32) {
        if self.ceiling.is_none() && self.slowness == 1 {
            return;
        }
        self.credit = self.credit.saturating_add(1);
        if self.credit < self.ceiling.unwrap_or(1).saturating_mul(CREEP) {
            return;
        }
        self.credit = 0;
        self.slowness -= (self.slowness / 4).max(1).min(self.slowness - 1);
        self.ceiling = self.ceiling.map(|ceiling| ceiling.saturating_add(1)).filter(|ceiling| *ceiling < configured);
    }
}

impl Default for Adaptation {
    fn default() -> Self {
        Self { ceiling: None, slowness: 1, credit: 0, slowed_at: None, not_before: Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn too_much_halves_once_and_creeps_up_again() {
        let mut adaptation = Adaptation::default();
        assert!(adaptation.slow(SECOND * 2, SECOND, 10, 10));
        assert!(!adaptation.slow(SECOND * 3, SECOND * 2, 10, 10), "begun before the change");
        assert_eq!((adaptation.ceiling, adaptation.slowness), (Some(5), 2));
        assert!(adaptation.slow(SECOND * 4, SECOND * 3, 5, 10));
        assert_eq!((adaptation.ceiling, adaptation.slowness), (Some(2), 4));
        let mut seen = alloc::vec::Vec::new();
        for _ in 0..1000 {
            adaptation.creep(10);
            if seen.last() != Some(&adaptation.ceiling) {
                seen.push(adaptation.ceiling);
            }
        }
        assert_eq!(seen, [2, 3, 4, 5, 6, 7, 8, 9].map(Some).into_iter().chain([None]).collect::<alloc::vec::Vec<_>>());
        assert_eq!(adaptation.slowness, 1);
    }

    #[test]
    fn a_single_connection_without_bounds_gets_slower_between_messages() {
        let mut host = Host::new("mx".into(), HostPolicy::default());
        host.take(SECOND);
        assert_eq!(host.next(SECOND), Duration::ZERO);
        for times in 1..30 {
            host.adaptation.slow(SECOND * (2 * times), SECOND * (2 * times), 1, u32::MAX);
        }
        assert_eq!((host.limit(), host.adaptation.slowness), (1, SLOWEST));
        host.take(SECOND * 100);
        assert_eq!(host.next(SECOND * 100), SECOND * 100 + GAP * SLOWEST);
    }
}
