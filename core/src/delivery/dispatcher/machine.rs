//! The dispatcher: what goes in, what comes out.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::alarms::{Alarm, Alarms, Bell};
use super::books::{Delivery, Held, Whereabouts};
use super::config::{Config, HostPolicy, Quota};
use super::host::Host;
use super::metrics::Metrics;
use super::output::{Event, Output};
use super::pace::Pace;
use super::parcel::{Parcel, Unrouted, Way};
use super::place::Place;
use super::random::Random;
use super::session::Session;
use super::slab::{Key, Slab};
use super::waiters::Waiters;
use crate::client::{MessageId, RecipientOutcome, State};
use crate::error::{Error, ErrorCode};

/// Which message goes over which connection, and when. See the [module](super) for how to drive it.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    pub(super) config: Config,
    pub(super) policies: BTreeMap<Arc<str>, HostPolicy>,
    pub(super) quotas: BTreeMap<Arc<str>, Quota>,
    pub(super) random: Random,
    pub(super) phase: Phase,
    pub(super) outputs: VecDeque<Output>,
    pub(super) alarms: Alarms,

    pub(super) messages: Slab<Held>,
    pub(super) ids: BTreeMap<MessageId, Key<Held>>,
    pub(super) deliveries: Slab<Delivery>,
    pub(super) places: Slab<Place>,
    pub(super) place_names: BTreeMap<Arc<str>, Key<Place>>,
    pub(super) hosts: Slab<Host>,
    pub(super) host_names: BTreeMap<Arc<str>, Key<Host>>,
    pub(super) sessions: Slab<Session>,

    /// Whose turn it is.
    pub(super) ring: VecDeque<Key<Place>>,
    /// How many deliveries count as ready.
    pub(super) ready: usize,
    /// How many failures of hosts there have been.
    pub(super) failures: u64,
    pub(super) pace: Pace,
    /// Whose turn it is once the next message of all may go.
    pub(super) paused: VecDeque<Key<Place>>,
    pub(super) gate: Bell,
    /// Who waits for a connection more in all.
    pub(super) for_connection: Waiters,
    pub(super) idle: BTreeSet<(Duration, Key<Session>)>,
    pub(super) closing: usize,
    /// Connections that are promised to who has waited for one.
    pub(super) granted: usize,
    /// What is counted as it happens.
    pub(super) counts: Metrics,
}

/// How far it wants to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// Until every message has ended.
    Finishing,
    /// Until nothing is in flight.
    Stopping,
}

impl Dispatcher {
    /// A dispatcher without messages. `seed` is any random number: nothing secret comes of it.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            pace: Pace::new(&config.quota),
            config,
            policies: BTreeMap::new(),
            quotas: BTreeMap::new(),
            random: Random(seed),
            phase: Phase::Open,
            outputs: VecDeque::new(),
            alarms: Alarms::default(),
            messages: Slab::new(),
            ids: BTreeMap::new(),
            deliveries: Slab::new(),
            places: Slab::new(),
            place_names: BTreeMap::new(),
            hosts: Slab::new(),
            host_names: BTreeMap::new(),
            sessions: Slab::new(),
            ring: VecDeque::new(),
            ready: 0,
            failures: 0,
            paused: VecDeque::new(),
            gate: Bell::default(),
            for_connection: Waiters::default(),
            idle: BTreeSet::new(),
            closing: 0,
            granted: 0,
            counts: Metrics::default(),
        }
    }

    /// A policy for this host alone. To be said before it is used.
    pub fn set_host(&mut self, name: impl Into<Arc<str>>, policy: HostPolicy) {
        self.policies.insert(name.into(), policy);
    }

    /// A quota for this destination alone. To be said before it is used.
    pub fn set_destination(&mut self, name: impl Into<Arc<str>>, quota: Quota) {
        self.quotas.insert(name.into(), quota);
    }

    /// Whether there is room for one message more, and use for it. Feed it while this says so; what is submitted beyond is
    /// taken all the same.
    pub fn wants_message(&self) -> bool {
        let capacity = &self.config.capacity;
        self.phase == Phase::Open
            && self.ready < capacity.ready
            && self.deliveries.len() < capacity.deliveries
            && self.places.len() < capacity.destinations
    }

    /// Takes a message. It ends by exactly one [`Event::Finished`].
    ///
    /// # Errors
    ///
    /// `usage`, and the message is not taken: its number is in use, its groups do not hold each recipient exactly once, or
    /// the dispatcher is finishing.
    pub fn submit(&mut self, now: Duration, parcel: Parcel) -> Result<(), Error> {
        self.check(&parcel)?;
        let within = self.config.retry.map_or(Duration::MAX, |retry| now.saturating_add(retry.within));
        let held = Held::new(parcel.id, parcel.envelope, parcel.deadline.unwrap_or(within));
        let key = self.messages.insert(held);
        self.ids.insert(parcel.id, key);
        self.counts.totals.submitted += 1;
        for group in parcel.groups {
            match group.way {
                Way::To(destination) => {
                    let place = self.place(now, &destination);
                    self.deliver(key, group.recipients.into(), place, 0, false);
                }
                Way::Nowhere(Unrouted { state, error }) => {
                    let cause = Arc::new(error);
                    let end = |index| (index, RecipientOutcome::ended(state, None, Some(Arc::clone(&cause))));
                    if let Some(held) = self.messages.get_mut(key) {
                        held.error = Some(Error::clone(&cause));
                    }
                    self.settle(key, group.recipients.into_iter().map(end));
                }
            }
        }
        self.end_if_settled(key);
        Ok(())
    }

    fn check(&self, parcel: &Parcel) -> Result<(), Error> {
        let usage = |what: &'static str| Err(Error::new(ErrorCode::Usage, what));
        if self.phase != Phase::Open {
            return usage("the dispatcher takes no more messages");
        }
        if self.ids.contains_key(&parcel.id) {
            return usage("another message has the same number");
        }
        let count = parcel.envelope.recipients.len();
        let mut seen: Vec<u32> = parcel.groups.iter().flat_map(|group| &group.recipients).copied().collect();
        seen.sort_unstable();
        if count == 0 || seen.len() != count || !seen.iter().zip(0..).all(|(index, expected)| *index == expected) {
            return usage("the groups of a message hold each recipient once");
        }
        Ok(())
    }

    /// The user cancels a message. What is not accepted yet is `deferred`, or `unknown` if it was on its way.
    pub fn cancel(&mut self, now: Duration, message: MessageId) {
        let Some(key) = self.ids.get(&message).copied() else {
            return;
        };
        let Some(held) = self.messages.get_mut(key) else {
            return;
        };
        held.is_cancelled = true;
        for delivery in held.deliveries.clone() {
            match self.deliveries.get(delivery).map(|delivery| delivery.whereabouts) {
                Some(Whereabouts::Sent { on, .. }) => {
                    self.outputs.push_back(Output::Abort { session: on.into(), delivery: delivery.into() });
                }
                Some(Whereabouts::Queued | Whereabouts::Later { .. }) => {
                    let error = Error::new(ErrorCode::Cancelled, "the message was cancelled");
                    self.give_up(now, delivery, State::Deferred, None, error);
                }
                Some(Whereabouts::InHand) | None => {}
            }
        }
    }

    /// No more messages come. When all have ended, the sessions are closed and [`Output::Done`] follows.
    pub fn finish(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Finishing;
            self.close_what_is_idle();
        }
    }

    /// Begins nothing any more. When what is in flight has ended, the sessions are closed and [`Output::Done`] follows. The
    /// messages that are left are in a [`snapshot`](Self::snapshot), or end by [`defer_the_rest`](Self::defer_the_rest).
    pub fn stop(&mut self) {
        self.phase = Phase::Stopping;
        self.close_what_is_idle();
    }

    /// What to do next. To be called until it says [`Output::Wait`] or [`Output::Done`].
    pub fn poll(&mut self, now: Duration) -> Output {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return output;
            }
            if let Some(alarm) = self.alarms.next(now) {
                self.went_off(now, alarm);
            } else if !self.next_turn(now) {
                break;
            }
        }
        let is_over = match self.phase {
            Phase::Open => false,
            Phase::Finishing => self.messages.is_empty(),
            Phase::Stopping => true,
        };
        if is_over && self.sessions.is_empty() {
            return Output::Done;
        }
        Output::Wait { deadline: self.alarms.first() }
    }

    /// After [`stop`](Self::stop), and [`Output::Done`]: the messages that are left end as deferred, since nobody will go on.
    pub fn defer_the_rest(&mut self, now: Duration) {
        let left: Vec<_> = self.deliveries.iter().map(|(key, _)| key).collect();
        for key in left {
            let error = Error::new(ErrorCode::Cancelled, "sending was stopped before the message had its turn");
            self.give_up(now, key, State::Deferred, None, error);
        }
    }

    /// How things stand.
    pub fn metrics(&self) -> Metrics {
        Metrics {
            messages: self.messages.len(),
            destinations: self.places.len(),
            hosts: self.hosts.len(),
            sessions: self.sessions.len(),
            idle_sessions: self.idle.len(),
            ..self.counts
        }
    }

    fn went_off(&mut self, now: Duration, alarm: Alarm) {
        match alarm {
            Alarm::Delivery(key) => self.delivery_due(now, key),
            Alarm::Session(key) => self.session_idle(key),
            Alarm::Host(key) => self.host_due(now, key),
            Alarm::Place(key) => self.place_due(now, key),
            Alarm::Gate => self.gate.reset(),
        }
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}
