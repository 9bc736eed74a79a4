//! What both sides say of each message.

use std::collections::BTreeMap;
use std::time::Duration;

use okuru_core::client::{Outcome, State};
use okuru_core::syntax::{ForwardPath, ReversePath};

use super::{Scenario, Tally};

#[derive(Debug, Default)]
pub(super) struct Books {
    /// By message: what the client says of each recipient.
    outcomes: BTreeMap<u64, Vec<State>>,
    /// By message and recipient: what the server's host has taken responsibility for.
    stored: BTreeMap<(u64, u8), Vec<Vec<u8>>>,
    complaint: Option<String>,
}

impl Books {
    pub(super) fn finished(&mut self, outcome: &Outcome) -> Result<(), String> {
        let states = outcome.recipients.iter().map(|recipient| recipient.state).collect();
        match self.outcomes.insert(outcome.message.0, states) {
            None => Ok(()),
            Some(_) => Err(format!("{:?} has ended twice", outcome.message)),
        }
    }

    pub(super) fn stored(&mut self, from: &ReversePath, to: &ForwardPath, content: &[u8], octets: u64) {
        let number = |text: &str, first: char| text.strip_prefix(first).and_then(|number| number.parse().ok());
        let message = from.mailbox().and_then(|mailbox| number(mailbox.local_part(), 'm'));
        let recipient = to.mailbox().and_then(|mailbox| number(mailbox.local_part(), 'r'));
        match message.zip(recipient.and_then(|recipient| u8::try_from(recipient).ok())) {
            Some(key) if content.len() as u64 == octets => self.stored.entry(key).or_default().push(content.to_vec()),
            Some(_) => self.complain("it is told another size than came"),
            None => self.complain("a message came that nobody sent"),
        }
    }

    fn complain(&mut self, what: &str) {
        self.complaint.get_or_insert(what.into());
    }

    /// Compares what the two sides say.
    pub(super) fn balance(&self, scenario: &Scenario) -> Result<(), String> {
        if let Some(what) = &self.complaint {
            return Err(what.clone());
        }
        let mut seen = 0;
        for (index, letter) in scenario.letters.iter().enumerate() {
            let states = self.outcomes.get(&(index as u64)).ok_or_else(|| format!("message {index} never ended"))?;
            if states.len() != usize::from(letter.recipients) {
                return Err(format!("message {index} has {} outcomes", states.len()));
            }
            for (place, state) in states.iter().enumerate() {
                let copies = self.stored.get(&(index as u64, place as u8)).map_or(&[][..], Vec::as_slice);
                seen += usize::from(!copies.is_empty());
                let what = |what: &str| Err(format!("message {index}, recipient {place}: {state}, and {what}"));
                match (state, copies) {
                    (_, [_, _, ..]) => return what("the server has it twice"),
                    (State::Accepted, []) => return what("the server has not got it"),
                    (State::Rejected | State::Deferred, [_]) => return what("the server has it"),
                    (_, [copy]) if !is_same(&letter.content, copy) => return what("the server has something else"),
                    _ => {}
                }
            }
        }
        if seen == self.stored.len() { Ok(()) } else { Err("the server has what nobody sent".into()) }
    }

    pub(super) fn tally(&self, now: Duration) -> Tally {
        let mut tally = Tally { time: now, ..Tally::default() };
        for state in self.outcomes.values().flatten() {
            *match state {
                State::Accepted => &mut tally.accepted,
                State::Deferred | State::Rejected => &mut tally.refused,
                State::Unknown => &mut tally.unknown,
            } += 1;
        }
        tally
    }
}

/// Whether it is what was sent: as it is (BINARYMIME), or with each line ended by CR LF, the last perhaps too.
fn is_same(sent: &[u8], came: &[u8]) -> bool {
    let mut canonical = Vec::with_capacity(sent.len());
    let mut before = 0;
    for &byte in sent {
        if before == b'\r' && byte != b'\n' {
            canonical.push(b'\n');
        }
        if byte == b'\n' && before != b'\r' {
            canonical.push(b'\r');
        }
        canonical.push(byte);
        before = byte;
    }
    if before == b'\r' {
        canonical.push(b'\n');
    }
    let ended = [&canonical, &b"\r\n"[..]].concat();
    came == sent || came == canonical || came == ended
}
