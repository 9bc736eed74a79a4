//! What is to be looked at again, and when.

use alloc::collections::BTreeSet;
use core::time::Duration;

use super::books::Delivery;
use super::host::Host;
use super::place::Place;
use super::session::Session;
use super::slab::Key;

/// What is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// It is due, or overdue.
    Delivery(Key<Delivery>),
    /// It has been idle for long enough.
    Session(Key<Session>),
    /// Its rest is over, or the next message may go to it.
    Host(Key<Host>),
    /// The next message may go to it, or nothing needs to be known of it any more.
    Place(Key<Place>),
    /// The next message of all may go.
    Gate,
}

/// At most one for each. Who has one, keeps its moment in a [`Bell`].
#[derive(Clone, Debug, Default)]
pub(super) struct Alarms(BTreeSet<(Duration, Alarm)>);

/// When an alarm goes off, if it is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bell(Option<Duration>);

impl Alarms {
    /// Sets the alarm to `at`, or to nothing.
    pub(super) fn set(&mut self, bell: &mut Bell, at: Option<Duration>, alarm: Alarm) {
        let at = at.filter(|at| *at < Duration::MAX);
        if bell.0 == at {
            return;
        }
        if let Some(before) = bell.0.take() {
            self.0.remove(&(before, alarm));
        }
        if let Some(at) = at {
            self.0.insert((at, alarm));
        }
        bell.0 = at;
    }

    /// Sets the alarm to `at`, if it would go off later or not at all.
    pub(super) fn set_by(&mut self, bell: &mut Bell, at: Duration, alarm: Alarm) {
        if bell.0.is_none_or(|before| before > at) {
            self.set(bell, Some(at), alarm);
        }
    }

    /// The next alarm that goes off by `now`. Its bell is to be [reset](Bell::reset).
    pub(super) fn next(&mut self, now: Duration) -> Option<Alarm> {
        self.first().filter(|at| *at <= now)?;
        self.0.pop_first().map(|(_, alarm)| alarm)
    }

    /// When the next one goes off.
    pub(super) fn first(&self) -> Option<Duration> {
        self.0.first().map(|(at, _)| *at)
    }
}

impl Bell {
    /// It has gone off.
    pub(super) fn reset(&mut self) {
        self.0 = None;
    }
}
