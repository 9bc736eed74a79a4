//! What can be made to go wrong, in words.

use core::str::FromStr;
use core::time::Duration;

use alloc::format;
use alloc::string::String;

use super::stage::Stage;
use crate::error::{Error, ErrorCode};

/// Something that goes wrong, every so often.
///
/// As text: `NAME[=VALUE][@STAGE][:EVERY]`, such as `refuse@mail:3` or `delay=0.5@rcpt`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    /// What goes wrong.
    pub what: What,
    /// Where it happens.
    pub stage: Stage,
    /// Every which time; 0 is never.
    pub every: u64,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    /// `refuse`: a 5yz.
    Refuse,
    /// `defer`: a 4yz.
    Defer,
    /// `421`: by a 421, and the connection closes.
    Unavailable,
    /// `close`: the connection closes without a word.
    Close,
    /// `delay`: the reply comes so much later.
    Delay(Duration),
    /// `greylist`: the first time that somebody writes to somebody; also later, as long as so much time has not passed since
    /// then.
    Greylist(Duration),
    /// `some-recipients`: every second recipient is refused.
    SomeRecipients,
    /// `too-many-recipients`: those beyond the first.
    TooManyRecipients {
        /// How many are taken.
        allowed: u64,
    },
    /// `over-quota`: a 452.
    OverQuota,
    /// `lose-reply`: the message is stored, and nobody is told.
    LoseReply,
    /// `dribble`: so much time lies between two octets that we say.
    Dribble(Duration),
    /// `drop-starttls`: STARTTLS is not offered, whatever is configured.
    DropStarttls,
    /// `inject-before-tls`: a reply in clear stands behind the one to STARTTLS.
    InjectBeforeTls,
    /// `wrong-certificate`: the certificate is for another name.
    WrongCertificate,
}

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let counted = |every: &str| every.parse().ok().filter(|every| *every > 0);
        let (rest, every) = match text.split_once(':') {
            Some((rest, every)) => (rest, counted(every).ok_or_else(|| usage("EVERY counts from 1"))?),
            None => (text, 1),
        };
        let (rest, stage) = match rest.split_once('@') {
            Some((rest, stage)) => (rest, Some(stage.parse()?)),
            None => (rest, None),
        };
        let (name, value) = match rest.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (rest, None),
        };
        let (what, usual, allowed) = what_named(name, value)?;
        let stage = stage.unwrap_or(usual);
        if !allowed.contains(&stage) {
            return Err(usage(format!("{name} can't happen at {stage}")));
        }
        Ok(Self { what, stage, every })
    }
}

/// What it is, where it happens if nothing is said, and where it can happen.
fn what_named(name: &str, value: Option<&str>) -> Result<(What, Stage, &'static [Stage]), Error> {
    use Stage::{Auth, Connect, Content, Data, Ehlo, Mail, Quit, Rcpt, Starttls};
    const ALL: &[Stage] = &[Connect, Ehlo, Starttls, Auth, Mail, Rcpt, Data, Content, Quit];
    let seconds = |usual: f64| match value {
        None => Some(Duration::from_secs_f64(usual)),
        Some(text) => text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    };
    let seconds = |usual: f64| seconds(usual).ok_or_else(|| usage(format!("{name} takes a number of seconds")));
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
            let allowed = allowed.ok_or_else(|| usage("too-many-recipients takes a number"))?;
            return Ok((What::TooManyRecipients { allowed }, Rcpt, &[Rcpt]));
        }
        "over-quota" => (What::OverQuota, Rcpt, &[Rcpt, Content]),
        "lose-reply" => (What::LoseReply, Content, &[Content]),
        "drop-starttls" => (What::DropStarttls, Connect, &[Connect]),
        "inject-before-tls" => (What::InjectBeforeTls, Connect, &[Connect]),
        "wrong-certificate" => (What::WrongCertificate, Connect, &[Connect]),
        _ => return Err(usage(format!("{name:?} is no fault"))),
    };
    if value.is_some() {
        return Err(usage(format!("{name} takes no value")));
    }
    Ok(found)
}

fn usage(what: impl Into<String>) -> Error {
    Error::new(ErrorCode::Usage, what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
