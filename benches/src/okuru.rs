//! What both of okuru's runners have in common.

use std::sync::Arc;

use bytes::Bytes;
use okuru::{Chunking, Message, Options, Pipelining, Tls};
use pico_args::Arguments;

use crate::job::{Job, Outcome};
use crate::message::{RECIPIENT, SENDER};

/// How okuru is to send: `--level none|message|session|streaming`, and `--bdat` for content by BDAT at any level.
#[derive(Clone, Debug)]
pub struct Sending {
    level: Pipelining,
    chunking: Chunking,
}

impl Sending {
    pub fn parse(args: &mut Arguments) -> Outcome<Self> {
        let level = match args.value_from_str::<_, String>("--level")?.as_str() {
            "none" => Pipelining::None,
            "message" => Pipelining::Message,
            "session" => Pipelining::Session,
            "streaming" => Pipelining::Streaming,
            other => return Err(format!("unknown level {other:?}").into()),
        };
        Ok(Self { level, chunking: if args.contains("--bdat") { Chunking::Prefer } else { Chunking::Auto } })
    }

    pub fn options(&self, job: &Job) -> Outcome<Options> {
        let options = Options::new(&format!("smtp://{}", job.addr))?.tls(Tls::None).ehlo_name("client.bench.test")?;
        Ok(options.pipelining(self.level).chunking(self.chunking))
    }

    /// So many times the same message; its content is not copied.
    pub fn messages(&self, job: &Job, count: usize) -> Outcome<impl Iterator<Item = Message> + 'static> {
        let content = Bytes::from(job.content.clone());
        let envelope = Arc::clone(Message::new(SENDER, [RECIPIENT], "")?.envelope());
        Ok((0..count).map(move |_| Message::with_envelope(Arc::clone(&envelope), content.clone())))
    }
}
