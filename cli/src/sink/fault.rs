//! What can be made to go wrong.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use okuru_core::syntax::{EnhancedCode, Reply, ReplyCode};

/// Something that goes wrong, every so often.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) what: What,
    /// Where it happens.
    pub(crate) stage: Stage,
    /// Every which time.
    every: u64,
    times: Arc<AtomicU64>,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Refuse,
    Defer,
    /// By a 421, and the connection closes.
    Unavailable,
    Close,
    Delay(Duration),
    /// The first time that somebody writes to somebody; also later, as long as so much time has not passed since then.
    Greylist(Duration),
    SomeRecipients,
    TooManyRecipients {
        allowed: u64,
    },
    OverQuota,
    /// The message is stored, and nobody is told.
    LoseReply,
    /// So much time lies between two octets that we say.
    Dribble(Duration),
    DropStarttls,
    InjectBeforeTls,
    WrongCertificate,
}

/// Where something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Connect,
    Ehlo,
    Starttls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Content,
    Quit,
}

const STAGES: [(&str, Stage); 9] = [
    ("connect", Stage::Connect),
    ("ehlo", Stage::Ehlo),
    ("starttls", Stage::Starttls),
    ("auth", Stage::Auth),
    ("mail", Stage::Mail),
    ("rcpt", Stage::Rcpt),
    ("data", Stage::Data),
    ("content", Stage::Content),
    ("quit", Stage::Quit),
];

impl Fault {
    /// Whether it is time. Asked once for each time that it could happen.
    pub(crate) fn strikes(&self) -> bool {
        (self.times.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(self.every)
    }

    /// Whether it matters the how manyth recipient one is.
    pub(crate) fn counts_recipients(&self) -> bool {
        matches!((self.what, self.stage), (What::SomeRecipients | What::TooManyRecipients { .. }, Stage::Rcpt))
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (rest, every) = match text.split_once(':') {
            Some((rest, every)) => (rest, every.parse().ok().filter(|every| *every > 0).ok_or("EVERY counts from 1")?),
            None => (text, 1),
        };
        let (rest, stage) = match rest.split_once('@') {
            Some((rest, stage)) => (rest, Some(stage_named(stage)?)),
            None => (rest, None),
        };
        let (name, value) = match rest.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (rest, None),
        };
        let (what, usual, allowed) = what_named(name, value)?;
        let stage = stage.unwrap_or(usual);
        if !allowed.contains(&stage) {
            return Err(format!("{name} can't happen at {stage}"));
        }
        Ok(Self { what, stage, every, times: Arc::default() })
    }
}

fn stage_named(name: &str) -> Result<Stage, String> {
    let found = STAGES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, stage)| *stage).ok_or_else(|| format!("{name:?} is no stage"))
}

/// What it is, where it happens if nothing is said, and where it can happen.
fn what_named(name: &str, value: Option<&str>) -> Result<(What, Stage, &'static [Stage]), String> {
    use Stage::{Auth, Connect, Content, Data, Ehlo, Mail, Quit, Rcpt, Starttls};
    const ALL: &[Stage] = &[Connect, Ehlo, Starttls, Auth, Mail, Rcpt, Data, Content, Quit];
    let seconds = |usual: f64| match value {
        None => Some(Duration::from_secs_f64(usual)),
        Some(text) => text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    };
    let seconds = |usual: f64| seconds(usual).ok_or_else(|| format!("{name} takes a number of seconds"));
    let found: (_, _, &[_]) = match name {
        "refuse" => (What::Refuse, Rcpt, ALL),
        "defer" => (What::Defer, Rcpt, ALL),
        "421" => (What::Unavailable, Mail, ALL),
        "close" => (What::Close, Content, ALL),
        "delay" => return Ok((What::Delay(seconds(2.0)?), Content, ALL)),
        "greylist" => return Ok((What::Greylist(seconds(0.0)?), Rcpt, &[Rcpt])),
        "dribble" => return Ok((What::Dribble(seconds(0.05)?), Connect, &[Connect])),
        "some-recipients" => (What::SomeRecipients, Rcpt, &[Rcpt, Content]),
        "too-many-recipients" => {
            let allowed = value.map_or(Some(1), |value| value.parse().ok());
            let allowed = allowed.ok_or("too-many-recipients takes a number")?;
            return Ok((What::TooManyRecipients { allowed }, Rcpt, &[Rcpt]));
        }
        "over-quota" => (What::OverQuota, Rcpt, &[Rcpt, Content]),
        "lose-reply" => (What::LoseReply, Content, &[Content]),
        "drop-starttls" => (What::DropStarttls, Connect, &[Connect]),
        "inject-before-tls" => (What::InjectBeforeTls, Connect, &[Connect]),
        "wrong-certificate" => (What::WrongCertificate, Connect, &[Connect]),
        _ => return Err(format!("{name:?} is no fault")),
    };
    if value.is_some() {
        return Err(format!("{name} takes no value"));
    }
    Ok(found)
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = STAGES.iter().find(|(_, stage)| stage == self).map(|(name, _)| *name);
        f.write_str(name.unwrap_or_default())
    }
}

impl Stage {
    /// What is said where this is refused.
    pub(crate) fn refusal(self) -> Reply {
        match self {
            Self::Connect => plain(554, "No SMTP service for you here"),
            Self::Ehlo => plain(550, "Not with that name"),
            Self::Starttls => reply(554, 7, 0, "No TLS for you"),
            Self::Auth => reply(535, 7, 8, "Authentication credentials invalid"),
            Self::Rcpt => reply(550, 1, 1, "No such user here"),
            Self::Mail | Self::Data | Self::Content | Self::Quit => {
                reply(554, 7, 1, "Refused, as this sink was told to")
            }
        }
    }

    /// What is said where this is deferred.
    pub(crate) fn deferral(self) -> Reply {
        match self {
            Self::Connect => plain(450, "Not now"),
            Self::Ehlo => plain(451, "Not now"),
            Self::Starttls => reply(454, 7, 0, "TLS not available due to temporary reason"),
            Self::Auth => reply(454, 7, 0, "Temporary authentication failure"),
            Self::Rcpt => reply(450, 2, 1, "Mailbox busy, try again later"),
            Self::Mail | Self::Data | Self::Content | Self::Quit => {
                reply(451, 7, 1, "Deferred, as this sink was told to")
            }
        }
    }
}

/// A reply with an enhanced code of the same class.
pub(crate) fn reply(code: u16, subject: u16, detail: u16, text: &str) -> Reply {
    let class = u8::try_from(code / 100).unwrap_or(4);
    Reply::new(reply_code(code), Some(EnhancedCode { class, subject, detail }), text)
}

fn plain(code: u16, text: &str) -> Reply {
    Reply::new(reply_code(code), None, text)
}

fn reply_code(code: u16) -> ReplyCode {
    ReplyCode::new(code).expect("only codes are written in this program")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::help::SINK_END;

    #[test]
    fn faults() {
        let seconds = Duration::from_secs_f64;
        for (text, what, stage, every) in [
            ("refuse", What::Refuse, Stage::Rcpt, 1),
            ("refuse@Mail:3", What::Refuse, Stage::Mail, 3),
            ("defer@quit", What::Defer, Stage::Quit, 1),
            ("421@connect", What::Unavailable, Stage::Connect, 1),
            ("close:2", What::Close, Stage::Content, 2),
            ("delay", What::Delay(seconds(2.0)), Stage::Content, 1),
            ("delay=0.5@rcpt:7", What::Delay(seconds(0.5)), Stage::Rcpt, 7),
            ("greylist=60", What::Greylist(seconds(60.0)), Stage::Rcpt, 1),
            ("too-many-recipients=5", What::TooManyRecipients { allowed: 5 }, Stage::Rcpt, 1),
            ("some-recipients@content", What::SomeRecipients, Stage::Content, 1),
            ("dribble=0.01:2", What::Dribble(seconds(0.01)), Stage::Connect, 2),
            ("lose-reply", What::LoseReply, Stage::Content, 1),
        ] {
            let fault: Fault = text.parse().unwrap();
            assert_eq!((fault.what, fault.stage, fault.every), (what, stage, every), "{text}");
        }
        for text in [
            "",
            "refused",
            "refuse@",
            "refuse@noon",
            "refuse:0",
            "refuse:x",
            "refuse=1",
            "delay=x",
            "delay=-1",
            "lose-reply@mail",
            "greylist@content",
            "dribble@mail",
            "too-many-recipients=x",
            "over-quota@mail",
        ] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_third_time() {
        let fault: Fault = "refuse:3".parse().unwrap();
        let struck: Vec<_> = (0..7).map(|_| fault.strikes()).collect();
        assert_eq!(struck, [false, false, true, false, false, true, false]);
    }

    #[test]
    fn the_list_has_each_fault() {
        for line in SINK_END
            .lines()
            .take_while(|line| !line.starts_with("Examples"))
            .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        {
            let name = line.trim_start().split([' ', '[']).next().unwrap();
            assert!(name.parse::<Fault>().is_ok(), "{name}");
        }
    }
}
