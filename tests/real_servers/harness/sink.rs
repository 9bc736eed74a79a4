//! A receiver of our own, on an address of loopback.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use okuru::Reply;
use okuru::server::{
    Answer, Config, Endpoint, Handler, MessageId, Received, Recipient, RelayPolicy, Running, Server, Visit,
};

/// How a receiver takes mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// All of it.
    Kind,
    /// From those who come back.
    Greylisting,
    /// From nobody it has on its list, which is everybody.
    Listing,
}

/// A receiver that keeps what it takes.
pub(crate) struct Sink {
    desk: Desk,
    _running: Running,
}

/// The recipients of a message, and its content.
type Taken = (Vec<String>, Vec<u8>);

#[derive(Clone)]
struct Desk {
    manner: Manner,
    known: Arc<Mutex<HashSet<String>>>,
    taken: Arc<Mutex<Vec<Taken>>>,
}

impl Sink {
    /// Listens, in the runtime that this is called in.
    pub(crate) async fn start(address: SocketAddr, manner: Manner) -> Self {
        let desk = Desk { manner, known: Arc::default(), taken: Arc::default() };
        let mut config = Config::new("sink.test".parse().expect("a name"));
        config.relay = RelayPolicy { dangerously_for_anyone: true, ..RelayPolicy::default() };
        config.asks.connect = manner == Manner::Listing;
        let endpoint = Endpoint::bind(address, config).await.unwrap_or_else(|error| panic!("{address}: {error}"));
        let running = Server::new(desk.clone()).endpoint(endpoint).start().expect("it can start");
        Self { desk, _running: running }
    }

    /// The recipients and the content of each message that was taken.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.desk.taken.lock().expect("nobody panics while holding it").clone()
    }
}

impl Handler for Desk {
    type Store = Vec<u8>;

    async fn connect(&self, _: &Visit) -> Answer {
        match self.manner {
            Manner::Listing => Answer::Reply(reply("554 5.7.1 your address is on a list\r\n")),
            _ => Answer::Accept,
        }
    }

    async fn forward_path(&self, _: &Visit, recipient: &Recipient) -> Answer {
        let is_new = || self.known.lock().expect("nobody panics while holding it").insert(recipient.path.to_string());
        match self.manner {
            Manner::Greylisting if is_new() => Answer::Reply(reply("450 4.7.1 come back later\r\n")),
            _ => Answer::Accept,
        }
    }

    async fn store(&self, _: &Visit, _: MessageId) -> Result<Vec<u8>, Reply> {
        Ok(Vec::new())
    }

    async fn message(&self, _: &Visit, received: Received, content: Vec<u8>) -> Answer {
        let recipients = received.envelope.recipients.iter().map(|recipient| recipient.path.to_string());
        self.taken.lock().expect("nobody panics while holding it").push((recipients.collect(), content));
        Answer::Accept
    }
}

fn reply(text: &str) -> Reply {
    Reply::parse(text.as_bytes()).expect("a reply")
}
