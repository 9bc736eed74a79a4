//! lettre's traits.
#![cfg(feature = "lettre")]

mod support;

use lettre::message::Mailbox;
use lettre::{AsyncTransport as _, Message, Transport as _};
use okuru::lettre::{BlockingTransport, TokioTransport};
use okuru::{ErrorCode, Options, Summary, Tls};
use support::{Peer, listen, sink};

fn email() -> Message {
    let mailbox = |text: &str| text.parse::<Mailbox>().unwrap();
    Message::builder()
        .from(mailbox("Jones <jones@foo.com>"))
        .to(mailbox("brown@bar.com"))
        .cc(mailbox("green@bar.com"))
        .subject("hello")
        .body("one\r\n.two\r\n".to_owned())
        .unwrap()
}

fn options(address: std::net::SocketAddr) -> Options {
    Options::new(&format!("smtp://{address}")).unwrap().tls(Tls::None)
}

#[test]
fn a_message_of_lettre_arrives_as_it_is() {
    let (address, received) = sink(&["PIPELINING"]);
    let transport = BlockingTransport::new(options(address));
    let email = email();
    for _ in 0..2 {
        let outcome = transport.send(&email).unwrap();
        assert_eq!((outcome.summary(), outcome.recipients.len()), (Summary::Accepted, 2));
        assert_eq!(outcome.queue_id(), Some("4XyZ12"));
        assert_eq!(received.recv().unwrap(), email.formatted());
    }
    transport.shutdown();
}

#[tokio::test]
async fn and_with_tokio() {
    let (address, received) = sink(&["PIPELINING"]);
    let transport = TokioTransport::new(options(address));
    let email = email();
    let outcome = transport.send(email.clone()).await.unwrap();
    assert_eq!(outcome.summary(), Summary::Accepted);
    assert_eq!(received.recv().unwrap(), email.formatted());
    transport.shutdown().await;
}

#[test]
fn only_what_nobody_has_accepted_is_an_error() {
    for (second, expected) in [("250 ok\r\n", Ok(Summary::Partial)), ("450 later\r\n", Err(ErrorCode::ReplyRejected))] {
        let address = listen(move |_, stream| {
            let mut peer = Peer::new(stream);
            peer.say("220 hi\r\n");
            peer.expect("EHLO", "250 x\r\n");
            peer.expect("MAIL", "250 ok\r\n");
            peer.expect("RCPT", "550 no\r\n");
            peer.expect("RCPT", second);
            if second.starts_with('2') {
                peer.expect("DATA", "354 go\r\n");
                peer.content().unwrap();
                peer.say("250 ok\r\n");
            }
        });
        let result = BlockingTransport::new(options(address)).send(&email());
        assert_eq!(result.map(|outcome| outcome.summary()).map_err(|error| error.code()), expected);
    }
}
