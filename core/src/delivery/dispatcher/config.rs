//! What a dispatcher may do, how much of it, and how often.

use alloc::vec::Vec;
use core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How a [`Dispatcher`](super::Dispatcher) behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How much in all.
    pub quota: Quota,
    /// For each host that has no policy of its own.
    pub host: HostPolicy,
    /// How much for each destination that has no quota of its own.
    pub destination: Quota,
    /// When what was deferred is tried again. Without it each message is tried once: it may still go from one host to the
    /// next, or from a session that had closed to a fresh one, and while no host can be reached it ends with the reason at
    /// once.
    pub retry: Option<Retry>,
    /// How much is held in memory.
    pub capacity: Capacity,
    /// The hosts of a destination are asked for again, by [`Output::Route`](super::Output::Route), when they are older than
    /// this and wanted. Never, if `None`.
    pub route_age: Option<Duration>,
}

impl Config {
    /// For one relay or several: up to `connections` to each.
    pub fn relay(connections: u32) -> Self {
        let quota = Quota { connections, ..Quota::default() };
        Self {
            quota: Quota::default(),
            host: HostPolicy { quota: quota.clone(), ..HostPolicy::default() },
            destination: Quota::default(),
            retry: Some(Retry::default()),
            capacity: Capacity::default(),
            route_age: None,
        }
    }

    /// For direct delivery to many domains: 256 connections in all, 10 to each host, 5 for each domain; routes are looked up
    /// again after an hour.
    pub fn direct() -> Self {
        let at_most = |connections| Quota { connections, ..Quota::default() };
        Self {
            quota: at_most(256),
            host: HostPolicy { quota: at_most(10), ..HostPolicy::default() },
            destination: at_most(5),
            retry: Some(Retry::default()),
            capacity: Capacity { ready: 10_000, ready_per_destination: 200, ..Capacity::default() },
            route_age: Some(HOUR),
        }
    }
}

/// How much: for all, for a host, for a destination. Each holds by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Connections at a time, those being opened included; at least 1.
    pub connections: u32,
    /// Messages in a time. All of them hold.
    pub rates: Vec<Rate>,
    /// A schedule for an address that nobody knows yet.
    pub warm_up: Option<WarmUp>,
}

impl Default for Quota {
    /// No bounds.
    fn default() -> Self {
        Self { connections: u32::MAX, rates: Vec::new(), warm_up: None }
    }
}

/// So many messages in a time, counted when [`Output::Send`](super::Output::Send) is given.
///
/// In no window of the length `per`, wherever it begins, are there more than `messages`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many messages; at least 1.
    pub messages: u32,
    /// In what time.
    pub per: Duration,
    /// How many of them may go at once after a pause: 1 spaces them evenly, `messages` lets all go at once. The more, the
    /// slower the ones behind them, since the window holds for all together.
    pub burst: u32,
}

impl Rate {
    /// Spaced evenly.
    pub const fn new(messages: u32, per: Duration) -> Self {
        Self { messages, per, burst: 1 }
    }

    /// Messages a second, spaced evenly.
    pub const fn per_second(messages: u32) -> Self {
        Self::new(messages, SECOND)
    }

    /// Messages a minute, spaced evenly.
    pub const fn per_minute(messages: u32) -> Self {
        Self::new(messages, MINUTE)
    }

    /// Messages an hour, spaced evenly.
    pub const fn per_hour(messages: u32) -> Self {
        Self::new(messages, HOUR)
    }
}

/// So many messages a day, growing: for an address that has not sent before.
///
/// The days are counted from the moment at which the dispatcher first has a message for whom this is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmUp {
    /// Messages on the first day; at least 1.
    pub first: u32,
    /// How many per cent of the day before: 150 is half as many again.
    pub growth: u32,
    /// From here on there is no bound.
    pub until: u32,
    /// How long a day is.
    pub day: Duration,
}

impl WarmUp {
    /// 50 on the first day, each day half as many again, free from 100 000 on.
    pub const fn usual() -> Self {
        Self { first: 50, growth: 150, until: 100_000, day: DAY }
    }
}

/// How one server is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPolicy {
    /// How much at a time and in a time.
    pub quota: Quota,
    /// Messages on one connection; the server's MAILMAX (RFC 9422) also holds.
    pub messages_per_connection: u32,
    /// An idle session is closed after this time. Shorter where the server was seen to close sooner.
    pub idle: Duration,
    /// A session that was idle for longer than this is checked before it gets a message.
    pub check_after: Duration,
    /// How long it rests when it has failed, again and again.
    pub rest: Backoff,
    /// Use fewer connections and a slower rate when the server says that it is too much: half, then slowly more.
    pub adaptive: bool,
    /// When TLS can't be made, the next connection goes without: for [`Tls::Opportunistic`](crate::client::Tls::Opportunistic).
    pub without_tls: bool,
    /// POP before SMTP: log in before the first connection, and again after this time.
    pub log_in_every: Option<Duration>,
}

impl Default for HostPolicy {
    /// No bound on connections and rates, 100 messages on a connection, sessions are checked after 5 seconds and closed after
    /// 45, a rest of 30 seconds to 15 minutes, adaptive.
    fn default() -> Self {
        Self {
            quota: Quota::default(),
            messages_per_connection: 100,
            idle: SECOND.saturating_mul(45),
            check_after: SECOND.saturating_mul(5),
            rest: Backoff { first: SECOND.saturating_mul(30), most: MINUTE.saturating_mul(15), jitter: 20 },
            adaptive: true,
            without_tls: false,
            log_in_every: None,
        }
    }
}

/// A time that doubles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// It does not grow beyond this.
    pub most: Duration,
    /// Up to so many per cent more, at random, so that not all come back at the same moment. Never less.
    pub jitter: u32,
}

/// When what was deferred is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How long to wait. Greylisting servers want some minutes the first time.
    pub backoff: Backoff,
    /// How often a message is tried for a destination, the first time included; at least 1.
    pub tries: u32,
    /// Counted from when the dispatcher got the message. [`Parcel::deadline`](super::Parcel::deadline) goes before.
    pub within: Duration,
    /// Try again what is [`Unknown`](crate::client::State::Unknown), though it may arrive twice.
    pub duplicates_are_acceptable: bool,
}

impl Default for Retry {
    /// After 6 minutes, doubling up to 4 hours, up to a quarter more; for 5 days, however often.
    fn default() -> Self {
        Self {
            backoff: Backoff { first: MINUTE.saturating_mul(6), most: HOUR.saturating_mul(4), jitter: 25 },
            tries: u32::MAX,
            within: DAY.saturating_mul(5),
            duplicates_are_acceptable: false,
        }
    }
}

/// How much is held in memory. Below these, [`wants_message`](super::Dispatcher::wants_message) asks for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Deliveries that could go now, had they a connection. Enough to keep the connections busy.
    pub ready: usize,
    /// Of one destination, no more than these count as ready: others are asked for although one has many. A dispatcher with
    /// a single destination wants no more than `ready` here.
    pub ready_per_destination: usize,
    /// Deliveries in all, those that wait to be tried again included.
    pub deliveries: usize,
    /// Destinations of which something is known.
    pub destinations: usize,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { ready: 1000, ready_per_destination: 1000, deliveries: 100_000, destinations: 20_000 }
    }
}
