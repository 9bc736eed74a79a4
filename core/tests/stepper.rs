//! A mailer in few calls: what its host writes, and how often it has to ask.

use std::sync::Arc;
use std::time::Duration;

use okuru_core::client::{self, Body, Envelope, Message, Summary, Tls};
use okuru_core::delivery::mailer::{Config, ConnectionId, Endpoint, Opened, Output, Server};
use okuru_core::delivery::stepper::{Piece, Step, Write};
use okuru_core::delivery::{Mailer, Stepper};
use okuru_core::syntax::{ForwardPath, Inspection, MailParameters};

const NOW: Duration = Duration::ZERO;

fn message(recipients: usize, content: &[u8]) -> Message {
    let path = |number| format!("<bob{number}@example.org>").parse::<ForwardPath>().unwrap().into();
    let envelope = Envelope {
        reverse_path: "<ann@example.com>".parse().unwrap(),
        parameters: MailParameters::default(),
        recipients: (0..recipients).map(path).collect(),
    };
    Message::new(envelope, Body::Whole(Inspection::of(content)))
}

/// A stepper whose connection is open, and has heard EHLO's reply.
fn stepper() -> (Stepper<Vec<u8>>, ConnectionId) {
    let name: Arc<str> = "relay.example".into();
    let client =
        client::Config { tls: Tls::None, ..client::Config::new("relay.example", "me.example".parse().unwrap()) };
    let endpoint = Endpoint::Host { name: "relay.example".into(), port: 25, addresses: Vec::new() };
    let server = Server {
        name,
        endpoint: Arc::new(endpoint),
        client,
        ehlo: Some("me.example".parse().unwrap()),
        log_in: None,
        policy: None,
    };
    (Stepper::new(Mailer::new(Config::relay(server, 1), 7)), ConnectionId(0))
}

fn begin(stepper: &mut Stepper<Vec<u8>>, connection: ConnectionId) -> Step {
    assert!(matches!(stepper.step(NOW).asks.as_slice(), [Output::Open { .. }]));
    stepper.mailer().opened(NOW, connection, &Opened { local: None, nonce: [0; 24] });
    assert!(stepper.step(NOW).writes.is_empty());
    stepper.mailer().receive(NOW, connection, b"220 hello\r\n");
    assert_eq!(said(&stepper.step(NOW)), "EHLO me.example\r\n");
    answer(stepper, connection, "250-relay.example\r\n250 PIPELINING\r\n")
}

/// What is handed in together: everything was written, and this has come.
fn answer(stepper: &mut Stepper<Vec<u8>>, connection: ConnectionId, replies: &str) -> Step {
    stepper.mailer().written(NOW, connection, u64::MAX);
    stepper.mailer().receive(NOW, connection, replies.as_bytes());
    stepper.step(NOW)
}

/// What is to be written in one write, all of it joined.
fn said(step: &Step) -> &str {
    match step.writes.as_slice() {
        [Write { pieces, length, .. }] => match pieces.as_slice() {
            [Piece::Bytes(bytes)] if bytes.len() as u64 == *length => std::str::from_utf8(bytes).unwrap(),
            pieces => panic!("{pieces:?}"),
        },
        writes => panic!("{writes:?}"),
    }
}

#[test]
fn a_message_costs_one_step_and_one_write_whatever_its_recipients() {
    const MESSAGES: usize = 10;
    const RECIPIENTS: usize = 50;
    let content = b"Subject: hello\r\n\r\n.hidden\r\n";
    let (mut stepper, connection) = stepper();
    for _ in 0..MESSAGES {
        stepper.submit(NOW, message(RECIPIENTS, content), Some(content.to_vec())).unwrap();
    }
    let step = begin(&mut stepper, connection);
    assert!(said(&step).starts_with("MAIL FROM:<ann@example.com>\r\nRCPT TO:<bob0@example.org>\r\n"));
    assert!(said(&step).ends_with("RCPT TO:<bob49@example.org>\r\nDATA\r\n"));
    let envelope = format!("{}354 go on\r\n", "250 ok\r\n".repeat(RECIPIENTS + 1));
    let mut replies = envelope.clone();
    let mut ended = 0;
    for turn in 0..=MESSAGES {
        let step = answer(&mut stepper, connection, &replies);
        assert!(step.asks.is_empty() && step.events.is_empty(), "{step:?}");
        for outcome in &step.outcomes {
            assert_eq!((outcome.message.0, outcome.summary()), (ended, Summary::Accepted));
            ended += 1;
        }
        if turn < MESSAGES {
            assert!(said(&step).starts_with("Subject: hello\r\n\r\n..hidden\r\n.\r\n"));
        }
        let next = if turn + 1 < MESSAGES { envelope.as_str() } else { "" };
        replies = format!("250 taken\r\n{next}");
    }
    assert_eq!(ended, MESSAGES as u64);
}

#[test]
fn large_content_stays_with_the_host_and_is_gathered_within_bounds() {
    // Every line wants a dot, so that all of it is looked at, and copied.
    let dotted = b".\r\n".repeat(1 << 20);
    let (mut stepper, connection) = stepper();
    stepper.submit(NOW, message(1, &dotted), Some(dotted.clone())).unwrap();
    begin(&mut stepper, connection);
    let mut step = answer(&mut stepper, connection, "250 ok\r\n250 ok\r\n354 go on\r\n");
    let mut sent: Vec<u8> = Vec::new();
    while let [write] = step.writes.as_slice() {
        assert!(write.length < 2 << 20, "{}", write.length);
        for piece in &write.pieces {
            match piece {
                Piece::Bytes(bytes) => sent.extend(bytes),
                Piece::Content { range, .. } => {
                    sent.extend_from_slice(&dotted[range.start as usize..range.end as usize]);
                }
            }
        }
        step = answer(&mut stepper, connection, "");
    }
    assert!(sent == [b"..\r\n".repeat(1 << 20).as_slice(), b".\r\n"].concat());

    // Nothing has to be added: it is handed back as one range.
    let plain = [b'x'; 998].iter().chain(b"\r\n").copied().cycle().take(1 << 20).collect::<Vec<_>>();
    let plain = [&plain[..], b"\r\n"].concat();
    let id = stepper.submit(NOW, message(1, &plain), Some(plain.clone())).unwrap();
    assert_eq!(answer(&mut stepper, connection, "250 taken\r\n").outcomes.len(), 1);
    let step = answer(&mut stepper, connection, "250 ok\r\n250 ok\r\n354 go on\r\n");
    let [Piece::Content { message, range }, Piece::Bytes(end)] = step.writes[0].pieces.as_slice() else {
        panic!("{step:?}")
    };
    assert_eq!((*message, range.clone(), end.as_slice()), (id, 0..plain.len() as u64, &b".\r\n"[..]));
}
