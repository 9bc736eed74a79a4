//! What becomes of messages while none of the hosts of their destination can be used.
//!
//! They wait for the end of a rest. Each time that all hosts have failed once more, it counts as a try for whoever was
//! waiting; nobody had to connect for each of them.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::alarms::Alarm;
use super::books::{Delivery, Held};
use super::host::{Health, Host};
use super::machine::Dispatcher;
use super::output::Event;
use super::parcel::Destination;
use super::place::{Place, Routing};
use super::queue::End;
use super::slab::Key;
use super::turns::Next;
use super::waiters::Resource;
use crate::client::{Failure, State};
use crate::error::ErrorCode;
use crate::syntax::Severity;

/// Why no host of a destination can be used.
pub(super) struct Down {
    /// The last failure.
    pub(super) failure: Arc<Failure>,
    /// It will not work later either.
    is_final: bool,
    /// Of all failures of hosts, which one was the last of the host that failed last, and of the one that failed first.
    newest: u64,
    oldest: u64,
    hosts: Vec<Key<Host>>,
    /// When the hosts of the destination are asked for again.
    until: Option<Duration>,
}

impl Dispatcher {
    /// None of the hosts of a destination can be used for its first message.
    pub(super) fn none_left(&mut self, now: Duration, key: Key<Place>, front: Key<Delivery>) -> Next {
        let Some(delivery) = self.deliveries.get(front) else {
            return Next::Nothing;
        };
        let (tried, message, fell_back) = (delivery.tried, delivery.message, delivery.fell_back);
        if tried != 0 {
            // A host has deferred it; meanwhile the others have failed.
            self.pop(key);
            if self.later(now, front).is_none() {
                self.end(now, front);
                self.end_if_settled(message);
            }
            return Next::Again;
        }
        let Some(down) = self.why_down(key, tried) else {
            return Next::Blocked(Vec::new());
        };
        // A domain that is not there, or takes no mail, has said so for everybody.
        let is_nowhere = down.is_final && down.hosts.is_empty();
        if let Some(destination) = self.fallback(key).filter(|_| !(fell_back || is_nowhere)) {
            self.pop(key);
            let recipients = self.deliveries.get(front).map(|delivery| Arc::clone(&delivery.recipients));
            self.fall_back(now, message, key, &recipients.unwrap_or_default(), &destination);
            self.end(now, front);
            return Next::Again;
        }
        let Down { failure, is_final, newest, oldest, hosts, until } = down;
        let Some(place) = self.places.get_mut(key) else {
            return Next::Nothing;
        };
        if is_final || self.config.retry.is_none() {
            self.pop(key);
            let state = if is_final { State::Rejected } else { State::Deferred };
            self.give_up(now, front, state, failure.reply.clone(), failure.error.clone());
            return Next::Again;
        }
        if oldest > place.failures_seen {
            place.failures_seen = newest;
            place.to_charge = place.queue.len();
        }
        if place.to_charge > 0 {
            self.pop(key);
            let tries = self.config.retry.map_or(1, |retry| retry.tries);
            let delivery = self.deliveries.get_mut(front);
            let is_spent = delivery.is_none_or(|delivery| {
                delivery.attempts = delivery.attempts.saturating_add(1);
                delivery.attempts >= tries
            });
            if is_spent {
                self.give_up(now, front, State::Deferred, failure.reply.clone(), failure.error.clone());
            } else {
                self.enqueue(front, End::Back);
            }
            return Next::Again;
        }
        if let Some(until) = until {
            self.alarms.set_by(&mut place.bell, until, Alarm::Place(key));
        }
        Next::Blocked(hosts.into_iter().map(Resource::Host).collect())
    }

    /// Why no host of a destination can be used, beyond those that are `tried`; `None` if one can.
    pub(super) fn why_down(&self, key: Key<Place>, tried: u64) -> Option<Down> {
        let place = self.places.get(key)?;
        if place.aims.is_empty() {
            let Routing::Failed { unrouted, number, until } = &place.routing else {
                return None;
            };
            return Some(Down {
                failure: Arc::new(Failure { error: unrouted.error.clone(), reply: None }),
                is_final: unrouted.state == State::Rejected,
                newest: *number,
                oldest: *number,
                hosts: Vec::new(),
                until: Some(*until),
            });
        }
        let mut down: Option<Down> = None;
        for (index, aim) in (0..64).zip(&place.aims) {
            if tried >> index & 1 == 1 {
                continue;
            }
            let host = self.hosts.get(aim.host).filter(|host| host.is_resting())?;
            let (failure, number) = host.failure.clone()?;
            let is_final = is_final(&failure);
            let hosts = alloc::vec![aim.host];
            let this = Down { failure, is_final, newest: number, oldest: number, hosts, until: None };
            down = Some(match down {
                None => this,
                Some(other) => other.and(this),
            });
        }
        down
    }

    /// What was wrong last with a destination that has not worked since. It may be about to be tried again.
    pub(super) fn why_not_yet(&self, key: Key<Place>) -> Option<Arc<Failure>> {
        let place = self.places.get(key)?;
        if place.aims.is_empty() {
            let error = match &place.routing {
                Routing::Failed { unrouted, .. } => unrouted.error.clone(),
                Routing::Asked { failed } => failed.clone()?,
                Routing::Known { .. } => return None,
            };
            return Some(Arc::new(Failure { error, reply: None }));
        }
        let hosts = place.aims.iter().filter_map(|aim| self.hosts.get(aim.host));
        let failures = hosts.filter(|host| host.health != Health::Good).filter_map(|host| host.failure.as_ref());
        failures.max_by_key(|(_, number)| *number).map(|(failure, _)| Arc::clone(failure))
    }

    pub(super) fn fallback(&self, key: Key<Place>) -> Option<Arc<Destination>> {
        self.places.get(key).and_then(|place| place.fallback.clone())
    }

    pub(super) fn fall_back(
        &mut self,
        now: Duration,
        message: Key<Held>,
        from: Key<Place>,
        recipients: &[u32],
        destination: &Destination,
    ) {
        let to = self.place(now, destination);
        if let (Some(held), Some(from)) = (self.messages.get(message), self.places.get(from)) {
            let event =
                Event::FellBack { message: held.id, from: Arc::clone(&from.name), to: Arc::clone(&destination.name) };
            self.tell(event);
        }
        self.deliver(message, recipients.into(), to, 0, true);
    }
}

/// Whether it will not work later either. A password that a POP3 server refuses is said by no reply of SMTP; to try it again
/// and again would lock the account.
fn is_final(failure: &Failure) -> bool {
    match &failure.reply {
        Some(reply) => reply.severity() == Severity::Permanent,
        None => failure.error.code() == ErrorCode::AuthRefused,
    }
}

impl Down {
    fn and(mut self, other: Self) -> Self {
        if other.newest > self.newest {
            (self.failure, self.newest) = (other.failure, other.newest);
        }
        self.oldest = self.oldest.min(other.oldest);
        self.is_final &= other.is_final;
        self.hosts.extend(other.hosts);
        self
    }
}
