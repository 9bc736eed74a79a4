//! Both machines, joined by a wire that cuts, delays and breaks: their books have to agree (`okuru_tests::joined`).

use std::time::Duration;

use arbitrary::Unstructured;
use okuru_core::client::{self, Authentication, BodyDeclaration, Chunking, InFlight, Pipelining, Timeouts};
use okuru_core::sasl::{Credentials, Mechanism};
use okuru_core::server::{self, Asks, Bounds};
use okuru_core::syntax::Newlines;
use okuru_tests::joined::{self, End, Letter, Scenario, USER, Verdict};

use crate::bytes::{blob, byte, flag, pick, short};
use crate::receiver::offer;

/// A scenario. What the client says became of a message has to fit what the server has.
pub fn run(data: &[u8]) {
    let scenario = scenario(&mut Unstructured::new(data));
    if let Err(what) = joined::run(&scenario) {
        panic!("{what}\n{scenario:#?}");
    }
}

fn scenario(from: &mut Unstructured<'_>) -> Scenario {
    let is_lmtp = flag(from);
    let tls = byte(from) % 4;
    let authenticates = tls > 1 && flag(from);
    Scenario {
        client: client::Config {
            protocol: if is_lmtp { client::Protocol::Lmtp } else { client::Protocol::Smtp },
            tls: [client::Tls::None, client::Tls::Opportunistic, client::Tls::StartTls, client::Tls::Implicit]
                [usize::from(tls)],
            pipelining: pick(
                from,
                &[Pipelining::Session, Pipelining::Streaming, Pipelining::Message, Pipelining::None],
            ),
            chunking: pick(from, &[Chunking::Auto, Chunking::Prefer, Chunking::Never]),
            in_flight: pick(from, &[InFlight::default(), InFlight { messages: 2, bytes: 100, ..InFlight::default() }]),
            timeouts: pick(from, &[Timeouts::default(), Timeouts::all(Duration::from_millis(100))]),
            authentication: authenticates.then(|| authentication(from)),
            trace: flag(from),
            ..client::Config::new("mx.example", "client.example".parse().expect("it is a domain"))
        },
        server: server_config(from, is_lmtp, tls, authenticates),
        letters: (0..byte(from) % 4 + 1).map(|_| letter(from)).collect(),
        cuts: blob(from).iter().map(|&cut| cut.into()).collect(),
        latency: Duration::from_millis(u64::from(byte(from) % 64)),
        verdicts: blob(from).iter().map(|&verdict| VERDICTS[usize::from(verdict) % VERDICTS.len()]).collect(),
        delays: blob(from).iter().map(|&delay| u16::from(delay)).collect(),
        breaks: match byte(from) % 4 {
            0 | 1 => None,
            2 => Some((End::Client, short(from).into())),
            _ => Some((End::Server, short(from).into())),
        },
        stops: flag(from).then(|| Duration::from_millis(short(from).into())),
    }
}

/// Yes is what most often leads on.
const VERDICTS: [Verdict; 16] = {
    use Verdict::{Accept, Alternate, Close, Defer, Quit, Reject};
    [
        Accept, Accept, Accept, Accept, Accept, Accept, Accept, Accept, Alternate, Alternate, Reject, Reject, Defer,
        Defer, Quit, Close,
    ]
};

fn authentication(from: &mut Unstructured<'_>) -> Authentication {
    // SCRAM would spend all the time.
    let mechanism = pick(from, &[Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5]);
    let password = if byte(from) % 8 == 7 { "wrong" } else { USER.1 };
    Authentication {
        credentials: Credentials::password(USER.0, password, None).expect("these are good"),
        mechanisms: Some(vec![mechanism]),
        dangerously_allow_plaintext: false,
        try_all: false,
        port: 587,
        nonce: [5; 24],
    }
}

fn server_config(from: &mut Unstructured<'_>, is_lmtp: bool, tls: u8, authenticates: bool) -> server::Config {
    let mut config = server::Config::new("mx.example".parse().expect("it is a domain"));
    config.protocol = if is_lmtp { server::Protocol::Lmtp } else { server::Protocol::Smtp };
    config.tls = match tls {
        0 => server::Tls::None,
        1 => pick(from, &[server::Tls::None, server::Tls::Offered]),
        2 => pick(from, &[server::Tls::Required, server::Tls::Offered]),
        _ => server::Tls::Implicit,
    };
    if authenticates {
        config.role = server::Role::Submission;
        config.authentication = Some(server::Authentication {
            mechanisms: Mechanism::STRONGEST_FIRST.to_vec(),
            fake_seed: [1; 32],
            fake_iterations: 4096,
            dangerously_allow_plaintext: false,
        });
    } else {
        config.relay.local = vec!["x.example".parse().expect("it is a domain")];
    }
    config.offer = offer(from);
    config.asks = pick(from, &[Asks::everywhere(), Asks::nowhere(), Asks::default()]);
    config.bounds = pick(
        from,
        &[
            Bounds::default(),
            Bounds { message: 60, recipients: 2, messages: 3, pending: 2, unwritten: 1, ..Bounds::default() },
            Bounds { recipient_domains: Some(1), bad_commands: 2, refusals: 1, discarded: 50, ..Bounds::default() },
        ],
    );
    config.newlines = pick(from, &[Newlines::Refuse, Newlines::Fix]);
    config.timeouts = pick(
        from,
        &[
            server::Timeouts::default(),
            server::Timeouts { command: Duration::from_millis(50), ..server::Timeouts::default() },
            server::Timeouts { session: Duration::from_millis(200), ..server::Timeouts::default() },
        ],
    );
    config
}

fn letter(from: &mut Unstructured<'_>) -> Letter {
    Letter {
        recipients: byte(from) % 4 + 1,
        content: blob(from).to_vec(),
        chunks: flag(from).then(|| u16::from(byte(from))),
        declaration: pick(
            from,
            &[
                BodyDeclaration::Auto,
                BodyDeclaration::BinaryMime,
                BodyDeclaration::EightBitMime,
                BodyDeclaration::SevenBit,
            ],
        ),
    }
}
