//! The mailer and its relays: one that dies, and one that wants POP before SMTP.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream;
use okuru::mailer::{Backoff, Event, Mailer, MailerOptions, PopLogin, Relay, Retry};
use okuru::{ErrorCode, Message, Outcome, State, Summary};
use okuru_core::pop3;
use tokio::runtime;

use crate::harness::{Books, Letter, Servers};

const BOB: [&str; 1] = ["bob@example.test"];
const PATIENCE: Duration = Duration::from_secs(120);

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime can be had");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("it ends in time") })
}

/// Tries again soon what is deferred and what is down, be it that the machine is busy.
fn impatient(options: MailerOptions) -> MailerOptions {
    let soon = Backoff { first: Duration::from_millis(100), most: Duration::from_millis(400), jitter: 20 };
    options.retry(Retry { backoff: soon, ..Retry::default() }).limits(|limits| limits.host.rest = soon)
}

/// Sends, and calls `told` with the number of outcomes after each. The outcomes are in the order of the messages.
async fn send(mailer: &Mailer, messages: Vec<Message>, mut told: impl FnMut(usize)) -> Vec<Outcome> {
    let count = messages.len();
    let mut outcomes = Vec::new();
    let mut coming = mailer.send_many(stream::iter(messages));
    while let Some(outcome) = coming.next().await {
        outcomes.push(outcome);
        told(outcomes.len());
    }
    outcomes.sort_by_key(|outcome| outcome.message);
    assert!(outcomes.iter().map(|outcome| outcome.message.0).eq(0..count as u64), "each message has one outcome");
    outcomes
}

#[test]
fn a_relay_that_is_killed_in_the_middle_again_and_again() {
    let servers = Servers::start(&["postfix"]);
    let letters: Vec<Letter> = (0..600).map(|_| Letter::plain(&BOB)).collect();
    let mut killed = 0;
    let (outcomes, metrics) = run(async {
        let options = impatient(MailerOptions::new(servers.in_clear("mx")).connections(4));
        let mailer = Mailer::new(options).expect("the options are right");
        let outcomes = send(&mailer, letters.iter().map(Letter::message).collect(), |told| {
            if told % 100 == 50 {
                killed += servers.kill_smtpd("mx");
            }
        });
        let outcomes = outcomes.await;
        mailer.stop().await;
        (outcomes, mailer.metrics())
    });
    assert!(killed >= 6, "{killed} were killed");
    let count = |state| outcomes.iter().filter(|outcome| outcome.recipients[0].state == state).count();
    assert_eq!((count(State::Rejected), count(State::Deferred)), (0, 0), "what is deferred is tried again");
    // At most what was on its way on each connection.
    assert!(count(State::Unknown) <= killed, "{} of {killed}", count(State::Unknown));
    assert_eq!(metrics.totals.accepted, count(State::Accepted) as u64);
    servers.wait_for_empty_queues();
    let mut books = Books::new(&servers);
    for (letter, outcome) in letters.into_iter().zip(&outcomes) {
        books.enter(letter, outcome, &format!("{:?}", outcome.progress));
    }
    books.balance();
}

#[test]
fn a_relay_that_is_killed_whole_and_started_again() {
    const CONNECTIONS: usize = 4;
    let servers = Servers::start(&["postfix"]);
    let letters: Vec<Letter> = (0..600).map(|_| Letter::plain(&BOB)).collect();
    let mut killed = 0;
    let (outcomes, metrics) = run(async {
        let options = MailerOptions::new(servers.in_clear("mx")).connections(CONNECTIONS as u32);
        let mailer = Mailer::new(impatient(options)).expect("the options are right");
        let outcomes = send(&mailer, letters.iter().map(Letter::message).collect(), |told| {
            if told % 150 == 75 {
                servers.order("kill postfix");
                servers.order("start postfix");
                killed += 1;
            }
        });
        let outcomes = outcomes.await;
        mailer.stop().await;
        (outcomes, mailer.metrics())
    });
    assert_eq!(killed, 4);
    let count = |state| outcomes.iter().filter(|outcome| outcome.recipients[0].state == state).count();
    assert_eq!((count(State::Rejected), count(State::Deferred)), (0, 0), "what is deferred is tried again");
    assert!(count(State::Unknown) <= killed * CONNECTIONS, "{}", count(State::Unknown));
    assert!(metrics.totals.accepted as usize == count(State::Accepted) && count(State::Accepted) > 500);
    let mut books = Books::new(&servers);
    for (letter, outcome) in letters.into_iter().zip(&outcomes) {
        books.enter(letter, outcome, &format!("{:?}", outcome.progress));
    }
    books.balance();
}

#[test]
fn log_in_by_pop3_before_the_first_message() {
    let servers = Servers::shared();
    let user = &servers.users()[0];
    let ca = &servers.told.tls.ca;
    for (role, scheme, password, is_right) in [
        ("pop3", "pop3", user.password.as_str(), true),
        ("pop3s", "pop3s", user.password.as_str(), true),
        ("pop3", "pop3", "wrong", false),
    ] {
        let url = format!("{scheme}://{}:{password}@127.0.0.1:{}", user.name, servers.dovecot(role));
        let login = PopLogin::new(&url).expect("a URL");
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&events);
        let letters = [Letter::plain(&BOB), Letter::plain(&BOB), Letter::plain(&BOB)];
        let outcomes = run(async {
            let relay = Relay::new(servers.in_clear("mx").ca_file(ca)).pop_login(login);
            let options = impatient(MailerOptions::new(relay)).observe(move |event| {
                let word = match event {
                    Event::LogIn { event: pop3::Event::LoggedIn(_), .. } => "logged in",
                    Event::Sending { .. } => "sending",
                    _ => return,
                };
                seen.lock().expect("nobody panics while holding it").push(word);
            });
            let mailer = Mailer::new(options).expect("the options are right");
            let outcomes = send(&mailer, letters.iter().map(Letter::message).collect(), |_| {}).await;
            mailer.stop().await;
            outcomes
        });
        let events = events.lock().expect("nobody panics while holding it");
        let mut books = Books::new(servers);
        for (letter, outcome) in letters.into_iter().zip(&outcomes) {
            if is_right {
                assert_eq!(outcome.summary(), Summary::Accepted, "{outcome:#?}");
            } else {
                let code = outcome.error.as_ref().map(okuru::Error::code);
                assert_eq!(code, Some(ErrorCode::AuthRefused), "{outcome:#?}");
                assert_ne!(outcome.summary(), Summary::Accepted);
            }
            books.enter(letter, outcome, &url.replace(password, "***"));
        }
        if is_right {
            let logins = events.iter().filter(|word| **word == "logged in").count();
            assert_eq!((events.first(), logins), (Some(&"logged in"), 1), "{events:?}");
        } else {
            assert!(events.is_empty(), "{events:?}");
        }
        books.balance();
    }
}
