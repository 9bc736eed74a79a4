//! What `tracing` is told.
#![cfg(all(feature = "tracing", feature = "blocking"))]

mod support;

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use okuru::{Options, Summary, Tls, blocking::Client};
use support::{ClosedPort, message, sink};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps everything that it is told, one event a line.
struct Notes(Arc<Mutex<String>>);

impl Subscriber for Notes {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("okuru") && *metadata.level() <= Level::TRACE
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = format!("{}", event.metadata().level());
        event.record(&mut Fields(&mut line));
        let mut notes = self.0.lock().unwrap();
        notes.push_str(&line);
        notes.push('\n');
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

#[test]
fn connections_outcomes_and_the_dialogue_without_secrets() {
    let (address, _received) = sink(&["AUTH PLAIN"]);
    let options = Options::new(&format!("smtp://me:hunter2@{address}")).unwrap().tls(Tls::None);
    let notes = Arc::new(Mutex::new(String::new()));
    tracing::subscriber::with_default(Notes(Arc::clone(&notes)), || {
        let mut client = Client::new(options.dangerously_allow_plaintext_auth(true));
        assert_eq!(client.send(message("hi\r\n")).summary(), Summary::Accepted);
        client.close();
        let closed = ClosedPort::new();
        let mut client = Client::new(Options::new(&closed.url()).unwrap());
        assert_eq!(client.send(message("hi\r\n")).summary(), Summary::Deferred);
    });
    let notes = notes.lock().unwrap();
    for part in [
        "DEBUG message=connected address=",
        "DEBUG message=ready address=",
        "mechanism=\"PLAIN\"",
        "DEBUG message=outcome number=0 summary=accepted recipients=1 queue_id=\"4XyZ12\"",
        "TRACE message=C: MAIL FROM:<jones@foo.com>",
        "TRACE message=C: (4 octets of content)",
        "TRACE message=S: 354 go",
        "code=\"connect.refused\"",
        "summary=deferred",
    ] {
        assert!(notes.contains(part), "{part}:\n{notes}");
    }
    assert!(!notes.contains("hunter2") && !notes.contains("AG1lAGh1bnRlcjI"), "{notes}");
}
