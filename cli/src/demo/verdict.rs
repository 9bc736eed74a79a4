//! What came of the demonstration.

use std::fmt::Write as _;

use okuru::server::Envelope;
use okuru::{ForwardPath, Outcome, ReversePath, ServerInfo, Summary};

use super::MESSAGES;

/// A message as it arrived.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    reverse_path: Option<ReversePath>,
    forward_paths: Vec<ForwardPath>,
    /// Without the dots that were added on the way.
    content: Vec<u8>,
}

impl Arrived {
    pub(super) fn new(envelope: &Envelope, content: &[u8]) -> Self {
        Self {
            reverse_path: Some(envelope.reverse_path.clone()),
            forward_paths: envelope.recipients.iter().map(|recipient| recipient.path.clone()).collect(),
            content: content.to_vec(),
        }
    }

    /// How many dots were added: one for each line that begins with one.
    fn dots(&self) -> usize {
        self.content.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b".")).count()
    }
}

/// What came of each message.
pub(super) struct Verdict {
    rows: Vec<Row>,
    /// Whether messages arrived that nobody sent.
    more: bool,
}

struct Row {
    name: &'static str,
    octets: usize,
    dots: usize,
    recipients: usize,
    summary: Option<Summary>,
    queue_id: String,
    round_trips: u32,
    same: bool,
}

impl Verdict {
    /// Compares what arrived, byte for byte, with what was sent.
    pub(super) fn new(outcomes: &[Outcome], received: &[Arrived]) -> Self {
        let rows = MESSAGES.iter().enumerate().map(|(index, (name, content))| {
            let outcome = outcomes.iter().find(|outcome| outcome.message.0 == index as u64);
            let arrived = received.get(index);
            Row {
                name,
                octets: content.len(),
                dots: arrived.map_or(0, Arrived::dots),
                recipients: outcome.map_or(0, |outcome| outcome.recipients.len()),
                summary: outcome.map(Outcome::summary),
                queue_id: outcome.and_then(Outcome::queue_id).unwrap_or("-").to_owned(),
                round_trips: outcome.map_or(0, |outcome| outcome.round_trips),
                same: arrived.zip(outcome).is_some_and(|(arrived, outcome)| is_same(arrived, outcome, content)),
            }
        });
        Self { rows: rows.collect(), more: received.len() > MESSAGES.len() }
    }

    /// Whether everything arrived as it was sent, and nothing else did.
    pub(super) fn all_the_same(&self) -> bool {
        !self.more && self.rows.iter().all(|row| row.same)
    }

    /// What is told of it.
    pub(super) fn text(&self, info: &ServerInfo, turns: u32) -> String {
        let mut text = String::from("\n");
        let _ =
            writeln!(text, "message         octets  dots added  recipients  outcome   queued as  round trips  arrived");
        for row in &self.rows {
            let outcome = row.summary.map_or_else(|| "-".to_owned(), |summary| summary.to_string());
            let arrived = if row.same { "the same" } else { "NOT THE SAME" };
            let Row { name, octets, dots, recipients, queue_id, round_trips, .. } = row;
            let _ = writeln!(
                text,
                "{name:14}  {octets:6}  {dots:10}  {recipients:10}  {outcome:8}  {queue_id:9}  {round_trips:11}  {arrived}"
            );
        }
        text.push('\n');
        if let (Some(tls), Some(mechanism)) = (&info.tls, info.mechanism) {
            let verified = if tls.distrust.is_none() { "verified" } else { "NOT verified" };
            let _ = writeln!(
                text,
                "{} {}, the certificate {verified}; logged in by {mechanism}.",
                tls.version, tls.cipher_suite
            );
        }
        let all: u32 = self.rows.iter().map(|row| row.round_trips).sum();
        let _ = writeln!(text, "{turns} round trips from the first word to the last, {all} of them for the messages.");
        text.push_str(match self.all_the_same() {
            true => "What arrived is byte for byte what was sent.\n",
            false => "What arrived is NOT what was sent.\n",
        });
        text
    }
}

fn is_same(arrived: &Arrived, outcome: &Outcome, content: &[u8]) -> bool {
    let envelope = &outcome.envelope;
    arrived.content == content
        && arrived.reverse_path.as_ref() == Some(&envelope.reverse_path)
        && arrived.forward_paths.iter().eq(envelope.recipients.iter().map(|recipient| &recipient.path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use okuru::Error;
    use okuru::blocking::Client;

    /// Outcomes without a server, and what would have arrived.
    fn sent() -> Result<(Vec<Outcome>, Vec<Arrived>), Error> {
        let mut client = Client::new(okuru::Options::new("lmtp:///nonexistent")?);
        let messages: Vec<_> =
            MESSAGES.iter().map(|(_, content)| super::super::message(content)).collect::<Result<_, _>>()?;
        let outcomes: Vec<_> = client.send_many(messages).collect();
        let received = outcomes.iter().zip(MESSAGES).map(|(outcome, (_, content))| Arrived {
            reverse_path: Some(outcome.envelope.reverse_path.clone()),
            forward_paths: outcome.envelope.recipients.iter().map(|recipient| recipient.path.clone()).collect(),
            content: content.to_vec(),
        });
        let received = received.collect();
        Ok((outcomes, received))
    }

    #[test]
    fn each_difference_is_seen() {
        let (outcomes, received) = sent().unwrap();
        let verdict = Verdict::new(&outcomes, &received);
        assert!(verdict.all_the_same());
        assert!(verdict.text(&ServerInfo::default(), 1).ends_with("is byte for byte what was sent.\n"));

        let differs = |change: &dyn Fn(&mut Vec<Arrived>)| {
            let (_, mut received) = sent().unwrap();
            change(&mut received);
            let verdict = Verdict::new(&outcomes, &received);
            verdict.text(&ServerInfo::default(), 1).ends_with("is NOT what was sent.\n") && !verdict.all_the_same()
        };
        assert!(differs(&|received| received[2].content.truncate(788)));
        assert!(differs(&|received| received[1].content[100] ^= 1));
        assert!(differs(&|received| received[0].reverse_path = None));
        assert!(differs(&|received| drop(received[0].forward_paths.pop())));
        assert!(differs(&|received| drop(received.pop())));
        assert!(differs(&|received| received.push(Arrived::default())));
        assert!(differs(&|received| received.swap(0, 1)));
    }
}
