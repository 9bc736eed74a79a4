//! What becomes of a message after an attempt.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::alarms::Alarm;
use super::books::{Delivery, Whereabouts};
use super::host::Host;
use super::machine::Dispatcher;
use super::output::{DeliveryId, Event, Tried};
use super::queue::End;
use super::refusal;
use super::session::{Session, Stage};
use super::slab::Key;
use crate::client::{Failure, Outcome, Progress, RecipientOutcome, State};
use crate::error::{Error, ErrorCode, Step};

/// Whether a message could be sent once more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Content {
    /// Its content is there, or can be read again.
    #[default]
    Whole,
    /// Content was read that can't be read again.
    Spent,
}

/// What was known of the session when an attempt ended on it.
struct Attempt {
    host: Option<Key<Host>>,
    /// The session had shown before that it works.
    was_proven: bool,
}

impl Dispatcher {
    /// An attempt has ended, in this outcome. Its recipients are those of [`Send::recipients`](super::Send::recipients), in
    /// that order.
    pub fn finished(&mut self, now: Duration, delivery: DeliveryId, outcome: &Outcome, content: Content) {
        let key = delivery.into();
        let Some(Whereabouts::Sent { on, since }) = self.deliveries.get(key).map(|delivery| delivery.whereabouts)
        else {
            return;
        };
        let attempt = self.off_session(now, key, on, since, outcome);
        self.conclude(now, key, outcome, content, &attempt);
    }

    /// Something that was in flight on a session when it was closed, of which nobody said what became of it.
    pub(super) fn lost(&mut self, now: Duration, key: Key<Delivery>, failure: Option<&Failure>) {
        let Some(delivery) = self.deliveries.get(key) else {
            return;
        };
        let Some(held) = self.messages.get(delivery.message) else {
            return;
        };
        let unexplained = || Error::new(ErrorCode::ConnectLost, "the session had been ended");
        let error = failure.map_or_else(unexplained, |failure| failure.error.clone());
        let cause = Arc::new(error.clone());
        let unknown = || RecipientOutcome::ended(State::Unknown, None, Some(Arc::clone(&cause)));
        let outcome = Outcome {
            message: held.id,
            envelope: Arc::clone(&held.envelope),
            recipients: delivery.recipients.iter().map(|_| unknown()).collect(),
            reply: None,
            error: Some(error),
            progress: Progress::Sent,
            round_trips: 0,
        };
        self.counts.in_flight = self.counts.in_flight.saturating_sub(1);
        self.conclude(now, key, &outcome, Content::Whole, &Attempt { host: None, was_proven: true });
    }

    /// Takes a delivery off its session, and learns from its outcome about the session and the host.
    fn off_session(
        &mut self,
        now: Duration,
        key: Key<Delivery>,
        on: Key<Session>,
        begun: Duration,
        outcome: &Outcome,
    ) -> Attempt {
        self.counts.in_flight = self.counts.in_flight.saturating_sub(1);
        let Some(it) = self.sessions.get_mut(on) else {
            return Attempt { host: None, was_proven: true };
        };
        let attempt = Attempt { host: Some(it.host), was_proven: it.is_proven };
        let answer = Answer::of(outcome);
        it.is_proven |= answer != Answer::None;
        let host = it.host;
        let is_over = outcome.error.as_ref().is_some_and(ends_connection);
        if is_over {
            it.left = 0;
        }
        let empty = match &mut it.stage {
            Stage::Busy { of, deliveries, wants_more } => {
                deliveries.remove(&key);
                if is_over {
                    *wants_more = false;
                    if let Some(place) = self.places.get_mut(*of) {
                        place.wanting.remove(&on);
                    }
                }
                // Where the connection is over, nothing but its end can come.
                (deliveries.is_empty() && !is_over).then_some(*of)
            }
            _ => None,
        };
        if let Some(of) = empty {
            if let Some(place) = self.places.get_mut(of) {
                place.connections = place.connections.saturating_sub(1);
                place.wanting.remove(&on);
            }
            self.is_idle(now, on, of);
        }
        if answer == Answer::Words {
            self.works(now, host);
        }
        let mut replies = outcome.reply.iter().chain(outcome.recipients.iter().filter_map(|it| it.reply.as_ref()));
        if replies.any(refusal::is_too_much) {
            self.too_much(now, host, begun);
        } else if outcome.recipients.iter().any(|it| it.state == State::Accepted)
            && let Some(host) = self.hosts.get_mut(host)
        {
            host.adaptation.creep(host.policy.quota.connections);
        }
        attempt
    }

    fn conclude(&mut self, now: Duration, key: Key<Delivery>, outcome: &Outcome, content: Content, attempt: &Attempt) {
        let Some(delivery) = self.deliveries.get(key) else {
            return;
        };
        let (message, place) = (delivery.message, delivery.place);
        let is_cancelled = self.messages.get(message).is_none_or(|held| held.is_cancelled);
        let may_repeat = content == Content::Whole && !is_cancelled;
        if may_repeat && is_worth_another_session(delivery, outcome, attempt.was_proven) {
            if let Some(delivery) = self.deliveries.get_mut(key) {
                delivery.was_moved |= outcome.progress > Progress::Queued;
            }
            self.counts.totals.moved += 1;
            return self.enqueue(key, End::Front);
        }
        if let Some(held) = self.messages.get_mut(message) {
            held.note(outcome);
        }
        let sorted = self.sort(key, outcome, may_repeat);
        if !sorted.elsewhere.is_empty()
            && let Some(destination) = self.fallback(place)
        {
            self.fall_back(now, message, place, &sorted.elsewhere, &destination);
        }
        let tried_before = self.deliveries.get(key).map_or(0, |delivery| delivery.attempts);
        let again = if !self.narrow(key, &sorted.again) {
            None
        } else if self.try_next_host(key, outcome, attempt) {
            Some(now)
        } else {
            self.later(now, key)
        };
        self.tell(Event::Tried(Tried {
            message: self.messages.get(message).map_or(outcome.message, |held| held.id),
            destination: self.places.get(place).map(|place| Arc::clone(&place.name)).unwrap_or_default(),
            host: attempt.host.and_then(|host| self.hosts.get(host)).map(|host| Arc::clone(&host.name)),
            attempt: tried_before.saturating_add(1),
            again,
            greylisted: outcome.recipients.iter().any(refusal::is_greylisting),
            recipients: sorted.recipients,
            accepted: sorted.accepted,
            rejected: sorted.rejected,
            unknown: sorted.unknown,
            deferred: sorted.deferred,
        }));
        if again.is_none() {
            self.end(now, key);
            self.end_if_settled(message);
        }
    }

    /// Sorts the recipients of an attempt: those that have ended are settled.
    fn sort(&mut self, key: Key<Delivery>, outcome: &Outcome, may_repeat: bool) -> Sorted {
        let mut sorted = Sorted::default();
        let Some(delivery) = self.deliveries.get(key) else {
            return sorted;
        };
        let may_duplicate = self.config.retry.is_some_and(|retry| retry.duplicates_are_acceptable);
        let has_fallback = !delivery.fell_back && self.fallback(delivery.place).is_some();
        let message = delivery.message;
        let recipients = Arc::clone(&delivery.recipients);
        let missing = RecipientOutcome::waiting();
        let outcomes = outcome.recipients.iter().chain(core::iter::repeat(&missing));
        for (index, it) in recipients.iter().zip(outcomes) {
            let goes_elsewhere = may_repeat && has_fallback && refusal::is_by_policy(outcome, it);
            let is_tried_again = goes_elsewhere || it.state == State::Unknown && may_repeat && may_duplicate;
            sorted.recipients.push((*index, if is_tried_again { State::Deferred } else { it.state }));
            match it.state {
                _ if goes_elsewhere => sorted.elsewhere.push(*index),
                State::Accepted => sorted.accepted += 1,
                State::Rejected => sorted.rejected += 1,
                State::Unknown if !(may_repeat && may_duplicate) => sorted.unknown += 1,
                State::Unknown | State::Deferred => {
                    sorted.deferred += 1;
                    if may_repeat {
                        sorted.again.push(*index);
                    }
                }
            }
        }
        self.settle(message, recipients.iter().copied().zip(outcome.recipients.iter().cloned()));
        sorted
    }

    /// These recipients are left of a delivery. Says whether there are any.
    fn narrow(&mut self, key: Key<Delivery>, left: &[u32]) -> bool {
        let Some(delivery) = self.deliveries.get_mut(key).filter(|_| !left.is_empty()) else {
            return false;
        };
        if delivery.recipients.len() != left.len() {
            delivery.recipients = left.into();
        }
        true
    }

    /// A message that a host has deferred as a whole is given to another one at once, if there is any.
    fn try_next_host(&mut self, key: Key<Delivery>, outcome: &Outcome, attempt: &Attempt) -> bool {
        let about_it_all = |error: &Error| {
            let step = error.step();
            ends_connection(error) || matches!(step, Some(Step::Mail | Step::Data | Step::Content | Step::EndOfContent))
        };
        let as_a_whole = outcome.error.as_ref().is_some_and(about_it_all) && is_deferred(outcome);
        let Some(delivery) = self.deliveries.get_mut(key).filter(|_| as_a_whole) else {
            return false;
        };
        let Some(place) = self.places.get(delivery.place) else {
            return false;
        };
        let mut is_another = false;
        for (index, aim) in (0..64).zip(&place.aims) {
            if Some(aim.host) == attempt.host {
                delivery.tried |= 1 << index;
            } else if delivery.tried >> index & 1 == 0 {
                is_another |= self.hosts.get(aim.host).is_some_and(|host| !host.is_resting());
            }
        }
        if is_another {
            self.enqueue(key, End::Front);
        }
        is_another
    }

    /// Tries it again later: when. Not at all if it was tried often enough, or would be too late.
    pub(super) fn later(&mut self, now: Duration, key: Key<Delivery>) -> Option<Duration> {
        let delivery = self.deliveries.get_mut(key)?;
        delivery.attempts = delivery.attempts.saturating_add(1);
        delivery.tried = 0;
        delivery.was_moved = false;
        let retry = self.config.retry.filter(|retry| delivery.attempts < retry.tries)?;
        let due = now.saturating_add(retry.backoff.after(delivery.attempts, &mut self.random));
        let last = self.messages.get(delivery.message).map_or(Duration::ZERO, |held| held.last_moment);
        if due >= last {
            return None;
        }
        delivery.whereabouts = Whereabouts::Later { due };
        self.counts.deferred += 1;
        self.alarms.set(&mut delivery.bell, Some(due), Alarm::Delivery(key));
        Some(due)
    }

    /// A delivery is due, or was not sent in time.
    pub(super) fn delivery_due(&mut self, now: Duration, key: Key<Delivery>) {
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return;
        };
        delivery.bell.reset();
        match delivery.whereabouts {
            Whereabouts::Later { .. } => {
                self.counts.deferred = self.counts.deferred.saturating_sub(1);
                self.enqueue(key, End::Back);
            }
            Whereabouts::Queued => {
                let place = delivery.place;
                let failure = self.why_not_yet(place).unwrap_or_else(|| {
                    let late = Error::new(ErrorCode::TimeoutDeadline, "the last moment of the message has passed");
                    Arc::new(Failure { error: late, reply: None })
                });
                self.give_up(now, key, State::Deferred, failure.reply.clone(), failure.error.clone());
            }
            Whereabouts::Sent { .. } | Whereabouts::InHand => {}
        }
    }
}

/// The recipients of an attempt.
#[derive(Default)]
struct Sorted {
    recipients: Vec<(u32, State)>,
    accepted: u32,
    rejected: u32,
    unknown: u32,
    deferred: u32,
    /// To be tried again, by the same way.
    again: Vec<u32>,
    /// To be tried by another way.
    elsewhere: Vec<u32>,
}

/// What an outcome says about the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// It has answered.
    Words,
    /// Nothing: it ended for our own reasons.
    Nothing,
    /// It has not answered.
    None,
}

impl Answer {
    fn of(outcome: &Outcome) -> Self {
        match outcome.error.as_ref().map(Error::code) {
            None | Some(ErrorCode::ReplyDeferred | ErrorCode::ReplyRejected | ErrorCode::AuthRequired) => Self::Words,
            Some(ErrorCode::TimeoutDeadline | ErrorCode::SecurityTlsRequired) => Self::Nothing,
            Some(code) if matches!(code.family(), "message" | "address" | "cancelled" | "usage") => Self::Nothing,
            Some(_) => Self::None,
        }
    }
}

fn is_deferred(outcome: &Outcome) -> bool {
    outcome.recipients.iter().all(|recipient| recipient.state == State::Deferred)
}

/// Whether a connection of which this was said is over.
fn ends_connection(error: &Error) -> bool {
    match error.code() {
        ErrorCode::ConnectLost
        | ErrorCode::ReplyClosing
        | ErrorCode::LimitSession
        | ErrorCode::TimeoutReply
        | ErrorCode::TimeoutWrite => true,
        code => code.family() == "protocol",
    }
}

/// Whether only the connection was at fault, nothing was lost with it, and another may do better.
fn is_worth_another_session(delivery: &Delivery, outcome: &Outcome, was_proven: bool) -> bool {
    let Some(error) = outcome.error.as_ref().filter(|_| is_deferred(outcome)) else {
        return false;
    };
    let has_closed = matches!(
        error.code(),
        ErrorCode::ConnectLost | ErrorCode::ProtocolClosed | ErrorCode::ReplyClosing | ErrorCode::LimitSession
    );
    match outcome.progress {
        Progress::Queued => Answer::of(outcome) == Answer::None,
        Progress::Envelope => was_proven && has_closed && !delivery.was_moved,
        Progress::Content | Progress::Sent => false,
    }
}
