//! A wire that takes its time, cuts and breaks.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Scenario, in_turn};

/// One end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who sends.
    Client,
    /// Who receives.
    Server,
}

#[derive(Debug)]
pub(super) struct Wire {
    latency: Duration,
    cuts: Vec<u16>,
    cut: usize,
    breaks: Option<(Side, u64)>,
    is_broken: bool,
    from_client: Way,
    from_server: Way,
}

/// What is under way in one direction.
#[derive(Debug, Default)]
struct Way {
    pieces: VecDeque<(Duration, Vec<u8>)>,
    end: Option<Duration>,
    has_ended: bool,
    octets: u64,
}

impl Wire {
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self {
            latency: scenario.latency,
            cuts: scenario.cuts.clone(),
            cut: 0,
            breaks: scenario.breaks,
            is_broken: false,
            from_client: Way::default(),
            from_server: Way::default(),
        }
    }

    /// Bytes set out from this side.
    pub(super) fn send(&mut self, now: Duration, from: Side, bytes: &[u8]) {
        let breaks = self.breaks.filter(|(side, _)| *side == from).map(|(_, octets)| octets);
        let arrives = now + self.latency;
        let way = self.way(from);
        way.octets += bytes.len() as u64;
        way.pieces.push_back((arrives, bytes.to_vec()));
        if breaks.is_some_and(|octets| way.octets >= octets) {
            self.is_broken = true;
        }
    }

    /// This side closes.
    pub(super) fn close(&mut self, now: Duration, from: Side) {
        let arrives = now + self.latency;
        self.way(from).end.get_or_insert(arrives);
    }

    /// Whether nothing gets through any more. What was under way is lost.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// When something arrives next.
    pub(super) fn next(&self) -> Option<Duration> {
        [&self.from_client, &self.from_server].into_iter().filter_map(Way::next).min()
    }

    /// What has arrived from this side, or its end.
    pub(super) fn arrived(&mut self, now: Duration, from: Side) -> Option<Option<Vec<u8>>> {
        if self.is_broken || self.way(from).next().is_none_or(|next| next > now) {
            return None;
        }
        let most = match in_turn(&self.cuts, &mut self.cut) {
            None | Some(0) => usize::MAX,
            Some(cut) => cut.into(),
        };
        let way = self.way(from);
        let mut bytes = Vec::new();
        while let Some((arrives, piece)) = way.pieces.front_mut()
            && *arrives <= now
            && bytes.len() < most
        {
            let rest = piece.split_off(piece.len().min(most - bytes.len()));
            bytes.append(piece);
            *piece = rest;
            if piece.is_empty() {
                way.pieces.pop_front();
            }
        }
        if bytes.is_empty() {
            way.has_ended = true;
            return Some(None);
        }
        Some(Some(bytes))
    }

    fn way(&mut self, from: Side) -> &mut Way {
        match from {
            Side::Client => &mut self.from_client,
            Side::Server => &mut self.from_server,
        }
    }
}

impl Way {
    fn next(&self) -> Option<Duration> {
        match self.pieces.front() {
            Some((arrives, _)) => Some(*arrives),
            None => self.end.filter(|_| !self.has_ended),
        }
    }
}
