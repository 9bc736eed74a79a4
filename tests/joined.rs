//! Both machines, joined by a fake wire in virtual time: the two sides' books agree, whatever is cut, late or lost.

use std::time::Duration;

use okuru_core::client::{self, Authentication, BodyDeclaration, Chunking, Pipelining};
use okuru_core::sasl::{Credentials, Mechanism};
use okuru_core::server::{self, Asks, Offer};
use okuru_tests::joined::{End, Letter, Scenario, Tally, USER, Verdict, run};

fn letter(recipients: u8, content: &[u8]) -> Letter {
    Letter { recipients, content: content.to_vec(), chunks: None, declaration: BodyDeclaration::Auto }
}

/// Three messages, of which each is accepted.
fn scenario() -> Scenario {
    let mut server = server::Config::new("mx.example".parse().unwrap());
    server.relay.local = vec!["x.example".parse().unwrap()];
    server.asks = Asks::everywhere();
    let ehlo = "client.example".parse().unwrap();
    Scenario {
        client: client::Config { tls: client::Tls::None, ..client::Config::new("mx.example", ehlo) },
        server,
        letters: vec![
            letter(2, b"Subject: one\r\n\r\n.dots\r\n..\r\n.\r\n"),
            Letter { chunks: Some(5), ..letter(1, b"bare\nlines\r\r\nand no end") },
            letter(3, &b"\xc3\xa9 and much of it\r\n".repeat(300)),
        ],
        cuts: Vec::new(),
        latency: Duration::from_millis(10),
        verdicts: Vec::new(),
        delays: Vec::new(),
        breaks: None,
        stops: None,
    }
}

fn lmtp(mut scenario: Scenario) -> Scenario {
    scenario.client.protocol = client::Protocol::Lmtp;
    scenario.server.protocol = server::Protocol::Lmtp;
    scenario
}

const LEVELS: [Pipelining; 4] = [Pipelining::None, Pipelining::Message, Pipelining::Session, Pipelining::Streaming];

/// Each way in which the client can send, SMTP and LMTP.
fn ways() -> impl Iterator<Item = Scenario> {
    let chunkings = [Chunking::Auto, Chunking::Prefer, Chunking::Never];
    let levels = LEVELS.into_iter().flat_map(move |level| chunkings.map(|chunking| (level, chunking)));
    levels.flat_map(|(pipelining, chunking)| {
        let mut scenario = scenario();
        scenario.client.pipelining = pipelining;
        scenario.client.chunking = chunking;
        [scenario.clone(), lmtp(scenario)]
    })
}

fn played(scenario: &Scenario) -> Tally {
    run(scenario).unwrap_or_else(|what| panic!("{what}\n{scenario:#?}"))
}

#[test]
fn everything_arrives_in_every_way() {
    for way in ways() {
        for cuts in [vec![], vec![1], vec![2, 3, 7], vec![60]] {
            for delays in [vec![], vec![0, 35, 5]] {
                let tally = played(&Scenario { cuts: cuts.clone(), delays, ..way.clone() });
                assert_eq!((tally.accepted, tally.refused, tally.unknown), (6, 0, 0), "{way:#?}");
            }
        }
    }
}

#[test]
fn what_is_offered_does_not_matter() {
    for way in ways() {
        for offer in [Offer::nothing(), Offer::everything(), Offer { pipelining: true, ..Offer::nothing() }] {
            let mut scenario = way.clone();
            scenario.server.offer = offer;
            // The last one has octets above 127.
            let accepted = if offer.eight_bit_mime { 6 } else { 3 };
            let tally = played(&scenario);
            assert_eq!((tally.accepted, tally.refused, tally.unknown), (accepted, 6 - accepted, 0), "{scenario:#?}");
        }
    }
}

#[test]
fn binary_content_is_not_touched() {
    for pipelining in LEVELS {
        let mut scenario = scenario();
        scenario.client.pipelining = pipelining;
        let binary =
            Letter { declaration: BodyDeclaration::BinaryMime, ..letter(1, b"\0\r.\n\xff\n.\r\n.\r\nQUIT\r\n") };
        scenario.letters = vec![binary.clone(), Letter { chunks: Some(3), ..binary }];
        assert_eq!(played(&scenario).accepted, 2);
    }
}

#[test]
fn tls_and_each_mechanism() {
    let mechanisms =
        [Mechanism::ScramSha256, Mechanism::ScramSha1, Mechanism::CramMd5, Mechanism::Plain, Mechanism::Login];
    for mechanism in mechanisms {
        for tls in [client::Tls::StartTls, client::Tls::Implicit] {
            let mut scenario = scenario();
            scenario.client.tls = tls;
            scenario.client.authentication = Some(Authentication {
                credentials: Credentials::password(USER.0, USER.1, None).unwrap(),
                mechanisms: Some(vec![mechanism]),
                dangerously_allow_plaintext: false,
                try_all: false,
                port: 587,
                nonce: [5; 24],
            });
            scenario.server.role = server::Role::Submission;
            scenario.server.relay = server::RelayPolicy::default();
            scenario.server.tls = match tls {
                client::Tls::Implicit => server::Tls::Implicit,
                _ => server::Tls::Required,
            };
            scenario.server.authentication = Some(server::Authentication {
                mechanisms: Mechanism::STRONGEST_FIRST.to_vec(),
                fake_seed: [1; 32],
                fake_iterations: 4096,
                dangerously_allow_plaintext: false,
            });
            scenario.cuts = vec![11, 1];
            assert_eq!(played(&scenario).accepted, 6, "{mechanism}");
        }
    }
}

#[test]
fn limits_are_kept() {
    for (recipients, messages, domains) in [(2, 1000, None), (1, 1000, None), (1000, 2, None), (1000, 1000, Some(1))] {
        let mut scenario = scenario();
        scenario.server.bounds.recipients = recipients;
        scenario.server.bounds.messages = messages;
        scenario.server.bounds.recipient_domains = domains;
        let tally = played(&scenario);
        let accepted = if messages == 2 { 3 } else { 6 };
        assert_eq!((tally.accepted, tally.unknown), (accepted, 0), "{scenario:#?}");
    }
}

#[test]
fn the_books_agree_whatever_the_host_says() {
    use Verdict::{Accept, Alternate, Close, Defer, Quit, Reject};
    let all = [Accept, Reject, Defer, Quit, Close, Alternate];
    for way in ways() {
        for odd in all {
            for place in 0..16 {
                let mut verdicts = vec![Accept; 40];
                verdicts[place] = odd;
                played(&Scenario { verdicts: verdicts.clone(), ..way.clone() });
                played(&Scenario { verdicts, delays: vec![3, 0, 40], cuts: vec![90], ..way.clone() });
            }
        }
    }
}

#[test]
fn the_books_agree_wherever_the_wire_breaks() {
    let mut unknown = 0;
    for way in ways() {
        let way = Scenario { letters: way.letters.iter().take(2).cloned().collect(), ..way };
        for side in [End::Client, End::Server] {
            for octets in (1..700).step_by(3) {
                unknown += played(&Scenario { breaks: Some((side, octets)), ..way.clone() }).unknown;
            }
        }
    }
    assert!(unknown > 0, "nothing broke where it hurts");
}

#[test]
fn the_books_agree_whenever_the_server_is_stopped() {
    // Who streams has sent content before it is awaited.
    for way in ways().filter(|way| way.client.pipelining != Pipelining::Streaming) {
        for after in (0..300).step_by(5) {
            let stops = Some(Duration::from_millis(after));
            let tally = played(&Scenario { stops, delays: vec![7], ..way.clone() });
            assert_eq!(tally.unknown, 0, "a server that is being stopped says what became of what it has");
        }
    }
}

#[test]
fn round_trips_are_what_the_levels_promise() {
    let mut times = Vec::new();
    for pipelining in LEVELS {
        let mut scenario = scenario();
        scenario.client.pipelining = pipelining;
        scenario.letters = vec![letter(1, b"hello\r\n"); 20];
        times.push(played(&scenario).time);
    }
    assert!(times.windows(2).all(|pair| pair[0] > pair[1]), "{times:?}");
}
