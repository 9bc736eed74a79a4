//! Servers as they are: good, busy, greylisting, dying and coming back.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::random::Random;

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) nature: Nature,
    pub(crate) is_up: bool,
    pub(crate) connections: u32,
    /// When each recipient of each message was seen first, for greylisting.
    seen: BTreeMap<(u64, u32), Duration>,
}

/// How a server behaves. What is `None` or 0 does not happen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nature {
    /// How long a message takes, in milliseconds.
    pub(crate) pace: u64,
    /// Deferred when seen for the first time, and for so long.
    pub(crate) greylists: Option<Duration>,
    /// So many in a hundred messages are deferred as a whole.
    pub(crate) defers: u64,
    /// So many in a hundred recipients are deferred, or refused.
    pub(crate) defers_recipients: u64,
    pub(crate) refuses_recipients: u64,
    /// So many in a thousand messages never get an answer.
    pub(crate) stalls: u64,
    /// It is up and down for about so long.
    pub(crate) lives: Option<(Duration, Duration)>,
    /// It is never up.
    pub(crate) is_dead: bool,
    /// More connections are refused with 421.
    pub(crate) most_connections: Option<u32>,
    /// A session is closed with 421 after so many messages.
    pub(crate) most_messages: Option<u32>,
    /// A session is closed when it has been idle for so long.
    pub(crate) idle: Option<Duration>,
}

impl Nature {
    pub(crate) fn is_healthy(&self) -> bool {
        let Self {
            pace,
            greylists,
            defers,
            defers_recipients,
            stalls,
            lives,
            is_dead,
            most_connections,
            most_messages,
            ..
        } = self;
        *pace < 1000
            && greylists.is_none()
            && *defers + *defers_recipients + *stalls == 0
            && lives.is_none()
            && !is_dead
            && most_connections.is_none()
            && most_messages.is_none()
    }

    pub(crate) fn draw(random: &mut Random) -> Self {
        let plain = Self { pace: 5 + random.below(100), ..Self::default() };
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        match random.below(14) {
            0 => Self { greylists: Some(minutes(5)), ..plain },
            1 => Self { defers: 20, ..plain },
            2 => Self { defers_recipients: 15, refuses_recipients: 10, ..plain },
            3 => Self { stalls: 20, ..plain },
            4 => Self { lives: Some((minutes(4), minutes(2))), ..plain },
            5 => Self { lives: Some((minutes(60), minutes(90))), stalls: 3, ..plain },
            6 if random.per_cent(30) => Self { is_dead: true, ..plain },
            7 => Self { most_connections: Some(1 + random.below(3) as u32), ..plain },
            8 => Self { most_messages: Some(1 + random.below(7) as u32), ..plain },
            9 => Self { idle: Some(Duration::from_secs(2 + random.below(20))), ..plain },
            10 => Self { pace: 20_000, ..plain },
            11 => Self { refuses_recipients: 30, ..plain },
            _ => plain,
        }
    }
}

/// What a server says to one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Take,
    Grey,
    Defer,
    Refuse,
}

impl Server {
    pub(crate) fn new(nature: Nature) -> Self {
        Self { is_up: !nature.is_dead, nature, connections: 0, seen: BTreeMap::new() }
    }

    pub(crate) fn verdict(&mut self, now: Duration, random: &mut Random, message: u64, recipient: u32) -> Verdict {
        if let Some(time) = self.nature.greylists {
            let seen = *self.seen.entry((message, recipient)).or_insert(now);
            if now < seen + time {
                return Verdict::Grey;
            }
        }
        if random.per_cent(self.nature.refuses_recipients) {
            Verdict::Refuse
        } else if random.per_cent(self.nature.defers_recipients) {
            Verdict::Defer
        } else {
            Verdict::Take
        }
    }
}
