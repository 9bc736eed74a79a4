//! One session carries everything, for as long as it can.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use okuru::{Content, Query, State, Summary};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::runtime;
use tokio::time::timeout;

use crate::harness::{BOTH, Books, Client, Dialogue, Kind, Letter, Servers, all_ways};

const BOB: [&str; 1] = ["bob@example.test"];

#[test]
fn a_session_is_kept_and_used_again() {
    let servers = Servers::shared();
    let mut books = Books::new(servers);
    for way in all_ways() {
        let dialogue = Dialogue::default();
        let mut client = way.client(dialogue.of(servers.in_clear("mx")));
        let mut send = |client: &mut Client| {
            let letters: Vec<Letter> = (0..3).map(|_| Letter::plain(&BOB)).collect();
            let outcomes = client.send_many(letters.iter().map(Letter::message).collect());
            for (letter, outcome) in letters.into_iter().zip(&outcomes) {
                assert_eq!(outcome.summary(), Summary::Accepted, "{outcome:#?}; {way}");
                books.enter(letter, outcome, &way);
            }
        };
        send(&mut client);
        assert_eq!(client.command(Query::Noop).expect("it answers").code(), 250, "{way}");
        send(&mut client);
        let vrfy = Query::Vrfy("bob@example.test".parse().expect("it is one line"));
        assert_eq!(client.command(vrfy).expect("it answers").code(), 252, "{way}");
        assert_eq!(client.command(Query::Rset).expect("it answers").code(), 250, "{way}");
        send(&mut client);
        assert_eq!((dialogue.count("EHLO"), dialogue.count("QUIT")), (1, 0), "{way}\n{}", dialogue.text());
        client.close();
        send(&mut client);
        assert_eq!((dialogue.count("EHLO"), dialogue.count("QUIT")), (2, 1), "{way}\n{}", dialogue.text());
        client.close();
    }
    books.balance();
}

#[test]
fn a_session_that_the_server_ended_is_opened_again() {
    let servers = Servers::shared();
    let mut books = Books::new(servers);
    for way in all_ways() {
        let dialogue = Dialogue::default();
        let mut client = way.client(dialogue.of(servers.in_clear("mx")));
        for (from, state) in [
            ("hang-up-after-content@example.test", State::Deferred),
            ("alice@example.test", State::Accepted),
            ("hang-up-at-data@example.test", State::Deferred),
            ("alice@example.test", State::Accepted),
        ] {
            let letter = Letter::plain(&BOB).from(from);
            let outcome = client.send(letter.message());
            assert_eq!(outcome.recipients[0].state, state, "{outcome:#?}; {way}");
            books.enter(letter, &outcome, &way);
        }
        client.close();
        assert_eq!(dialogue.count("QUIT"), 1, "{way}\n{}", dialogue.text());
    }
    books.balance();
}

/// A reader of a beginning, and then of nothing for ever.
struct Stuck(&'static [u8]);

impl AsyncRead for Stuck {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Pending;
        }
        buffer.put_slice(std::mem::take(&mut self.0));
        Poll::Ready(Ok(()))
    }
}

#[test]
fn what_is_cancelled_is_not_delivered_and_leaves_the_client_usable() {
    let servers = Servers::shared();
    for way in all_ways().filter(|way| way.kind == Kind::Tokio) {
        let Client::Tokio(mut client, runtime) = way.client(servers.in_clear("mx")) else {
            panic!("that is another client");
        };
        let [cancelled, sent] = [Letter::new(&BOB, b"\r\nstuck\r\n"), Letter::plain(&BOB)];
        runtime.block_on(async {
            let first_line = [cancelled.first_line(), b"\r\n\r\n"].concat().leak();
            let stuck = cancelled.message_of(Content::async_reader(Stuck(first_line), None));
            let late = timeout(Duration::from_millis(50), client.send(stuck)).await;
            assert!(late.is_err(), "a reader that gives nothing has an outcome; {way}");
            let outcome = client.send(sent.message()).await;
            assert_eq!(outcome.summary(), Summary::Accepted, "{outcome:#?}; {way}");
        });
        assert_eq!(servers.post.wait_for(sent.first_line(), 1).len(), 1, "{way}");
        assert_eq!(servers.post.wait_for(cancelled.first_line(), 0), [], "{way}");
    }
}

#[test]
fn outcomes_that_nobody_waits_for_leave_the_client_usable() {
    let servers = Servers::shared();
    for way in all_ways() {
        let mut client = way.client(servers.in_clear("mx"));
        let letters: Vec<Letter> = (0..20).map(|_| Letter::plain(&BOB)).collect();
        let messages: Vec<_> = letters.iter().map(Letter::message).collect();
        match &mut client {
            Client::Blocking(client) => {
                let outcome = client.send_many(messages).next().expect("there is a message");
                assert_eq!(outcome.summary(), Summary::Accepted, "{outcome:#?}; {way}");
            }
            Client::Tokio(client, runtime) => runtime.block_on(async {
                let mut outcomes = client.send_many(futures_util::stream::iter(messages));
                let outcome = outcomes.next().await.expect("there is a message");
                assert_eq!(outcome.summary(), Summary::Accepted, "{outcome:#?}; {way}");
            }),
        }
        let last = Letter::plain(&BOB);
        let outcome = client.send(last.message());
        assert_eq!(outcome.summary(), Summary::Accepted, "{outcome:#?}; {way}");
        let mut books = Books::new(servers);
        books.enter(last, &outcome, &way);
        books.balance();
        // Those behind the first were cancelled, or had been taken by then: not more than once.
        for letter in &letters {
            assert!(servers.post.wait_for(letter.first_line(), 0).len() <= 1, "{way}");
        }
    }
}

#[test]
fn a_message_has_until_its_deadline() {
    let servers = Servers::shared();
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be had");
    let mut client = okuru::Client::new(servers.in_clear("mx"));
    let letter = Letter::new(&BOB, b"\r\nlate\r\n");
    let stuck = letter.message_of(Content::async_reader(Stuck(b"X-Test: stuck\r\n\r\n"), None));
    let outcome = runtime.block_on(client.send(stuck.deadline(Duration::from_millis(100))));
    assert_eq!(outcome.summary(), Summary::Deferred, "{outcome:#?}");
    assert_eq!(outcome.error.map(|error| error.code()), Some(okuru::ErrorCode::TimeoutDeadline));
    assert_eq!(servers.post.wait_for(b"X-Test: stuck", 0), []);
}

#[test]
fn replies_in_two_segments_are_not_waited_for() {
    let servers = Servers::shared();
    for kind in BOTH {
        // Where the buffer of Postfix, of 4 kB, ends between a content and the commands behind it, it answers twice.
        for length in (3880..4160).step_by(20) {
            let mut client = Client::new(kind, servers.in_clear("mx"));
            let content = format!("\r\n{}\r\n", "x".repeat(length));
            let letters: Vec<Letter> =
                (0..5).map(|_| Letter::new(&["discard@example.test"], content.as_bytes())).collect();
            let mut told = vec![Instant::now()];
            let outcomes =
                client.send_many_and(letters.iter().map(Letter::message).collect(), |_| told.push(Instant::now()));
            assert!(outcomes.iter().all(|outcome| outcome.summary() == Summary::Accepted), "{outcomes:#?}");
            let quickest = told.windows(2).skip(1).map(|pair| pair[1] - pair[0]).min().expect("there are several");
            assert!(quickest < Duration::from_millis(30), "{kind:?}: {quickest:?} for each message of {length} octets");
        }
    }
}
