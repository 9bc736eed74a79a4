//! The mailer, with real sockets and our own server at the other end.
#![cfg(feature = "server")]

mod server_support;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use okuru::mailer::{Attempt, Backoff, Event, Journal, Mailer, MailerOptions, Progress, Rate, Relay, Retry, Way};
use okuru::{Content, Error, ErrorCode, Message, MessageId, Options, Outcome, State, Summary};
use server_support::{Desk, NAME, Running, Taken, config, identity, start};

const CONTENT: &[u8] = b"Subject: x\r\n\r\n.\r\n..dots\r\nend\r\n";

fn plain(running: &Running) -> Options {
    Options::new(&format!("smtp://{}", running.address())).unwrap().tls(okuru::Tls::None)
}

/// A server where nobody listens.
fn dead() -> Options {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    Options::new(&format!("smtp://{address}")).unwrap().tls(okuru::Tls::None)
}

fn to(recipients: &[&str], content: impl Into<Content>) -> Message {
    Message::new("ann@example.com", recipients, content).unwrap()
}

fn numbered(count: usize) -> Vec<Message> {
    let content = |number| format!("Subject: {number}\r\n\r\n.dot\r\n").into_bytes();
    (0..count).map(|number| to(&["bob@example.org"], content(number))).collect()
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), test).await.expect("it ends") })
}

async fn send(mailer: &Mailer, messages: Vec<Message>) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = mailer.send_many(stream::iter(messages)).collect().await;
    outcomes.sort_by_key(|outcome| outcome.message);
    let numbers = outcomes.iter().map(|outcome| outcome.message.0);
    assert!(numbers.eq(0..outcomes.len() as u64), "each message has one outcome");
    outcomes
}

fn all_accepted(outcomes: &[Outcome]) -> bool {
    outcomes.iter().all(|outcome| outcome.summary() == Summary::Accepted)
}

fn contents(taken: Vec<Taken>) -> BTreeSet<Vec<u8>> {
    let count = taken.len();
    let contents: BTreeSet<_> = taken.into_iter().map(|taken| taken.content).collect();
    assert_eq!(contents.len(), count, "nothing came twice");
    contents
}

#[test]
fn a_thousand_messages_over_a_few_connections() {
    let running = start(Desk::default(), config());
    run(async {
        let mailer = Mailer::new(MailerOptions::new(plain(&running)).connections(3)).unwrap();
        let outcomes = send(&mailer, numbered(1000)).await;
        assert!(all_accepted(&outcomes));
        let metrics = mailer.metrics();
        assert_eq!((metrics.messages, metrics.totals.finished, metrics.totals.accepted), (0, 1000, 1000));
        assert!((1..=3).contains(&metrics.sessions), "{metrics:?}");
        mailer.stop().await;
        assert_eq!(mailer.metrics().sessions, 0);
        let late = mailer.send(to(&["bob@example.org"], CONTENT)).await;
        assert_eq!((late.summary(), late.error.unwrap().code()), (Summary::Deferred, ErrorCode::Cancelled));
    });
    assert_eq!(contents(running.taken()).len(), 1000);
}

#[test]
fn the_next_relay_takes_over_and_turns_are_taken() {
    let (one, two) = (start(Desk::default(), config()), start(Desk::default(), config()));
    run(async {
        let mailer = Mailer::relays([dead(), plain(&two)]).unwrap();
        assert!(all_accepted(&send(&mailer, numbered(20)).await));
        mailer.stop().await;
        assert_eq!(two.taken().len(), 20);

        let mailer =
            Mailer::new(Way::round_robin([Relay::new(plain(&one)).weight(3), Relay::new(plain(&two))])).unwrap();
        assert!(all_accepted(&send(&mailer, numbered(400)).await));
        mailer.stop().await;
        let (one, two) = (one.taken().len(), two.taken().len());
        assert_eq!(one + two, 400);
        assert!(one > 0 && two > 0, "{one} and {two}");
    });
}

#[test]
fn over_tls_with_a_large_content_that_two_servers_read_at_a_time() {
    let secured = || start(Desk::default(), okuru::server::Config { tls: okuru::server::Tls::Required, ..config() });
    let (one, two) = (secured(), secured());
    let secure = |running: &Running| {
        let options = Options::new(&format!("smtp://{}", running.address())).unwrap();
        options.tls_name(NAME).add_root_certificate(identity().ca.clone().into_bytes())
    };
    let large: &'static [u8] = Box::leak(b"Subject: y\r\n\r\n.dot\r\n0123456789\r\n".repeat(60_000).into_boxed_slice());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), large).unwrap();
    let both = ["a@one.example", "b@two.example"];
    run(async {
        let options = MailerOptions::new(secure(&one)).domain("two.example", secure(&two));
        let mailer = Mailer::new(options).unwrap();
        let messages = vec![
            to(&both, large),
            to(&both, Content::file(file.path())),
            to(&both, Content::reopened(move || Ok(Cursor::new(large)), None)),
            to(&both, Content::reader(large, None)),
        ];
        let outcomes = send(&mailer, messages).await;
        assert!(all_accepted(&outcomes[..3]), "{outcomes:?}");
        let states: Vec<State> = outcomes[3].recipients.iter().map(|recipient| recipient.state).collect();
        assert_eq!(states, [State::Accepted, State::Rejected], "it can be read only once");
        mailer.stop().await;
    });
    for (taken, count) in [(one.taken(), 4), (two.taken(), 3)] {
        assert_eq!(taken.len(), count);
        assert!(
            taken.iter().all(|taken| taken.content == large && taken.recipients.len() == 1 && taken.with == "ESMTPS")
        );
    }
}

#[test]
fn what_can_not_be_read_or_sent_has_an_outcome_too() {
    let running = start(Desk::default(), config());
    run(async {
        let mailer = Mailer::relay(plain(&running)).unwrap();
        let missing = mailer.send(to(&["bob@example.org"], Content::file("/nonexistent/x.eml"))).await;
        assert_eq!(
            (missing.summary(), missing.error.unwrap().code()),
            (Summary::Deferred, ErrorCode::MessageUnreadable)
        );
        let nobody = mailer.send(to(&[], CONTENT)).await;
        assert_eq!(nobody.error.unwrap().code(), ErrorCode::MessageNoRecipients);
        let some = mailer.send(to(&["bob@example.org", "nobody@example.org"], CONTENT)).await;
        assert_eq!(some.summary(), Summary::Partial);
    });
    assert_eq!(running.taken().len(), 1);
}

#[test]
fn what_nobody_waits_for_is_not_sent_and_others_are() {
    let running = start(Desk { delay: Duration::from_millis(20), ..Desk::default() }, config());
    run(async {
        let mailer = Mailer::new(MailerOptions::new(plain(&running)).connections(1)).unwrap();
        let mut outcomes = mailer.send_many(stream::iter(numbered(500)));
        assert_eq!(outcomes.next().await.unwrap().summary(), Summary::Accepted);
        drop(outcomes);
        assert_eq!(mailer.send(to(&["eve@example.org"], CONTENT)).await.summary(), Summary::Accepted);
        mailer.stop().await;
    });
    let taken = running.taken();
    assert!(taken.len() < 20, "{}", taken.len());
    assert_eq!(taken.last().unwrap().content, CONTENT);
}

#[test]
fn a_rate_is_kept_and_messages_come_one_by_one() {
    let running = start(Desk::default(), config());
    run(async {
        let mailer = Mailer::new(MailerOptions::new(plain(&running)).rate(Rate::per_second(20))).unwrap();
        let begun = Instant::now();
        assert!(all_accepted(&send(&mailer, numbered(21)).await));
        assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
        // A stream that has no message for now does not keep the outcomes back.
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let messages =
            stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|it| (it, receiver)) });
        let mut outcomes = mailer.send_many(messages);
        for _ in 0..3 {
            sender.send(to(&["bob@example.org"], CONTENT)).unwrap();
            assert_eq!(outcomes.next().await.unwrap().summary(), Summary::Accepted);
        }
        drop(sender);
        assert!(outcomes.next().await.is_none());
    });
}

/// What a journal was told.
#[derive(Default)]
struct Books {
    told: Mutex<Vec<String>>,
    is_full: bool,
}

impl Journal for Books {
    fn sending(&self, attempts: &[Attempt]) -> Result<(), Error> {
        if self.is_full {
            return Err(Error::new(ErrorCode::Cancelled, "the disc is full"));
        }
        let mut told = self.told.lock().unwrap();
        told.extend(attempts.iter().map(|it| format!("sending {} {:?}", it.message.0, it.recipients)));
        Ok(())
    }

    fn tried(&self, message: MessageId, recipients: &[(u32, State)]) {
        self.told.lock().unwrap().push(format!("tried {} {recipients:?}", message.0));
    }
}

#[test]
fn a_journal_knows_before_anything_is_sent() {
    let running = start(Desk::default(), config());
    let books = Arc::new(Books::default());
    run(async {
        let mailer = Mailer::new(MailerOptions::new(plain(&running)).connections(1)).unwrap();
        let messages = vec![
            to(&["a@example.org", "nobody@example.org"], CONTENT),
            to(&["b@example.org"], "Subject: x\r\n\r\nno dots\r\n"),
        ];
        let outcomes: Vec<_> = mailer.send_many(stream::iter(messages)).journal(books.clone()).collect().await;
        assert_eq!(outcomes.len(), 2);

        let full = Arc::new(Books { is_full: true, ..Books::default() });
        let message = to(&["c@example.org"], CONTENT);
        let outcomes: Vec<_> = mailer.send_many(stream::iter([message])).journal(full).collect().await;
        assert_eq!(
            (outcomes[0].summary(), outcomes[0].error.as_ref().unwrap().code()),
            (Summary::Deferred, ErrorCode::Cancelled)
        );
    });
    let told = books.told.lock().unwrap();
    let expected =
        ["sending 0 [0, 1]", "tried 0 [(0, Accepted), (1, Rejected)]", "sending 1 [0]", "tried 1 [(0, Accepted)]"];
    let mut sorted: Vec<&str> = told.iter().map(String::as_str).collect();
    sorted.sort_by_key(|line| line.split(' ').nth(1).map(str::to_owned));
    assert_eq!(sorted, expected);
    assert_eq!(running.taken().len(), 2);
}

#[test]
fn a_relay_that_was_away_is_tried_again() {
    let address = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() };
    let options = Options::new(&format!("smtp://{address}")).unwrap().tls(okuru::Tls::None);
    let soon = Backoff { first: Duration::from_millis(300), most: Duration::from_millis(300), jitter: 0 };
    let resting = Arc::new(Mutex::new(0));
    run(async {
        let seen = Arc::clone(&resting);
        let options = MailerOptions::new(options)
            .retry(Retry { backoff: soon, ..Retry::default() })
            .limits(|limits| limits.host.rest = soon)
            .observe(move |event| {
                if let Event::Progress(Progress::Resting { .. }) = event {
                    *seen.lock().unwrap() += 1;
                }
            });
        let mailer = Mailer::new(options).unwrap();
        let sending = tokio::spawn({
            let mailer = mailer.clone();
            async move { mailer.send(to(&["bob@example.org"], CONTENT)).await }
        });
        tokio::time::sleep(Duration::from_millis(700)).await;
        let listener = std::net::TcpListener::bind(address).unwrap();
        std::thread::spawn(move || {
            use std::io::{Read as _, Write as _};
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"220 x\r\n").unwrap();
            let mut buffer = [0; 4096];
            for reply in ["250 x\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 done\r\n", "221 bye\r\n"] {
                let length = stream.read(&mut buffer).unwrap();
                assert!(length > 0);
                stream.write_all(reply.as_bytes()).unwrap();
            }
        });
        let outcome = sending.await.unwrap();
        assert_eq!(outcome.summary(), Summary::Accepted, "{outcome:?}");
        mailer.stop().await;
    });
    assert!(*resting.lock().unwrap() > 0);
}

#[test]
fn a_mailer_that_is_dropped_leaves_nothing_behind() {
    let running = start(Desk::default(), config());
    run(async {
        let mailer = Mailer::relay(plain(&running)).unwrap();
        assert_eq!(mailer.send(to(&["bob@example.org"], CONTENT)).await.summary(), Summary::Accepted);
        assert_eq!(running.connections(), 1);
        drop(mailer);
        while running.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let error = Mailer::relay(plain(&running)).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Usage, "there is no runtime here");
}
