//! Both clients behind one face, and every way in which they can be told to send.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream;
use okuru::{Chunking, Error, Message, Options, Outcome, Pipelining, Query, Reply, ServerInfo, Trace, blocking};
use tokio::runtime::{self, Runtime};

/// Options for a server, with patience for a machine that has other things to do, but not for ever.
pub(crate) fn options(url: &str) -> Options {
    let patience = Duration::from_secs(30);
    let options = Options::new(url).expect("the URLs of the tests are right");
    options.connect_timeout(patience).reply_timeout(patience).deadline(2 * patience)
}

/// Which client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Blocking,
    Tokio,
}

pub(crate) const BOTH: [Kind; 2] = [Kind::Blocking, Kind::Tokio];

/// A way of sending.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) kind: Kind,
    pub(crate) level: Pipelining,
    pub(crate) chunking: Chunking,
}

impl Way {
    /// A client that sends in this way.
    pub(crate) fn client(self, options: Options) -> Client {
        Client::new(self.kind, options.pipelining(self.level).chunking(self.chunking))
    }

    /// Whether content goes by BDAT, to a server that offers it with PIPELINING.
    pub(crate) fn prefers_bdat(self) -> bool {
        self.chunking == Chunking::Prefer
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} client, level {:?}, chunking {:?}", self.kind, self.level, self.chunking)
    }
}

/// Every level of pipelining, DATA and BDAT, either client.
pub(crate) fn all_ways() -> impl Iterator<Item = Way> {
    let levels = [Pipelining::None, Pipelining::Message, Pipelining::Session, Pipelining::Streaming];
    let chunkings = [Chunking::Never, Chunking::Prefer];
    levels.into_iter().flat_map(move |level| {
        chunkings.into_iter().flat_map(move |chunking| BOTH.map(|kind| Way { kind, level, chunking }))
    })
}

/// Either client.
pub(crate) enum Client {
    Blocking(Box<blocking::Client>),
    Tokio(Box<okuru::Client>, Runtime),
}

impl Client {
    pub(crate) fn new(kind: Kind, options: Options) -> Self {
        match kind {
            Kind::Blocking => Self::Blocking(Box::new(blocking::Client::new(options))),
            Kind::Tokio => {
                let runtime = runtime::Builder::new_current_thread().enable_all().build();
                Self::Tokio(Box::new(okuru::Client::new(options)), runtime.expect("a runtime can be had"))
            }
        }
    }

    pub(crate) fn connect(&mut self) -> Result<ServerInfo, Error> {
        match self {
            Self::Blocking(client) => client.connect().cloned(),
            Self::Tokio(client, runtime) => runtime.block_on(client.connect()).cloned(),
        }
    }

    pub(crate) fn send(&mut self, message: Message) -> Outcome {
        match self {
            Self::Blocking(client) => client.send(message),
            Self::Tokio(client, runtime) => runtime.block_on(client.send(message)),
        }
    }

    /// The outcomes, in the order of the messages.
    pub(crate) fn send_many(&mut self, messages: Vec<Message>) -> Vec<Outcome> {
        self.send_many_and(messages, |_| {})
    }

    /// Like [`send_many`](Self::send_many); `told` is told how many outcomes there have been, after each.
    pub(crate) fn send_many_and(&mut self, messages: Vec<Message>, mut told: impl FnMut(usize)) -> Vec<Outcome> {
        let count = messages.len();
        let mut outcomes = Vec::with_capacity(count);
        let mut keep = |outcome| {
            outcomes.push(outcome);
            told(outcomes.len());
        };
        match self {
            Self::Blocking(client) => client.send_many(messages).for_each(&mut keep),
            Self::Tokio(client, runtime) => runtime.block_on(async {
                let mut outcomes = client.send_many(stream::iter(messages));
                while let Some(outcome) = outcomes.next().await {
                    keep(outcome);
                }
            }),
        }
        outcomes.sort_by_key(|outcome| outcome.message);
        let numbers: Vec<u64> = outcomes.iter().map(|outcome| outcome.message.0).collect();
        assert_eq!(numbers, (0..count as u64).collect::<Vec<_>>(), "each message has one outcome");
        outcomes
    }

    pub(crate) fn command(&mut self, query: Query) -> Result<Reply, Error> {
        match self {
            Self::Blocking(client) => client.command(query),
            Self::Tokio(client, runtime) => runtime.block_on(client.command(query)),
        }
    }

    pub(crate) fn close(&mut self) {
        match self {
            Self::Blocking(client) => client.close(),
            Self::Tokio(client, runtime) => runtime.block_on(client.close()),
        }
    }
}

/// The dialogue, as the client traces it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dialogue(Arc<Mutex<Vec<Trace>>>);

impl Dialogue {
    /// Listens to a client with these options.
    pub(crate) fn of(&self, options: Options) -> Options {
        let lines = Arc::clone(&self.0);
        options.trace(move |line| lines.lock().expect("nobody panics while holding it").push(line.clone()))
    }

    /// How many commands begin with this verb.
    pub(crate) fn count(&self, verb: &str) -> usize {
        let lines = self.0.lock().expect("nobody panics while holding it");
        let is_one = |line: &&Trace| matches!(line, Trace::Sent(line) if line.split(' ').next() == Some(verb));
        lines.iter().filter(is_one).count()
    }

    /// Everything, as text.
    pub(crate) fn text(&self) -> String {
        let lines = self.0.lock().expect("nobody panics while holding it");
        lines.iter().map(|line| format!("{line:?}\n")).collect()
    }
}
