//! Futures that are dropped, and deadlines.
#![cfg(feature = "tokio")]

mod support;

use std::sync::mpsc::channel;
use std::time::Duration;

use okuru::{Chunking, Client, Content, Message, Options, Pipelining, Summary, Tls};
use support::{Peer, listen, message, sink};
use tokio::time::timeout;

fn client(address: std::net::SocketAddr) -> Client {
    Client::new(Options::new(&format!("smtp://{address}")).unwrap().tls(Tls::None))
}

const SOON: Duration = Duration::from_millis(50);

/// The server says nothing at one step, until the client has given up; then it goes on as ever.
#[tokio::test]
async fn a_dropped_send_leaves_a_session_that_can_be_used() {
    for silent_at in ["EHLO", "MAIL", "RCPT", "DATA", "."] {
        let (sender, received) = channel();
        let (go_on, gone) = channel::<()>();
        let address = listen(move |number, stream| {
            let mut peer = Peer::new(stream);
            let mut silent = Some(silent_at).filter(|_| number == 0);
            peer.say("220 hi\r\n");
            loop {
                let line = peer.line();
                let verb = line.split([' ', ':']).next().unwrap_or_default();
                if silent == Some(verb) {
                    silent = None;
                    gone.recv().unwrap();
                }
                match verb {
                    "" => break,
                    "DATA" => {
                        peer.say("354 go\r\n");
                        let Some(content) = peer.content() else {
                            break;
                        };
                        if silent == Some(".") && !content.is_empty() {
                            silent = None;
                            gone.recv().unwrap();
                        }
                        sender.send(content).unwrap();
                        peer.say("250 queued\r\n");
                    }
                    _ => peer.say("250 ok\r\n"),
                }
            }
        });
        let mut client = client(address);
        assert!(timeout(SOON, client.send(message("first\r\n"))).await.is_err(), "{silent_at}");
        go_on.send(()).unwrap();
        let outcome = timeout(Duration::from_secs(5), client.send(message("second\r\n"))).await.unwrap();
        assert_eq!(outcome.summary(), Summary::Accepted, "{silent_at}: {outcome:?}");
        client.close().await;
        drop(client);
        let received: Vec<_> = received.try_iter().filter(|content| !content.is_empty()).collect();
        let expected: &[&[u8]] = if silent_at == "." { &[b"first\r\n", b"second\r\n"] } else { &[b"second\r\n"] };
        assert_eq!(received, expected, "{silent_at}");
    }
}

#[tokio::test]
async fn a_dropped_send_never_ends_half_a_message() {
    for chunking in [Chunking::Never, Chunking::Prefer] {
        let (address, received) = sink(&["PIPELINING", "CHUNKING"]);
        let (mut feed, content) = tokio::io::duplex(1 << 10);
        let options = Options::new(&format!("smtp://{address}")).unwrap().tls(Tls::None).chunking(chunking);
        let mut client = Client::new(options);
        let half = Message::new("a@b.c", ["d@e.f"], Content::async_reader(content, None)).unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut feed, b"half a message\r\n").await.unwrap();
        assert!(timeout(SOON, client.send(half)).await.is_err());
        let outcome = timeout(Duration::from_secs(5), client.send(message("whole\r\n"))).await.unwrap();
        assert_eq!(outcome.summary(), Summary::Accepted, "{chunking:?}: {outcome:?}");
        client.close().await;
        assert_eq!(received.recv().unwrap(), b"whole\r\n", "{chunking:?}");
        assert!(received.try_recv().is_err());
    }
}

#[tokio::test]
async fn a_connection_that_is_given_up_is_made_again() {
    let (address, received) = sink(&[]);
    let mut client = client(address);
    // Asked once, it has begun to connect, and no more.
    tokio::select! {
        biased;
        outcome = client.send(message("1\r\n")) => panic!("{outcome:?}"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(client.send(message("2\r\n")).await.summary(), Summary::Accepted);
    assert_eq!(received.recv().unwrap(), b"2\r\n");
}

#[tokio::test]
async fn messages_come_when_they_come() {
    let (address, received) = sink(&["PIPELINING", "CHUNKING"]);
    let options = Options::new(&format!("smtp://{address}")).unwrap().tls(Tls::None).pipelining(Pipelining::Streaming);
    let mut client = Client::new(options);
    let (sender, mut messages) = tokio::sync::mpsc::channel(1);
    let stream = futures_util::stream::poll_fn(move |context| messages.poll_recv(context));
    let mut outcomes = client.send_many(stream);
    for i in 0..3 {
        assert!(timeout(SOON, outcomes.next()).await.is_err());
        sender.send(message(format!("{i}\r\n"))).await.unwrap();
        let outcome = outcomes.next().await.unwrap();
        assert_eq!((outcome.message.0, outcome.summary()), (i, Summary::Accepted));
        assert_eq!(received.recv().unwrap(), format!("{i}\r\n").into_bytes());
    }
    drop(sender);
    assert_eq!(outcomes.next().await, None);
}

#[tokio::test]
async fn tokens_are_asked_for() {
    for asynchronous in [false, true] {
        let (sender, tokens) = channel();
        let address = listen(move |_, stream| {
            let mut peer = Peer::new(stream);
            peer.say("220 hi\r\n");
            peer.expect("EHLO", "250-x\r\n250 AUTH XOAUTH2\r\n");
            sender.send(peer.line()).unwrap();
            peer.say("235 ok\r\n");
            peer.line();
        });
        let options = Options::new(&format!("smtp://{address}")).unwrap().tls(Tls::None);
        let options = options.dangerously_allow_plaintext_auth(true);
        let options = if asynchronous {
            options.token_source_async("me", || async { Ok::<_, String>(okuru::Secret::new("t0ken")) })
        } else {
            options.token_source("me", || Ok::<_, String>(okuru::Secret::new("t0ken")))
        };
        Client::new(options.unwrap()).connect().await.unwrap();
        // user=me^Aauth=Bearer t0ken^A^A
        assert_eq!(tokens.recv().unwrap(), "AUTH XOAUTH2 dXNlcj1tZQFhdXRoPUJlYXJlciB0MGtlbgEB");

        let (address, _received) = sink(&["AUTH XOAUTH2"]);
        let options = Options::new(&format!("smtp://{address}")).unwrap().tls(Tls::None);
        let options = options.dangerously_allow_plaintext_auth(true);
        let error = if asynchronous {
            options.token_source_async("me", || async { Err("the well is dry") })
        } else {
            options.token_source("me", || Err("the well is dry"))
        };
        let error = Client::new(error.unwrap()).connect().await.unwrap_err();
        assert_eq!(error.code(), okuru::ErrorCode::AuthToken);
        assert!(error.to_string().contains("the well is dry"), "{error}");
    }
}

#[test]
fn futures_can_go_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    let mut client = client(([127, 0, 0, 1], 1).into());
    is_send(&client);
    is_send(&client.send(message("x")));
    is_send(&client.send_many(futures_util::stream::iter([message("x")])));
    is_send(&client.connect());
}
