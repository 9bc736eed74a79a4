//! How the state is written.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::VERSION;
use super::words::Line;
use crate::client::{Failure, RecipientOutcome, State};
use crate::delivery::dispatcher::books::{Delivery, Held, Whereabouts};
use crate::delivery::dispatcher::host::{Health, Host, LogIn};
use crate::delivery::dispatcher::machine::Dispatcher;
use crate::delivery::dispatcher::metrics::Totals;
use crate::delivery::dispatcher::pace::Pace;
use crate::delivery::dispatcher::parcel::{Destination, Target};
use crate::delivery::dispatcher::place::{Aim, Place};
use crate::error::Error;
use crate::syntax::Reply;

impl Dispatcher {
    /// Everything that is needed to go on later, by [`restore`](Self::restore): the messages that have not ended, with what
    /// is known of their recipients; what is known of hosts and rates. It is text, and holds addresses only where servers
    /// have repeated them.
    ///
    /// What is on a session now counts as in doubt when it is restored. [`stop`](Self::stop) first, and there is nothing of
    /// that kind.
    pub fn snapshot(&self, now: Duration) -> Vec<u8> {
        let mut out = Vec::new();
        Line::of(VERSION).end(&mut out);
        let totals = &self.counts.totals;
        let Totals { submitted, finished, attempts, accepted, deferred, rejected, unknown, opened, moved } = totals;
        let mut line = Line::of("totals");
        for total in [submitted, finished, attempts, accepted, deferred, rejected, unknown, opened, moved] {
            line = line.number(total);
        }
        line.end(&mut out);
        pace(&self.pace, now, &mut out);
        for (_, it) in self.hosts.iter() {
            host(it, now, &mut out);
        }
        let mut written = BTreeSet::new();
        for (_, place) in self.places.iter() {
            destination(&self.destination(place), &mut written, &mut out);
            if place.pace.forgotten_at() > now {
                Line::of("at").bytes(place.name.as_bytes()).end(&mut out);
                pace(&place.pace, now, &mut out);
            }
        }
        for (_, held) in self.messages.iter() {
            self.message(held, now, &mut out);
        }
        out
    }

    fn destination(&self, place: &Place) -> Destination {
        let target = |aim: &Aim| {
            let host = self.hosts.get(aim.host)?;
            Some(Target { host: Arc::clone(&host.name), priority: aim.priority, weight: aim.weight })
        };
        Destination {
            name: Arc::clone(&place.name),
            targets: place.aims.iter().filter_map(target).collect(),
            fallback: place.fallback.clone(),
        }
    }

    fn message(&self, held: &Held, now: Duration, out: &mut Vec<u8>) {
        let last = Line::of("message").number(held.id.0).moment(now, held.last_moment);
        let line = last.number(held.recipients.len()).number(u8::from(held.is_cancelled)).number(held.round_trips);
        line.maybe_bytes(held.reply.as_ref().map(Reply::raw)).end(out);
        for (index, it) in (0u32..).zip(&held.recipients) {
            if it.is_known() {
                recipient(index, it, out);
            }
        }
        for it in held.deliveries.iter().filter_map(|key| self.deliveries.get(*key)) {
            self.delivery(it, now, out);
        }
    }

    fn delivery(&self, it: &Delivery, now: Duration, out: &mut Vec<u8>) {
        let Some(place) = self.places.get(it.place) else {
            return;
        };
        let line = Line::of("delivery").bytes(place.name.as_bytes()).number(it.attempts);
        let line = line.number(u8::from(it.fell_back));
        let line = match it.whereabouts {
            Whereabouts::Queued | Whereabouts::InHand => line.number("queued"),
            Whereabouts::Sent { .. } => line.number("sent"),
            Whereabouts::Later { due } => line.number("later").moment(now, due),
        };
        it.recipients.iter().fold(line, Line::number).end(out);
    }
}

fn pace(it: &Pace, now: Duration, out: &mut Vec<u8>) {
    for (index, spacing) in (0u32..).zip(&it.spacings) {
        Line::of("rate").number(index).moment(now, spacing.even).end(out);
    }
    if let Some(warming) = &it.warming
        && let Some(ends) = warming.day_ends
    {
        let left = u64::try_from(ends.saturating_sub(now).as_nanos()).unwrap_or(u64::MAX);
        Line::of("warm-up").number(left).number(warming.allowed).number(warming.used).end(out);
    }
}

fn host(it: &Host, now: Duration, out: &mut Vec<u8>) {
    let line = Line::of("host").bytes(it.name.as_bytes()).number(it.failures);
    let line = match it.health {
        Health::Good => line.number("good"),
        Health::Resting { until } => line.number("resting").moment(now, until),
        Health::Probing(_) => line.number("resting").number(0),
    };
    let line = line.number(u8::from(it.is_reduced)).moment(now, it.plain_until);
    let closes_after = u64::try_from(it.closes_after.as_nanos());
    let line = line.maybe(closes_after.ok()).maybe(it.adaptation.ceiling).number(it.adaptation.slowness);
    match it.log_in {
        LogIn::Until(until) => line.moment(now, until),
        LogIn::Asked => line.number(0),
    }
    .end(out);
    if let Some((failure, _)) = &it.failure {
        let Failure { error, reply } = &**failure;
        let line = Line::of("failure").maybe_bytes(reply.as_ref().map(Reply::raw));
        explained(line, Some(error)).end(out);
    }
    pace(&it.pace, now, out);
}

fn destination(it: &Destination, written: &mut BTreeSet<Arc<str>>, out: &mut Vec<u8>) {
    if !written.insert(Arc::clone(&it.name)) {
        return;
    }
    if let Some(fallback) = &it.fallback {
        destination(fallback, written, out);
    }
    let fallback = it.fallback.as_ref().map(|fallback| fallback.name.as_bytes());
    let mut line = Line::of("destination").bytes(it.name.as_bytes()).maybe_bytes(fallback);
    for target in &it.targets {
        line = line.bytes(target.host.as_bytes()).number(target.priority).number(target.weight);
    }
    line.end(out);
}

fn recipient(index: u32, it: &RecipientOutcome, out: &mut Vec<u8>) {
    let state = match it.state {
        State::Accepted => "accepted",
        State::Deferred => "deferred",
        State::Rejected => "rejected",
        State::Unknown => "unknown",
    };
    let line = Line::of("recipient").number(index).number(state);
    let line = line.maybe_bytes(it.reply.as_ref().map(Reply::raw));
    explained(line, it.cause()).end(out);
}

fn explained(line: Line, error: Option<&Error>) -> Line {
    match error {
        Some(error) => line.number(error.code()).bytes(error.what().as_bytes()),
        None => line.maybe(None::<u8>),
    }
}
