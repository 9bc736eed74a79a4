//! Direct delivery: the servers of each domain, as a real name server names them. What the domains are is in
//! `tests/servers/knot.py`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use okuru::mailer::{
    Backoff, DirectOptions, Event, Mailer, MailerOptions, Progress, Resolver, Retry, RouteConfig, Verdict, Way,
};
use okuru::{ErrorCode, State, Summary};
use okuru_core::syntax::Domain;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::runtime;

use crate::harness::{Books, Letter, Manner, Servers, Sink};

const PATIENCE: Duration = Duration::from_secs(120);

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime can be had");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("it ends in time") })
}

/// An address of loopback, at the port where Postfix takes mail.
fn at(servers: &Servers, address: &str) -> SocketAddr {
    SocketAddr::new(address.parse().expect("an address"), servers.postfix("mx"))
}

fn direct(servers: &Servers) -> DirectOptions {
    DirectOptions::new()
        .port(servers.postfix("mx"))
        .name_server(servers.dns())
        .self_address("127.0.0.10".parse().expect("an address"))
}

/// Tries again soon, what is deferred and what is down.
fn impatient(options: MailerOptions) -> MailerOptions {
    let soon = Backoff { first: Duration::from_millis(400), most: Duration::from_millis(400), jitter: 0 };
    options
        .retry(Retry { backoff: soon, within: Duration::from_secs(12), ..Retry::default() })
        .limits(|limits| limits.host.rest = soon)
}

#[test]
fn one_message_to_domains_of_every_shape() {
    let servers = Servers::start(&["postfix", "knot"]);
    run(async {
        let second = Sink::start(at(&servers, "127.0.0.3"), Manner::Kind).await;
        let implicit = Sink::start(at(&servers, "127.0.0.4"), Manner::Kind).await;
        let grey = Sink::start(at(&servers, "127.0.0.5"), Manner::Greylisting).await;
        let to = [
            "bob@example.test",
            "a@two.test",
            "b@implicit.test",
            "c@null.test",
            "d@grey.test",
            "e@dead.test",
            "f@nowhere.test",
            "g@alias.test",
            "h@vain.test",
            "i@broken",
            "j@second.test",
            "k@[127.0.0.4]",
            "l@first.test",
        ];
        let letter = Letter::plain(&to);
        let greylisted = Arc::new(Mutex::new(0));
        let seen = Arc::clone(&greylisted);
        let options = impatient(MailerOptions::new(Way::direct()).direct(direct(&servers))).observe(move |event| {
            if let Event::Progress(Progress::Tried(tried)) = event {
                *seen.lock().expect("nobody panics while holding it") += u32::from(tried.greylisted);
            }
        });
        let mailer = Mailer::new(options).expect("the options are right");
        let outcome = mailer.send(letter.message()).await;
        mailer.stop().await;

        let accepted = (State::Accepted, None);
        let ended = |state, code| (state, Some(code));
        let expected = [
            accepted,
            accepted,
            accepted,
            ended(State::Rejected, ErrorCode::DnsNullMx),
            accepted,
            ended(State::Deferred, ErrorCode::ConnectRefused),
            ended(State::Rejected, ErrorCode::DnsNoSuchHost),
            accepted,
            ended(State::Rejected, ErrorCode::DnsNoServer),
            ended(State::Deferred, ErrorCode::DnsTemporary),
            ended(State::Rejected, ErrorCode::DnsLoop),
            accepted,
            accepted,
        ];
        for ((to, recipient), expected) in to.iter().zip(&outcome.recipients).zip(expected) {
            let found = (recipient.state, recipient.error().map(|error| error.code()));
            assert_eq!(found, expected, "{to}: {recipient:?}");
        }
        assert!(*greylisted.lock().expect("nobody panics while holding it") > 0);

        // Each content as it was sent, once, and each recipient with it once.
        for (sink, expected) in [
            (&second, &["<a@two.test>", "<g@alias.test>"][..]),
            (&implicit, &["<b@implicit.test>", "<k@[127.0.0.4]>"]),
            (&grey, &["<d@grey.test>", "<l@first.test>"]),
        ] {
            let taken = sink.taken();
            assert!(taken.iter().all(|(_, content)| *content == letter.content));
            let mut recipients: Vec<_> = taken.into_iter().flat_map(|(recipients, _)| recipients).collect();
            recipients.sort();
            assert_eq!(recipients, expected);
        }
        // In the mailbox of Postfix, which is that of the first recipient alone.
        let mut own = outcome.clone();
        own.recipients.truncate(1);
        let mut books = Books::new(&servers);
        books.enter(Letter { to: vec![to[0].to_owned()], ..letter }, &own, "direct");
        books.balance();
    });
}

#[test]
fn the_relay_takes_what_nobody_wants_directly() {
    let servers = Servers::start(&["postfix", "knot"]);
    run(async {
        let listing = Sink::start(at(&servers, "127.0.0.4"), Manner::Listing).await;
        let relay = Sink::start(at(&servers, "127.0.0.6"), Manner::Kind).await;
        let url = format!("smtp://{}", at(&servers, "127.0.0.6"));
        let relay_options = okuru::Options::new(&url).expect("a URL").tls(okuru::Tls::None);
        let options = MailerOptions::new(Way::direct_then(relay_options)).direct(direct(&servers));
        let mailer = Mailer::new(options).expect("the options are right");
        let letter = Letter::plain(&["a@implicit.test", "b@dead.test", "c@null.test", "reject@example.test"]);
        let outcome = mailer.send(letter.message()).await;
        mailer.stop().await;
        let states: Vec<State> = outcome.recipients.iter().map(|recipient| recipient.state).collect();
        assert_eq!(states, [State::Accepted, State::Accepted, State::Rejected, State::Rejected], "{outcome:#?}");
        assert!(listing.taken().is_empty());
        let mut taken: Vec<_> = relay.taken().into_iter().flat_map(|(recipients, _)| recipients).collect();
        taken.sort();
        assert_eq!(taken, ["<a@implicit.test>", "<b@dead.test>"]);
    });
}

#[test]
fn many_messages_to_several_exchangers_of_which_one_is_killed() {
    const ROUNDS: usize = 150;
    let servers = Servers::start(&["postfix", "knot", "--exchanger", "127.0.0.7", "--exchanger", "127.0.0.8"]);
    let domains = ["example.test", "third.test", "fourth.test", "both.test", "two.test"];
    let to: Vec<String> = (0..ROUNDS).flat_map(|_| domains.map(|domain| format!("bob@{domain}"))).collect();
    let (letters, to_sink): (Vec<_>, Vec<_>) =
        to.iter().map(|to| Letter::plain(&[to])).partition(|letter| !letter.to[0].ends_with("@two.test"));
    run(async {
        let sink = Sink::start(at(&servers, "127.0.0.3"), Manner::Kind).await;
        let soon = Backoff { first: Duration::from_millis(200), most: Duration::from_millis(400), jitter: 20 };
        let options = MailerOptions::new(Way::direct())
            .direct(direct(&servers))
            .connections(12)
            .retry(Retry { backoff: soon, ..Retry::default() })
            .limits(|limits| limits.host.rest = soon);
        let mailer = Mailer::new(options).expect("the options are right");
        let messages: Vec<_> = letters.iter().chain(&to_sink).map(Letter::message).collect();
        let mut coming = mailer.send_many(futures_util::stream::iter(messages));
        let mut outcomes = Vec::new();
        while let Some(outcome) = coming.next().await {
            outcomes.push(outcome);
            match outcomes.len() {
                200 => servers.order("kill postfix-at-127.0.0.7"),
                400 => servers.order("start postfix-at-127.0.0.7"),
                _ => {}
            }
        }
        mailer.stop().await;
        outcomes.sort_by_key(|outcome| outcome.message);
        let count = |state| outcomes.iter().filter(|outcome| outcome.recipients[0].state == state).count();
        assert_eq!((count(State::Rejected), count(State::Deferred)), (0, 0), "what is deferred is tried again");
        assert!(count(State::Unknown) <= 12, "{}", count(State::Unknown));
        assert_eq!(sink.taken().len(), ROUNDS);
        let mut books = Books::new(&servers);
        for (letter, outcome) in letters.into_iter().zip(&outcomes) {
            books.enter(
                letter,
                outcome,
                &outcome.recipients[0].reply.as_ref().map_or(String::new(), ToString::to_string),
            );
        }
        books.balance();
    });
}

#[test]
fn tls_where_it_is_offered_and_none_where_it_does_not_work() {
    let servers = Servers::start(&["postfix", "knot"]);
    run(async {
        let listener = TcpListener::bind(at(&servers, "127.0.0.4")).await.expect("the port is free");
        let clumsy = tokio::spawn(offers_a_tls_that_it_can_not_do(listener));
        let options = impatient(MailerOptions::new(Way::direct()).direct(direct(&servers)));
        let mailer = Mailer::new(options).expect("the options are right");
        let letter = Letter::plain(&["bob@example.test", "b@implicit.test"]);
        let outcome = mailer.send(letter.message()).await;
        mailer.stop().await;
        assert_eq!(outcome.summary(), Summary::Accepted, "{outcome:#?}");

        // Postfix says how it was spoken to. Nobody has verified its name, which is no reason to speak in clear.
        let copies = servers.post.wait_for(letter.first_line(), 1);
        let trace = String::from_utf8_lossy(&copies[0].trace);
        assert!(trace.contains("with ESMTPS"), "{trace}");

        let said = clumsy.await.expect("it serves");
        assert_eq!(said[0], ["EHLO", "STARTTLS"]);
        assert_eq!(said[1][..3], ["EHLO", "MAIL", "RCPT"], "in clear, at once");
    });
}

/// Serves two connections; gives the verbs of each.
async fn offers_a_tls_that_it_can_not_do(listener: TcpListener) -> Vec<Vec<String>> {
    let mut said = Vec::new();
    for _ in 0..2 {
        let (stream, _) = listener.accept().await.expect("a connection");
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut verbs = Vec::new();
        let mut reply = "220 clumsy.test\r\n";
        let mut is_content = false;
        loop {
            write.write_all(reply.as_bytes()).await.expect("it is there");
            // What is not text is the beginning of TLS: it hangs up.
            let Ok(Some(line)) = lines.next_line().await else { break };
            if is_content && line != "." {
                reply = "";
                continue;
            }
            let verb = line.split(' ').next().unwrap_or_default().to_owned();
            (reply, is_content) = match verb.as_str() {
                "EHLO" => ("250-clumsy.test\r\n250 STARTTLS\r\n", false),
                "STARTTLS" => ("220 go on\r\n", false),
                "DATA" => ("354 go on\r\n", true),
                "QUIT" => ("221 bye\r\n", false),
                _ => ("250 ok\r\n", false),
            };
            verbs.push(verb);
        }
        said.push(verbs);
    }
    said
}

#[test]
fn an_answer_that_needs_tcp_and_servers_behind_aliases() {
    let servers = Servers::start(&["postfix", "knot"]);
    run(async {
        let resolver = Resolver::server(servers.dns()).expect("it can be set up");
        let route = async |domain: &str| {
            let domain = domain.parse().expect("a domain");
            resolver.route(&domain, Arc::new(RouteConfig::default())).await
        };
        let many = route("many.test").await;
        let Verdict::Hosts(hosts) = &many.verdict else { panic!("{many:?}") };
        assert_eq!((hosts[0].name.as_str(), hosts[0].preference), ("mx.two.test", Some(10)));
        let named = route("named.test").await;
        let Verdict::Hosts(hosts) = &named.verdict else { panic!("{named:?}") };
        assert_eq!(hosts[0].name.as_str(), "other.two.test");
        assert_eq!(hosts[0].canonical_name.as_ref().map(Domain::as_str), Some("mx.two.test"));
        assert_eq!(hosts[0].addresses, ["127.0.0.3".parse::<std::net::IpAddr>().expect("an address")]);
        assert!(!named.authenticated);

        // Where nobody answers.
        let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let config = RouteConfig { timeout: Duration::from_millis(300), ..RouteConfig::default() };
        let resolver = Resolver::server(silent.local_addr().expect("an address")).expect("it can be set up");
        let domain = "two.test".parse().expect("a domain");
        assert_eq!(resolver.route(&domain, config.into()).await.verdict, Verdict::Temporary);
    });
}
