//! What the bytes mean: how the session is configured, and what a client can say.

use std::time::Duration;

use arbitrary::Unstructured;
use okuru_core::sasl::Mechanism;
use okuru_core::server::{Asks, Authentication, Bounds, Config, Offer, Protocol, Role, Timeouts, Tls};
use okuru_core::syntax::Newlines;

use crate::bytes::{byte, flag, pick, short};

pub(super) const USER: &str = "tim";
pub(super) const PASSWORD: &str = "pencil-8fq3nZ0dWm";

/// Reads how the session is configured.
pub(super) fn config(from: &mut Unstructured<'_>) -> Config {
    let mut config = Config::new("mx.example".parse().expect("it is a domain"));
    config.protocol = pick(from, &[Protocol::Smtp, Protocol::Lmtp]);
    config.role = pick(from, &[Role::Mx, Role::Submission]);
    config.tls = pick(from, &[Tls::None, Tls::Offered, Tls::Required, Tls::Implicit]);
    config.offer = offer(from);
    let bits = byte(from);
    let bit = |place: u8| bits & (1 << place) != 0;
    config.asks = Asks {
        connect: bit(0),
        hello: bit(1),
        starttls: bit(2),
        reverse_path: bit(3),
        forward_path: bit(4),
        data: bit(5),
        quit: bit(6),
    };
    config.authentication = (byte(from) % 4 > 1).then(|| Authentication {
        mechanisms: vec![
            Mechanism::External,
            Mechanism::Xoauth2,
            Mechanism::CramMd5,
            Mechanism::Plain,
            Mechanism::Login,
        ],
        fake_seed: [7; 32],
        fake_iterations: 4096,
        dangerously_allow_plaintext: bit(7),
    });
    config.bounds = pick(from, &[Bounds::default(), TIGHT]);
    config.newlines = pick(from, &[Newlines::Refuse, Newlines::Fix]);
    config.timeouts = pick(from, &[Timeouts::default(), SHORT]);
    config.relay.local = vec!["x.example".parse().expect("it is a domain")];
    config.relay.dangerously_for_anyone = byte(from) % 8 == 7;
    config.trace = flag(from);
    config
}

/// Reads what is offered: a bit for each that is not.
pub(crate) fn offer(from: &mut Unstructured<'_>) -> Offer {
    let bits = !short(from);
    let bit = |place: u16| bits & (1 << place) != 0;
    Offer {
        pipelining: bit(0),
        chunking: bit(1),
        binarymime: bit(2),
        eight_bit_mime: bit(3),
        smtputf8: bit(4),
        size: bit(5),
        dsn: bit(6),
        enhanced_status_codes: bit(7),
        requiretls: bit(8),
        limits: bit(9),
    }
}

const TIGHT: Bounds = Bounds {
    command_line: 64,
    message: 20,
    recipients: 3,
    messages: 3,
    recipient_domains: Some(1),
    idle_commands: 8,
    bad_commands: 4,
    refusals: 4,
    auth_failures: 2,
    pending: 3,
    unwritten: 40,
    discarded: 60,
};

const SHORT: Timeouts = Timeouts {
    tls: Duration::from_secs(1),
    command: Duration::from_secs(1),
    content: Duration::from_secs(1),
    session: Duration::from_secs(10),
};

/// What a client can say, so that it need not be found by chance.
pub(super) const PHRASES: &[&[u8]] = &[
    b"EHLO client.example\r\n",
    b"MAIL FROM:<a@client.example>\r\n",
    b"RCPT TO:<b@x.example>\r\n",
    b"DATA\r\n",
    b"Subject: x\r\n\r\n..dots\r\n.\r\n",
    b"BDAT 5 LAST\r\none\r\n",
    b"QUIT\r\n",
    b"BDAT 3\r\n.\r\n",
    b"BDAT 0 LAST\r\n",
    b"RSET\r\n",
    b"LHLO client.example\r\n",
    b"HELO client.example\r\n",
    b"MAIL FROM:<> SIZE=10 BODY=8BITMIME\r\n",
    b"MAIL FROM:<j\xc3\xb6@client.example> BODY=BINARYMIME SMTPUTF8 RET=HDRS AUTH=<>\r\n",
    b"RCPT TO:<c@elsewhere.test>\r\n",
    b"RCPT TO:<Postmaster> NOTIFY=NEVER\r\n",
    b"RCPT TO:<d@X.EXAMPLE>\r\n",
    b"STARTTLS\r\n",
    b"AUTH PLAIN AHRpbQBwZW5jaWwtOGZxM25aMGRXbQ==\r\n",
    b"AUTH LOGIN\r\n",
    b"dGlt\r\n",
    b"cGVuY2lsLThmcTNuWjBkV20=\r\n",
    b"AUTH PLAIN a2ltAHRpbQBwZW5jaWwtOGZxM25aMGRXbQ==\r\n",
    b"AUTH CRAM-MD5\r\n",
    b"*\r\n",
    b"NOOP\r\n",
    b"VRFY x\r\n",
    b"EXPN x\r\n",
    b"HELP\r\n",
    b"one\n.\ntwo\r\n",
    b"a\rb\r\n",
    b".\r\n",
    b"\r\n.\r\n",
    b"POST / HTTP/1.1\r\n",
    b"NOOP \xff\r\n",
    b"NOOP aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
    b"AUTH XOAUTH2 dXNlcj10aW0BYXV0aD1CZWFyZXIgeAEB\r\n",
    b"AUTH EXTERNAL =\r\n",
    b"NOOP\n",
    b"BDAT 18446744073709551615\r\n",
];
