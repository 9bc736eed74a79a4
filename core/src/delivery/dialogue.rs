//! For tests: what becomes of a message where a server says this.

use core::time::Duration;

use crate::Error;
use crate::client::{Body, Config, Connection, Envelope, Event, Message, Outcome, Output, Tls};
use crate::syntax::{ForwardPath, Inspection, MailParameters};

/// The server's greeting, and its reply to EHLO.
pub(super) const HELLO: [&str; 2] = ["220 hi\r\n", "250-hi\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n"];

const CONTENT: &[u8] = b"hi\r\n";

/// What becomes of a message to two recipients where the server says this, block by block, and then the connection fails or ends.
pub(super) fn outcome(replies: &[&str], error: Option<Error>) -> Outcome {
    let path = |text: &str| text.parse::<ForwardPath>().unwrap().into();
    let envelope = Envelope {
        reverse_path: "<a@a.test>".parse().unwrap(),
        parameters: MailParameters::default(),
        recipients: [path("<b@b.test>"), path("<c@b.test>")].into(),
    };
    let config = Config { tls: Tls::None, ..Config::new("b.test", "a.test".parse().unwrap()) };
    let mut connection = Connection::new(config);
    connection.submit(Message::new(envelope, Body::Whole(Inspection::of(CONTENT))));
    let (mut replies, mut error, now) = (replies.iter(), error, Duration::ZERO);
    loop {
        match connection.poll(now) {
            Output::Event(Event::Finished(outcome)) => return outcome,
            Output::ReadBody { message, offset } => {
                connection.content(now, message, &CONTENT[offset as usize..]);
            }
            Output::Wait { .. } => {
                connection.written(now, u64::MAX);
                match replies.next() {
                    Some(reply) => connection.receive(now, reply.as_bytes()),
                    None => match error.take() {
                        Some(error) => connection.failed(error),
                        None => connection.receive_eof(now),
                    },
                }
            }
            Output::Closed(_) => panic!("no outcome"),
            _ => {}
        }
    }
}
