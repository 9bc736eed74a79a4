//! What okuru's runners share.

use std::str::FromStr;
use std::sync::Arc;

use okuru::{Message, Options, Pipelining, Summary, Tls};

use crate::job::{Job, Outcome};
use crate::message::{RECIPIENT, SENDER};

/// A level of pipelining, by its name.
#[derive(Clone, Copy, Debug)]
pub struct Level(Pipelining);

impl FromStr for Level {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Ok(Self(match name {
            "none" => Pipelining::None,
            "message" => Pipelining::Message,
            "session" => Pipelining::Session,
            "streaming" => Pipelining::Streaming,
            _ => return Err(format!("{name:?} is no level of pipelining")),
        }))
    }
}

/// How to reach the sink.
pub fn options(job: &Job, level: Level) -> Outcome<Arc<Options>> {
    Ok(Arc::new(Options::new(&format!("smtp://{}", job.addr))?.tls(Tls::None).pipelining(level.0)))
}

/// The messages of one connection, all the same.
pub fn messages(job: &Job, connection: usize) -> Outcome<impl Iterator<Item = Message> + Send + 'static> {
    let message = Message::new(SENDER, [RECIPIENT], job.content.clone())?;
    let again = move |_| message.try_clone().expect("content in memory can be sent again");
    Ok((0..job.share(connection)).map(again))
}

/// An error for anything but a message that was accepted.
pub fn check(outcome: &okuru::Outcome) -> Outcome {
    match outcome.summary() {
        Summary::Accepted => Ok(()),
        summary => Err(format!("a message was {summary}: {:?}", outcome.error).into()),
    }
}
