//! How the state is read.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::VERSION;
use super::words::{Words, malformed};
use crate::client::{Envelope, Failure, MessageId, RecipientOutcome, State};
use crate::delivery::dispatcher::alarms::Alarm;
use crate::delivery::dispatcher::books::Held;
use crate::delivery::dispatcher::host::{Health, Host, LogIn};
use crate::delivery::dispatcher::machine::Dispatcher;
use crate::delivery::dispatcher::metrics::Totals;
use crate::delivery::dispatcher::pace::Pace;
use crate::delivery::dispatcher::parcel::{Destination, Target};
use crate::delivery::dispatcher::place::Place;
use crate::delivery::dispatcher::slab::Key;
use crate::error::{Error, ErrorCode};
use crate::syntax::Reply;

/// What the lines that follow belong to.
enum Of {
    All,
    Host(Key<Host>),
    Place(Key<Place>),
    Message(Key<Held>),
}

impl Dispatcher {
    /// Goes on from a [`snapshot`](Self::snapshot) that was taken `away` ago, by a clock that goes on when programs don't.
    /// To be said to a new dispatcher, after [`set_host`](Self::set_host) and [`set_destination`](Self::set_destination).
    /// `envelope` finds the envelope of each message; those for which it finds none are dropped without a word.
    ///
    /// What was on a session is `unknown` now, or is tried again where duplicates are acceptable.
    ///
    /// # Errors
    ///
    /// `usage` if this is not a snapshot, or the dispatcher is not new. It is of no use then.
    pub fn restore(
        &mut self,
        now: Duration,
        away: Duration,
        snapshot: &[u8],
        mut envelope: impl FnMut(MessageId) -> Option<Arc<Envelope>>,
    ) -> Result<(), Error> {
        if !self.messages.is_empty() || !self.sessions.is_empty() {
            return Err(Error::new(ErrorCode::Usage, "only a new dispatcher can be restored"));
        }
        let text = core::str::from_utf8(snapshot).map_err(|_| malformed())?;
        let mut lines = text.lines();
        if lines.next() != Some(VERSION) {
            return Err(malformed());
        }
        let mut destinations = BTreeMap::new();
        let mut messages = Vec::new();
        let mut of = Of::All;
        for line in lines {
            let mut words = Words::of(line);
            match words.word()? {
                "totals" => self.read_totals(&mut words)?,
                "host" => of = Of::Host(self.read_host(&mut words, now, away)?),
                "failure" => self.read_failure(&mut words, &of)?,
                "destination" => self.read_destination(&mut words, now, &mut destinations)?,
                "at" => of = Of::Place(self.named(&words.text()?)?),
                "rate" | "warm-up" => self.read_pace(line, now, away, &of)?,
                "message" => {
                    let id = MessageId(words.number()?);
                    of = match envelope(id) {
                        Some(envelope) => Of::Message(self.read_message(&mut words, now, away, id, envelope)?),
                        None => Of::All,
                    };
                    if let Of::Message(key) = of {
                        messages.push(key);
                    }
                }
                "recipient" => self.read_recipient(&mut words, &of)?,
                "delivery" => self.read_delivery(&mut words, now, away, &of)?,
                _ => return Err(malformed()),
            }
        }
        for key in messages {
            self.end_if_settled(key);
        }
        let unused: Vec<_> = self.places.iter().map(|(key, _)| key).collect();
        for key in unused {
            self.forget_place(now, key);
        }
        Ok(())
    }

    fn read_totals(&mut self, words: &mut Words<'_>) -> Result<(), Error> {
        let Totals { submitted, finished, attempts, accepted, deferred, rejected, unknown, opened, moved } =
            &mut self.counts.totals;
        for total in [submitted, finished, attempts, accepted, deferred, rejected, unknown, opened, moved] {
            *total = words.number()?;
        }
        Ok(())
    }

    fn read_host(&mut self, words: &mut Words<'_>, now: Duration, away: Duration) -> Result<Key<Host>, Error> {
        let key = self.host(&words.text()?.into());
        let host = self.hosts.get_mut(key).ok_or_else(malformed)?;
        host.failures = words.number()?;
        match words.word()? {
            "good" => {}
            "resting" => {
                let until = words.moment(now, away)?;
                host.health = Health::Resting { until };
                self.alarms.set(&mut host.bell, Some(until), Alarm::Host(key));
            }
            _ => return Err(malformed()),
        }
        host.is_reduced = words.flag()?;
        host.plain_until = words.moment(now, away)?;
        host.closes_after = words.maybe()?.map_or(Duration::MAX, Duration::from_nanos);
        host.adaptation.ceiling = words.maybe()?;
        host.adaptation.slowness = words.number::<u32>()?.max(1);
        host.log_in = LogIn::Until(words.moment(now, away)?);
        Ok(key)
    }

    fn read_failure(&mut self, words: &mut Words<'_>, of: &Of) -> Result<(), Error> {
        let Of::Host(key) = of else {
            return Err(malformed());
        };
        let reply = reply(words)?;
        let error = error(words)?.ok_or_else(malformed)?;
        self.failures += 1;
        let host = self.hosts.get_mut(*key).ok_or_else(malformed)?;
        host.failure = Some((Arc::new(Failure { error, reply }), self.failures));
        Ok(())
    }

    fn read_destination(
        &mut self,
        words: &mut Words<'_>,
        now: Duration,
        known: &mut BTreeMap<Arc<str>, Arc<Destination>>,
    ) -> Result<(), Error> {
        let name: Arc<str> = words.text()?.into();
        let fallback = match words.maybe_text()? {
            Some(fallback) => Some(Arc::clone(known.get(&*fallback).ok_or_else(malformed)?)),
            None => None,
        };
        let mut targets = Vec::new();
        while let Some(host) = words.next() {
            let host = Words::of(host).text()?.into();
            targets.push(Target { host, priority: words.number()?, weight: words.number()? });
        }
        let destination = Arc::new(Destination { name: Arc::clone(&name), targets, fallback });
        self.place(now, &destination);
        known.insert(name, destination);
        Ok(())
    }

    fn named(&self, name: &str) -> Result<Key<Place>, Error> {
        self.place_names.get(name).copied().ok_or_else(malformed)
    }

    fn read_pace(&mut self, line: &str, now: Duration, away: Duration, of: &Of) -> Result<(), Error> {
        let pace: &mut Pace = match of {
            Of::All => &mut self.pace,
            Of::Host(key) => &mut self.hosts.get_mut(*key).ok_or_else(malformed)?.pace,
            Of::Place(key) => &mut self.places.get_mut(*key).ok_or_else(malformed)?.pace,
            Of::Message(_) => return Err(malformed()),
        };
        let mut words = Words::of(line);
        if words.word()? == "rate" {
            let index: usize = words.number()?;
            let even = words.moment(now, away)?;
            // The configuration may have changed.
            if let Some(spacing) = pace.spacings.get_mut(index) {
                spacing.even = even;
            }
            return Ok(());
        }
        let (left, allowed, used) = (Duration::from_nanos(words.number()?), words.number()?, words.number()?);
        if let Some(warming) = &mut pace.warming {
            warming.restore(now, left, away, allowed, used);
        }
        Ok(())
    }

    fn read_message(
        &mut self,
        words: &mut Words<'_>,
        now: Duration,
        away: Duration,
        id: MessageId,
        envelope: Arc<Envelope>,
    ) -> Result<Key<Held>, Error> {
        let mut held = Held::new(id, envelope, words.moment(now, away)?);
        if words.number::<usize>()? != held.recipients.len() {
            return Err(Error::new(ErrorCode::Usage, "an envelope does not have the recipients that it had"));
        }
        held.is_cancelled = words.flag()?;
        held.round_trips = words.number()?;
        held.reply = reply(words)?;
        let key = self.messages.insert(held);
        if self.ids.insert(id, key).is_some() {
            return Err(malformed());
        }
        Ok(key)
    }

    fn read_recipient(&mut self, words: &mut Words<'_>, of: &Of) -> Result<(), Error> {
        let index: usize = words.number()?;
        let state = match words.word()? {
            "accepted" => State::Accepted,
            "deferred" => State::Deferred,
            "rejected" => State::Rejected,
            "unknown" => State::Unknown,
            _ => return Err(malformed()),
        };
        let outcome = RecipientOutcome::new(state, reply(words)?, error(words)?);
        let Of::Message(key) = of else {
            return Ok(()); // its message has been dropped
        };
        let held = self.messages.get_mut(*key).ok_or_else(malformed)?;
        *held.recipients.get_mut(index).ok_or_else(malformed)? = outcome;
        Ok(())
    }

    fn read_delivery(&mut self, words: &mut Words<'_>, now: Duration, away: Duration, of: &Of) -> Result<(), Error> {
        let name = words.text()?;
        let (attempts, fell_back) = (words.number()?, words.flag()?);
        let whereabouts = words.word()?;
        let due = if whereabouts == "later" { Some(words.moment(now, away)?) } else { None };
        let mut recipients = Vec::new();
        while let Some(index) = words.next() {
            recipients.push(index.parse::<u32>().map_err(|_| malformed())?);
        }
        let Of::Message(message) = *of else {
            return Ok(()); // its message has been dropped
        };
        let place = self.named(&name)?;
        let count = self.messages.get(message).map_or(0, |held| held.recipients.len());
        if recipients.is_empty() || !recipients.iter().all(|index| (*index as usize) < count) {
            return Err(malformed());
        }
        let may_duplicate = self.config.retry.is_some_and(|retry| retry.duplicates_are_acceptable);
        let in_doubt = match whereabouts {
            "queued" | "later" => false,
            "sent" => !may_duplicate,
            _ => return Err(malformed()),
        };
        if in_doubt {
            let what = "it was on its way when the dispatcher was interrupted";
            let cause = Arc::new(Error::new(ErrorCode::ConnectLost, what));
            let unknown = |index| (index, RecipientOutcome::ended(State::Unknown, None, Some(Arc::clone(&cause))));
            if let Some(held) = self.messages.get_mut(message) {
                held.error = Some(Error::clone(&cause));
            }
            self.settle(message, recipients.into_iter().map(unknown));
            return Ok(());
        }
        match due {
            Some(due) => self.deliver_later(message, recipients.into(), place, attempts, fell_back, due),
            None => self.deliver(message, recipients.into(), place, attempts, fell_back),
        }
        Ok(())
    }
}

fn reply(words: &mut Words<'_>) -> Result<Option<Reply>, Error> {
    words.maybe_bytes()?.map(|raw| Reply::parse(&raw)).transpose()
}

fn error(words: &mut Words<'_>) -> Result<Option<Error>, Error> {
    let Some(code) = words.maybe::<alloc::string::String>()? else {
        return Ok(None);
    };
    let code = ErrorCode::ALL.iter().find(|known| known.as_str() == code).ok_or_else(malformed)?;
    Ok(Some(Error::new(*code, words.text()?)))
}
