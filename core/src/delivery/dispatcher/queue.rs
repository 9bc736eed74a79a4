//! Deliveries begin, wait in the queue of their destination, and end.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::alarms::Alarm;
use super::books::{Delivery, Held, Whereabouts};
use super::machine::Dispatcher;
use super::output::Event;
use super::place::{Place, Turn};
use super::slab::Key;
use crate::client::{RecipientOutcome, State};
use crate::error::Error;
use crate::syntax::Reply;

/// Where in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Front,
    Back,
}

impl Dispatcher {
    /// Begins a delivery.
    pub(super) fn deliver(
        &mut self,
        message: Key<Held>,
        recipients: Arc<[u32]>,
        place: Key<Place>,
        attempts: u32,
        fell_back: bool,
    ) {
        if let Some(key) = self.hold(message, recipients, place, attempts, fell_back) {
            self.enqueue(key, End::Back);
        }
    }

    /// Goes on with a delivery, at a later moment.
    pub(super) fn deliver_later(
        &mut self,
        message: Key<Held>,
        recipients: Arc<[u32]>,
        place: Key<Place>,
        attempts: u32,
        fell_back: bool,
        due: Duration,
    ) {
        if let Some(key) = self.hold(message, recipients, place, attempts, fell_back)
            && let Some(delivery) = self.deliveries.get_mut(key)
        {
            delivery.whereabouts = Whereabouts::Later { due };
            self.counts.deferred += 1;
            self.alarms.set(&mut delivery.bell, Some(due), Alarm::Delivery(key));
        }
    }

    fn hold(
        &mut self,
        message: Key<Held>,
        recipients: Arc<[u32]>,
        place: Key<Place>,
        attempts: u32,
        fell_back: bool,
    ) -> Option<Key<Delivery>> {
        let held = self.messages.get_mut(message)?;
        let key = self.deliveries.insert(Delivery {
            message,
            recipients,
            place,
            whereabouts: Whereabouts::InHand,
            attempts,
            tried: 0,
            was_moved: false,
            fell_back,
            bell: Default::default(),
        });
        held.deliveries.push(key);
        if let Some(place) = self.places.get_mut(place) {
            place.held += 1;
        }
        Some(key)
    }

    pub(super) fn enqueue(&mut self, key: Key<Delivery>, end: End) {
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return;
        };
        delivery.whereabouts = Whereabouts::Queued;
        let last = self.messages.get(delivery.message).map(|held| held.last_moment);
        self.alarms.set(&mut delivery.bell, last, Alarm::Delivery(key));
        let place_key = delivery.place;
        let Some(place) = self.places.get_mut(place_key) else {
            return;
        };
        if place.queued == 0 {
            place.queue.clear();
            place.to_charge = 0;
            place.failures_seen = self.failures;
        }
        match end {
            End::Front => place.queue.push_front(key),
            End::Back => place.queue.push_back(key),
        }
        // One more at the back does not help who waits for others already.
        let waits = matches!(&place.turn, Turn::Blocked { at } if !at.is_empty()) && end == End::Back;
        self.count_queued(place_key, 1);
        if !waits {
            self.wake(place_key);
        }
    }

    /// Takes the first of a destination.
    pub(super) fn pop(&mut self, key: Key<Place>) -> Option<Key<Delivery>> {
        let place = self.places.get_mut(key)?;
        let front = place.queue.pop_front()?;
        place.to_charge = place.to_charge.saturating_sub(1);
        if let Some(delivery) = self.deliveries.get_mut(front) {
            delivery.whereabouts = Whereabouts::InHand;
            self.alarms.set(&mut delivery.bell, None, Alarm::Delivery(front));
        }
        self.count_queued(key, -1);
        Some(front)
    }

    fn count_queued(&mut self, key: Key<Place>, change: isize) {
        let Some(place) = self.places.get_mut(key) else {
            return;
        };
        let most = self.config.capacity.ready_per_destination.max(1);
        let before = place.queued.min(most);
        place.queued = place.queued.saturating_add_signed(change);
        self.ready = (self.ready + place.queued.min(most)).saturating_sub(before);
        self.counts.queued = self.counts.queued.saturating_add_signed(change);
    }

    /// Ends a delivery that is not on a session, with this for each recipient; with what is known where one was tried.
    pub(super) fn give_up(
        &mut self,
        now: Duration,
        key: Key<Delivery>,
        state: State,
        reply: Option<Reply>,
        error: Error,
    ) {
        let Some(delivery) = self.deliveries.get(key) else {
            return;
        };
        let (message, recipients) = (delivery.message, Arc::clone(&delivery.recipients));
        match delivery.whereabouts {
            Whereabouts::Queued => self.unqueue(delivery.place),
            Whereabouts::Later { .. } => self.counts.deferred = self.counts.deferred.saturating_sub(1),
            _ => {}
        }
        let Some(held) = self.messages.get_mut(message) else {
            return;
        };
        let cause = Arc::new(error);
        let mut ends = Vec::new();
        for index in recipients.iter() {
            // What a server has said of it is worth more.
            let is_better = |known: &RecipientOutcome| match known.state {
                State::Unknown => known.is_known(),
                State::Deferred => state == State::Deferred,
                State::Accepted | State::Rejected => false,
            };
            if !held.recipients.get(*index as usize).is_some_and(is_better) {
                ends.push((*index, RecipientOutcome::ended(state, reply.clone(), Some(Arc::clone(&cause)))));
            }
        }
        if !ends.is_empty() {
            held.reply = reply;
            held.error = Some(Error::clone(&cause));
        }
        self.settle(message, ends.into_iter());
        self.end(now, key);
        self.end_if_settled(message);
    }

    /// One of the queue ends. It stays in there until its turn, or until too many such are.
    fn unqueue(&mut self, key: Key<Place>) {
        self.count_queued(key, -1);
        let Some(place) = self.places.get_mut(key) else {
            return;
        };
        if place.queue.len() > place.queued.saturating_mul(2).saturating_add(64) {
            let is_left = |delivery: &Key<Delivery>| self.deliveries.get(*delivery).is_some();
            place.to_charge = place.queue.iter().take(place.to_charge).filter(|delivery| is_left(delivery)).count();
            place.queue.retain(is_left);
        }
    }

    /// This is what is known of these recipients.
    pub(super) fn settle(&mut self, message: Key<Held>, recipients: impl Iterator<Item = (u32, RecipientOutcome)>) {
        let Some(held) = self.messages.get_mut(message) else {
            return;
        };
        for (index, outcome) in recipients {
            if let Some(recipient) = held.recipients.get_mut(index as usize) {
                *recipient = outcome;
            }
        }
    }

    /// A delivery is over. It is neither in a queue nor on a session.
    pub(super) fn end(&mut self, now: Duration, key: Key<Delivery>) {
        let Some(mut delivery) = self.deliveries.remove(key) else {
            return;
        };
        self.alarms.set(&mut delivery.bell, None, Alarm::Delivery(key));
        if let Some(held) = self.messages.get_mut(delivery.message) {
            held.deliveries.retain(|other| *other != key);
        }
        if let Some(place) = self.places.get_mut(delivery.place) {
            place.held = place.held.saturating_sub(1);
        }
        self.forget_place(now, delivery.place);
    }

    /// Ends a message if none of its deliveries is left.
    pub(super) fn end_if_settled(&mut self, key: Key<Held>) {
        if self.messages.get(key).is_none_or(|held| !held.deliveries.is_empty()) {
            return;
        }
        let Some(held) = self.messages.remove(key) else {
            return;
        };
        self.ids.remove(&held.id);
        let outcome = held.into_outcome();
        let totals = &mut self.counts.totals;
        totals.finished += 1;
        for recipient in &outcome.recipients {
            match recipient.state {
                State::Accepted => totals.accepted += 1,
                State::Deferred => totals.deferred += 1,
                State::Rejected => totals.rejected += 1,
                State::Unknown => totals.unknown += 1,
            }
        }
        self.tell(Event::Finished(outcome));
        self.close_what_is_idle();
    }
}
