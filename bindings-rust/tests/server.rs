//! The server, with our own client at the other end, and with words of our own where no client says them.
#![cfg(feature = "server")]

mod server_support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use okuru::server::{Accounts, Authentication, Closed, Config, Limits, Role, Stopped, Tls};
use okuru::{ErrorCode, Mechanism, Message, Options, Outcome, Secret, State, Summary};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};

use server_support::{Desk, NAME, PASSWORD, Running, USER, config, identity, start, start_with};

fn message(content: &'static [u8]) -> Message {
    Message::new("ann@example.com", ["bob@example.org", "carl@example.org"], content).unwrap()
}

const CONTENT: &[u8] = b"Subject: x\r\n\r\n.\r\n..dots\r\nend\r\n";

/// Sends messages by the blocking client, and gives the outcome of each.
fn send(options: Options, messages: Vec<Message>) -> Vec<Outcome> {
    let mut client = okuru::blocking::Client::new(options);
    let outcomes = client.send_many(messages).collect();
    client.close();
    outcomes
}

fn plain(running: &Running) -> Options {
    Options::new(&format!("smtp://{}", running.address())).unwrap().tls(okuru::Tls::None)
}

fn secure(running: &Running) -> Options {
    Options::new(&format!("smtp://{}", running.address()))
        .unwrap()
        .tls_name(NAME)
        .add_root_certificate(identity().ca.clone().into_bytes())
}

#[test]
fn messages_arrive_as_they_were_sent() {
    let running = start(Desk::default(), config());
    let large: &'static [u8] = Box::leak(b"Subject: y\r\n\r\n.dot\r\n0123456789\r\n".repeat(40_000).into_boxed_slice());
    for chunking in [okuru::Chunking::Never, okuru::Chunking::Prefer] {
        let outcomes =
            send(plain(&running).chunking(chunking), vec![message(CONTENT), message(large), message(CONTENT)]);
        assert!(outcomes.iter().all(|outcome| outcome.summary() == Summary::Accepted), "{outcomes:?}");
        let taken = running.taken();
        assert_eq!(
            taken.iter().map(|taken| taken.content.len()).collect::<Vec<_>>(),
            [CONTENT.len(), large.len(), CONTENT.len()]
        );
        assert!(taken[0].content == CONTENT && taken[1].content == large && taken[2].content == CONTENT);
        assert_eq!(taken[0].recipients, ["<bob@example.org>", "<carl@example.org>"]);
    }
}

#[test]
fn a_stream_that_is_there_already() {
    let desk = Desk::default();
    let (taken, closed) = (Arc::clone(&desk.taken), Arc::clone(&desk.closed));
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let (client, stream) = tokio::io::duplex(1000);
        let mut client = tokio::io::BufReader::new(client);
        let talk = async move {
            let mut said = String::new();
            for (line, reply) in [
                ("", "220 "),
                ("EHLO x\r\n", "250 "),
                ("MAIL FROM:<a@b>\r\n", "250 "),
                ("RCPT TO:<c@d>\r\n", "250 "),
                ("DATA\r\n", "354 "),
                ("Subject: x\r\n\r\n.\r\n", "250 "),
                ("QUIT\r\n", "221 "),
            ] {
                client.write_all(line.as_bytes()).await.unwrap();
                loop {
                    said.clear();
                    client.read_line(&mut said).await.unwrap();
                    if said.as_bytes()[3] == b' ' {
                        break;
                    }
                }
                assert!(said.starts_with(reply), "{line}{said}");
            }
        };
        let (served, ()) = tokio::join!(okuru::server::Server::new(desk).serve(stream, config()), talk);
        served.unwrap();
    });
    assert_eq!(taken.lock().unwrap()[0].content, b"Subject: x\r\n\r\n");
    assert_eq!(closed.lock().unwrap().values().collect::<Vec<_>>(), [&Closed::Quit]);
}

#[test]
fn a_stream_without_a_certificate() {
    let tls = Config { tls: Tls::Offered, ..config() };
    let (_client, stream) = tokio::io::duplex(1000);
    let served = tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(okuru::server::Server::new(Desk::default()).serve(stream, tls));
    assert_eq!(served.unwrap_err().code(), ErrorCode::Usage);
}

/// A conversation by hand.
struct Talk(BufReader<TcpStream>);

impl Talk {
    fn new(running: &Running) -> Self {
        let stream = TcpStream::connect(running.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(BufReader::new(stream))
    }

    fn say(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// The next reply, whole; empty at the end.
    fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let begin = reply.len();
            match self.0.read_line(&mut reply) {
                Ok(0) | Err(_) => return reply,
                Ok(_) if reply.as_bytes().get(begin + 3) == Some(&b'-') => {}
                Ok(_) => return reply,
            }
        }
    }

    #[track_caller]
    fn expect(&mut self, command: &str, reply: &str) {
        self.say(command);
        let said = self.reply();
        assert!(said.starts_with(reply), "{command:?} {said:?}");
    }

    fn is_over(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0))
    }
}

fn with_accounts(mut config: Config) -> (Desk, Config) {
    let accounts = Accounts::new().with(USER, Secret::new(PASSWORD)).unwrap();
    config.role = Role::Submission;
    config.relay = okuru::server::RelayPolicy::default();
    config.authentication = Some(accounts.authentication().unwrap());
    (Desk { accounts, ..Desk::default() }, config)
}

#[test]
fn starttls_and_implicit_tls() {
    for (tls, scheme) in [(Tls::Required, "smtp"), (Tls::Implicit, "smtps")] {
        let running = start(Desk::default(), Config { tls, ..config() });
        let options = Options::new(&format!("{scheme}://{}", running.address())).unwrap().tls_name(NAME);
        let options = options.add_root_certificate(identity().ca.clone().into_bytes());
        let outcomes = send(options, vec![message(CONTENT)]);
        assert_eq!(outcomes[0].summary(), Summary::Accepted, "{outcomes:?}");
        let taken = running.taken();
        assert_eq!((taken[0].with, taken[0].content.as_slice()), ("ESMTPS", CONTENT));
    }
}

#[test]
fn without_tls_nothing_where_it_is_required() {
    let running = start(Desk::default(), Config { tls: Tls::Required, ..config() });
    let mut talk = Talk::new(&running);
    talk.expect("", "220 ");
    talk.expect("EHLO a\r\n", "250-");
    talk.expect("MAIL FROM:<a@b>\r\n", "530 5.7.0");
    // What stands behind STARTTLS is never taken for what comes inside TLS.
    talk.say("STARTTLS\r\nRSET\r\n");
    while !talk.reply().is_empty() {}
    assert!(talk.is_over());
}

#[test]
fn every_mechanism() {
    for mechanism in Mechanism::STRONGEST_FIRST {
        if mechanism == Mechanism::External {
            continue;
        }
        let (desk, config) = with_accounts(Config { tls: Tls::Required, ..config() });
        let running = start(desk, config);
        for (password, accepted) in [(PASSWORD, true), ("wrong", false)] {
            let options = secure(&running).mechanisms([mechanism]);
            let options = match mechanism {
                Mechanism::OauthBearer | Mechanism::Xoauth2 => options.token(USER, password).unwrap(),
                _ => options.password(USER, password).unwrap(),
            };
            let outcomes = send(options, vec![message(CONTENT)]);
            if accepted {
                assert_eq!(outcomes[0].summary(), Summary::Accepted, "{mechanism}: {outcomes:?}");
                let taken = running.taken();
                assert_eq!((taken[0].user.as_deref(), taken[0].with), (Some(USER), "ESMTPSA"));
            } else {
                let code = outcomes[0].error.as_ref().map(okuru::Error::code);
                assert_eq!(code, Some(ErrorCode::AuthRefused), "{mechanism}: {outcomes:?}");
                assert!(running.taken().is_empty());
            }
        }
    }
}

#[test]
fn a_client_certificate_proves_who_it_is_only_where_it_was_asked_for() {
    let (desk, config) = with_accounts(Config { tls: Tls::Required, ..config() });
    let authentication = config.authentication.clone().unwrap();
    let mechanisms = vec![Mechanism::External, Mechanism::Plain];
    let config = Config { authentication: Some(Authentication { mechanisms, ..authentication }), ..config };
    let running = start(desk, config);
    let options = secure(&running).mechanisms([Mechanism::External]);
    let outcomes = send(options.password(USER, PASSWORD).unwrap(), vec![message(CONTENT)]);
    let code = outcomes[0].error.as_ref().map(okuru::Error::code);
    assert_eq!(code, Some(ErrorCode::AuthNoMechanism), "{outcomes:?}");
}

#[test]
fn nobody_relays_who_has_not_logged_in() {
    let (desk, config) = with_accounts(config());
    let running = start(desk, config);
    let mut talk = Talk::new(&running);
    talk.expect("", "220 ");
    talk.expect("EHLO a\r\n", "250-");
    talk.expect("MAIL FROM:<a@b>\r\n", "530 5.7.0");
}

#[test]
fn each_recipient_has_its_own_reply() {
    let running = start(Desk::default(), config());
    let to = ["bob@example.org", "nobody@example.org", "slow@example.org", "carl@example.org"];
    let outcomes = send(plain(&running), vec![Message::new("ann@example.com", to, CONTENT).unwrap()]);
    let states: Vec<_> = outcomes[0].recipients.iter().map(|recipient| recipient.state).collect();
    assert_eq!(states, [State::Accepted, State::Rejected, State::Accepted, State::Accepted]);
    assert_eq!(running.taken()[0].recipients, ["<bob@example.org>", "<slow@example.org>", "<carl@example.org>"]);
}

#[test]
fn recipients_are_asked_about_at_the_same_time() {
    let running = start(Desk::default(), config());
    let to: Vec<_> = (0..20).map(|number| format!("slow{number}@example.org")).collect();
    let begun = Instant::now();
    let to = to.iter().map(String::as_str);
    let outcomes = send(plain(&running), vec![Message::new("ann@example.com", to, CONTENT).unwrap()]);
    assert_eq!(outcomes[0].summary(), Summary::Accepted, "{outcomes:?}");
    // One after the other they would take 6 seconds.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_handler_that_panics_ends_its_session_and_no_other() {
    let running = start(Desk::default(), config());
    let mut other = Talk::new(&running);
    other.expect("", "220 ");
    let mut talk = Talk::new(&running);
    talk.expect("", "220 ");
    talk.expect("EHLO a\r\n", "250-");
    talk.expect("MAIL FROM:<a@b>\r\n", "250 ");
    talk.expect("RCPT TO:<panic@b>\r\n", "421 4.3.0");
    assert!(talk.is_over());
    other.expect("EHLO a\r\n", "250-");
    other.expect("QUIT\r\n", "221 ");
    assert!(running.taken().is_empty());
}

#[test]
fn too_many_connections_are_told_so() {
    let limits = Limits { connections: 3, connections_per_address: 2, ..Limits::default() };
    let running = start_with(Desk::default(), config(), |server| server.limits(limits), |endpoint| endpoint);
    let mut talks = [Talk::new(&running), Talk::new(&running)];
    talks.iter_mut().for_each(|talk| talk.expect("", "220 "));
    let mut third = Talk::new(&running);
    third.expect("", "421 4.7.0 ");
    assert!(third.is_over());
    // Once one has gone, there is a place.
    talks[0].expect("QUIT\r\n", "221 ");
    assert!(talks[0].is_over());
    drop(talks);
    wait_until(|| running.connections() == 0);
    Talk::new(&running).expect("", "220 ");
}

#[test]
fn a_proxy_says_who_has_come() {
    let networks = ["127.0.0.0/8".parse().unwrap()];
    let limits = Limits { proxy_header: Duration::from_millis(300), ..Limits::default() };
    let server = |server: okuru::server::Server<Desk>| server.limits(limits);
    let running = start_with(Desk::default(), config(), server, |endpoint| endpoint.proxies(networks));
    let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x09\xc0\0\x02\x01\x12\x34\0\x19";
    for header in [&b"PROXY TCP4 192.0.2.9 192.0.2.1 5000 25\r\n"[..], header, b"PROXY UNKNOWN\r\n"] {
        let mut talk = Talk::new(&running);
        talk.0.get_mut().write_all(header).unwrap();
        talk.expect("", "220 ");
        talk.expect("EHLO a\r\n", "250-");
        talk.expect("MAIL FROM:<a@b>\r\n", "250 ");
        talk.expect("RCPT TO:<c@d>\r\n", "250 ");
        talk.expect("DATA\r\n", "354 ");
        talk.expect("x\r\n.\r\n", "250 ");
        let expected = (!header.ends_with(b"UNKNOWN\r\n")).then(|| "192.0.2.9".parse().unwrap());
        assert_eq!(running.taken()[0].address, expected);
    }
    // Without a header nothing is said.
    for words in ["", "EHLO a\r\n"] {
        let mut talk = Talk::new(&running);
        talk.say(words);
        assert_eq!(talk.reply(), "", "{words:?}");
    }
    // From elsewhere it is not taken.
    let elsewhere = ["192.0.2.0/24".parse().unwrap()];
    let running = start_with(Desk::default(), config(), |server| server, |endpoint| endpoint.proxies(elsewhere));
    let mut talk = Talk::new(&running);
    talk.expect("", "220 ");
    talk.expect("PROXY TCP4 192.0.2.9 192.0.2.1 5000 25\r\n", "5");
}

#[test]
fn stopping_finishes_what_was_begun() {
    let desk = Desk { delay: Duration::from_millis(500), ..Desk::default() };
    let mut running = start(desk, config());
    let address = running.address();
    let mut idle = Talk::new(&running);
    idle.expect("", "220 ");
    let mut sending = Talk::new(&running);
    sending.expect("", "220 ");
    sending.expect("EHLO a\r\n", "250-");
    sending.expect("MAIL FROM:<a@b>\r\n", "250 ");
    sending.expect("RCPT TO:<c@d>\r\n", "250 ");
    sending.expect("DATA\r\n", "354 ");
    let client = thread::spawn(move || {
        idle.expect("", "421 4.3.2");
        assert!(idle.is_over());
        sending.expect("x\r\n.\r\n", "250 ");
        sending.expect("", "421 4.3.2");
        assert!(sending.is_over());
        assert!(TcpStream::connect(address).is_err());
    });
    assert_eq!(running.stop(Duration::from_secs(20)), Stopped::default());
    client.join().unwrap();
    assert_eq!(running.taken().len(), 1);
    assert!(running.closed().values().all(|closed| *closed == Closed::Stopped));
}

#[test]
fn stopping_does_not_wait_for_ever() {
    let mut running = start(Desk::default(), config());
    let mut talk = Talk::new(&running);
    talk.expect("", "220 ");
    talk.expect("EHLO a\r\n", "250-");
    talk.expect("MAIL FROM:<a@b>\r\n", "250 ");
    talk.expect("RCPT TO:<c@d>\r\n", "250 ");
    talk.expect("DATA\r\n", "354 ");
    assert_eq!(running.stop(Duration::from_millis(200)).unfinished, 1);
    assert!(talk.is_over());
}

#[test]
fn a_client_that_says_nothing_is_told_to_go() {
    let mut config = config();
    config.timeouts.command = Duration::from_millis(200);
    let running = start(Desk::default(), config);
    let mut talk = Talk::new(&running);
    talk.expect("", "220 ");
    talk.expect("", "421 4.4.2");
    assert!(talk.is_over());
}

#[test]
fn a_client_that_has_gone_leaves_nothing_behind() {
    let running = start(Desk::default(), config());
    let mut talk = Talk::new(&running);
    talk.expect("", "220 ");
    talk.expect("EHLO a\r\n", "250-");
    talk.expect("MAIL FROM:<a@b>\r\n", "250 ");
    talk.expect("RCPT TO:<c@d>\r\n", "250 ");
    talk.expect("DATA\r\n", "354 ");
    talk.say("half a mess");
    drop(talk);
    wait_until(|| running.connections() == 0);
    assert!(running.taken().is_empty());
    assert!(matches!(&running.closed()[&0], Closed::Failed(error) if error.code() == ErrorCode::ProtocolClosed));
}

#[test]
fn lmtp_over_a_unix_socket() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("lmtp");
    let desk = Desk::default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for _ in 0..2 {
        let lmtp = Config { protocol: okuru::server::Protocol::Lmtp, ..config() };
        let running = runtime.block_on(async {
            let endpoint = okuru::server::Endpoint::unix(&path, lmtp).unwrap();
            okuru::server::Server::new(desk.clone()).endpoint(endpoint).start().unwrap()
        });
        let options = Options::new(&format!("lmtp://{}", path.display())).unwrap();
        let to = ["bob@example.org", "nobody@example.org", "carl@example.org"];
        let outcomes = send(options, vec![Message::new("ann@example.com", to, CONTENT).unwrap()]);
        let states: Vec<_> = outcomes[0].recipients.iter().map(|recipient| recipient.state).collect();
        assert_eq!(states, [State::Accepted, State::Rejected, State::Accepted], "{outcomes:?}");
        runtime.block_on(running.stop(Duration::from_secs(10)));
        assert!(!path.exists());
        // One that was left behind by a server that died is in nobody's way.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    }
    assert_eq!(desk.taken.lock().unwrap().len(), 2);
}

#[test]
fn what_is_wrong_is_said_at_the_start() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let no_endpoint = runtime.block_on(async { okuru::server::Server::new(Desk::default()).start() });
    assert_eq!(no_endpoint.map(drop).unwrap_err().code(), ErrorCode::Usage);
    let no_certificate = runtime.block_on(async {
        let config = Config { tls: Tls::Required, ..config() };
        let endpoint = okuru::server::Endpoint::bind("127.0.0.1:0", config).await.unwrap();
        okuru::server::Server::new(Desk::default()).endpoint(endpoint).start()
    });
    assert_eq!(no_certificate.map(drop).unwrap_err().code(), ErrorCode::Usage);
}

/// Waits for what must come, for half a minute at most.
fn wait_until(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(30));
        thread::sleep(Duration::from_millis(5));
    }
}
