//! A connection that somebody else has opened.

use std::time::Duration;

use okuru_core::client::{Body, Config, Connection, Envelope, Event, Message, Output, Summary, Tls};
use okuru_core::syntax::{Capabilities, ForwardPath, Inspection, MailParameters, Reply};

const CONTENT: &[u8] = b"Subject: hello\r\n\r\n";
const NOW: Duration = Duration::ZERO;

#[test]
fn it_is_ready_at_once_and_uses_what_is_offered() {
    let hello = Reply::parse(b"250-example.org\r\n250-PIPELINING\r\n250 SIZE 1000\r\n").unwrap();
    let mut connection = adopt(Capabilities::from_reply(&hello));
    let said = ["MAIL FROM:<> SIZE=18\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n", "Subject: hello\r\n\r\n.\r\n"];
    let answers = ["250 ok\r\n250 ok\r\n354 go on\r\n", "250 taken\r\n"];
    for (said, answer) in said.into_iter().zip(answers) {
        assert_eq!(drain(&mut connection), (said.to_owned(), None));
        connection.receive(NOW, answer.as_bytes());
    }
    assert_eq!(drain(&mut connection), (String::new(), Some(Summary::Accepted)));
    assert!(connection.is_idle());
}

#[test]
fn after_helo_it_says_one_command_at_a_time() {
    let mut connection = adopt(Capabilities::default());
    for said in ["MAIL FROM:<>\r\n", "RCPT TO:<bob@example.org>\r\n", "DATA\r\n"] {
        assert_eq!(drain(&mut connection), (said.to_owned(), None));
        connection.receive(NOW, b"250 ok\r\n");
    }
    assert!(connection.is_closed(), "250 is no answer to DATA");
}

fn adopt(capabilities: Capabilities) -> Connection {
    let config = Config { tls: Tls::None, ..Config::new("example.org", "example.com".parse().unwrap()) };
    let mut connection = Connection::adopt(config, capabilities, None);
    assert!(connection.is_ready());
    let envelope = Envelope {
        reverse_path: "<>".parse().unwrap(),
        parameters: MailParameters::default(),
        recipients: vec!["<bob@example.org>".parse::<ForwardPath>().unwrap().into()],
    };
    connection.submit(Message::new(envelope, Body::Whole(Inspection::of(CONTENT))));
    connection
}

/// What it says until it waits, and what became of the message, if that is told.
fn drain(connection: &mut Connection) -> (String, Option<Summary>) {
    let (mut said, mut told) = (Vec::new(), None);
    loop {
        match connection.poll(NOW) {
            Output::Write(bytes) => said.extend(bytes),
            Output::WriteBody { range, .. } => said.extend(&CONTENT[range.start as usize..range.end as usize]),
            Output::Event(Event::Finished(outcome)) => told = Some(outcome.summary()),
            Output::Event(_) => {}
            Output::Wait { .. } | Output::Closed(_) => break,
            other => panic!("{other:?}"),
        }
    }
    connection.written(NOW, said.len() as u64);
    (String::from_utf8(said).unwrap(), told)
}
