//! POP before SMTP, with a server and a host that do anything.
//!
//! - Each thing that is written is one line; nothing is written while TLS is made, or behind QUIT.
//! - Nothing of the credentials goes over a connection that is not protected, unless that was allowed.
//! - The user is logged in once at the most, and only then it ends well.
//! - The same calls give the same outputs, whatever the cuts. Once closed it stays so.
//! - Whatever is waited for has a deadline.
//! - No secret is in an event, an error or the trace.

use std::time::Duration;

use arbitrary::Unstructured;
use okuru_core::client::{Authentication, Tls, TlsInfo};
use okuru_core::pop3::{Closed, Config, Connection, Event, Login, Output};
use okuru_core::sasl::{ChannelBinding, ChannelBindingKind, Credentials};
use okuru_core::syntax::ReplyLimits;
use okuru_core::{Error, ErrorCode};

use crate::bytes::{blob, byte, flag, pick, pieces};

const PASSWORD: &str = "pencil-8fq3nZ0dWm";
const TOKEN: &str = "token-Kx91vvQpLs72";

/// A call of the host's.
#[derive(Clone, Copy, Debug)]
enum Call<'a> {
    Receive(&'a [u8]),
    TlsStarted { verified: bool, binds: bool },
    Token,
    Failed,
    Eof,
    Deadline,
}

/// What the server said is often this.
const LINES: [&[u8]; 12] = [
    b"+OK ready <1896.697170952@dbc.mtview.ca.us>\r\n",
    b"+OK\r\n",
    b"-ERR [IN-USE] no\r\n",
    b"+OK\r\nSTLS\r\nUSER\r\nSASL PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256 XOAUTH2 EXTERNAL\r\n.\r\n",
    b"+OK\r\nUSER\r\nUTF8 USER\r\n.\r\n",
    b"-ERR\r\n",
    b"+ \r\n",
    b"+ PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2U+\r\n",
    b"+OK 2 320\r\n",
    b"+OK\r\nSASL SCRAM-SHA-256-PLUS OAUTHBEARER LOGIN\r\n.\r\n",
    b"+\r\n",
    b".\r\n",
];

/// A configuration, and calls.
pub fn run(data: &[u8]) {
    // A server that knows a secret may say it.
    if [PASSWORD, TOKEN].iter().any(|secret| data.windows(secret.len()).any(|window| window == secret.as_bytes())) {
        return;
    }
    let mut from = Unstructured::new(data);
    let config = config(&mut from);
    let sizes = blob(&mut from);
    let mut host = Host::new(config.clone());
    host.drain();
    let mut calls = Vec::new();
    while !from.is_empty() && calls.len() < 64 {
        let call = call(&mut from);
        calls.push(call);
        host.make(call, &[]);
    }
    let mut again = Host::new(config);
    again.drain();
    calls.iter().for_each(|call| again.make(*call, sizes));
    assert_eq!(host.seen, again.seen);
    host.end();
}

fn config(from: &mut Unstructured<'_>) -> Config {
    let credentials = match byte(from) % 5 {
        0 => Credentials::password("mrose", PASSWORD, None),
        1 => Credentials::password("jos\u{e9}", PASSWORD, None),
        2 => Credentials::password("m rose", PASSWORD, Some("other".into())),
        3 => Credentials::token(Some("mrose".into()), None),
        _ => Credentials::external(None),
    };
    let authentication = Authentication {
        credentials: credentials.expect("they are well formed"),
        mechanisms: None,
        dangerously_allow_plaintext: flag(from),
        try_all: flag(from),
        port: 110,
        nonce: [7; 24],
    };
    Config {
        tls: pick(from, &[Tls::None, Tls::StartTls, Tls::Implicit, Tls::Opportunistic]),
        login: pick(from, &[Login::Auto, Login::Sasl, Login::UserPass, Login::Apop]),
        reply_limits: pick(
            from,
            &[
                ReplyLimits::default(),
                ReplyLimits { line: 80, lines: 3, bytes: 100 },
                ReplyLimits { line: 0, lines: 0, bytes: 0 },
            ],
        ),
        trace: flag(from),
        ..Config::new("pop.example", authentication)
    }
}

fn call<'a>(from: &mut Unstructured<'a>) -> Call<'a> {
    match byte(from) {
        line @ ..96 => Call::Receive(LINES[usize::from(line) % LINES.len()]),
        96..160 => Call::Receive(blob(from)),
        160..200 => Call::TlsStarted { verified: flag(from), binds: flag(from) },
        200..220 => Call::Token,
        220..230 => Call::Failed,
        230..240 => Call::Eof,
        _ => Call::Deadline,
    }
}

struct Host {
    config: Config,
    machine: Connection,
    now: Duration,
    deadline: Option<Duration>,
    secure: bool,
    handshake: bool,
    token: bool,
    quit: bool,
    logged_in: bool,
    seen: Vec<Output>,
}

impl Host {
    fn new(config: Config) -> Self {
        Self {
            secure: config.authentication.dangerously_allow_plaintext,
            machine: Connection::new(config.clone()),
            config,
            now: Duration::ZERO,
            deadline: None,
            handshake: false,
            token: false,
            quit: false,
            logged_in: false,
            seen: Vec::new(),
        }
    }

    /// Makes a call; bytes in pieces of these sizes, without looking between them at what comes out.
    fn make(&mut self, call: Call<'_>, sizes: &[u8]) {
        match call {
            Call::Receive(bytes) => {
                pieces(bytes, sizes).iter().for_each(|piece| self.machine.receive(self.now, piece));
            }
            Call::TlsStarted { verified, binds } => {
                if self.handshake {
                    self.secure |= verified;
                    self.handshake = false;
                }
                let channel_binding =
                    binds.then(|| ChannelBinding::new(ChannelBindingKind::TlsExporter, &b"what both ends know"[..]));
                self.machine.tls_started(self.now, TlsInfo { verified, channel_binding });
            }
            Call::Token => {
                self.token = false;
                self.machine.token(self.now, TOKEN.into());
            }
            Call::Failed => self.machine.failed(Error::new(ErrorCode::ConnectLost, "it failed")),
            Call::Eof => self.machine.receive_eof(self.now),
            Call::Deadline => {
                if let Some(deadline) = self.deadline {
                    self.now = deadline;
                    self.machine.deadline_passed(self.now);
                }
            }
        }
        self.drain();
    }

    fn drain(&mut self) {
        for _ in 0..1000 {
            let output = self.machine.poll(self.now);
            self.seen.push(output.clone());
            match output {
                Output::Write(bytes) => self.written(&bytes),
                Output::StartTls { .. } => self.handshake = true,
                Output::GetToken => self.token = true,
                Output::Event(event) => {
                    discreet(&format!("{event:?}"));
                    if let Event::LoggedIn(_) = event {
                        assert!(self.secure && !self.logged_in);
                        self.logged_in = true;
                    }
                }
                Output::Wait { deadline } => {
                    assert!(
                        deadline.is_none_or(|deadline| deadline > self.now),
                        "a deadline that was told comes again"
                    );
                    assert_eq!(deadline.is_none(), self.token, "who is waited for?");
                    self.deadline = deadline;
                    return;
                }
                Output::Closed(closed) => {
                    assert!(self.logged_in || closed != Closed::Quit);
                    discreet(&format!("{closed:?}"));
                    assert!(self.machine.is_closed());
                    assert_eq!(self.machine.poll(Duration::MAX), Output::Closed(closed));
                    (self.deadline, self.token) = (None, false);
                    return;
                }
            }
        }
        panic!("the outputs do not end");
    }

    fn written(&mut self, bytes: &[u8]) {
        assert!(!self.quit && !self.handshake, "nothing may be said now");
        let line = bytes.strip_suffix(b"\r\n").expect("a line has its end");
        assert!(!line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        let is = |verb: &str| line.starts_with(verb.as_bytes());
        if !matches!(line, b"CAPA" | b"STLS" | b"STAT" | b"QUIT" | b"*") {
            assert!(self.secure, "credentials in the clear");
            let required = matches!(self.config.tls, Tls::StartTls | Tls::Implicit);
            assert!(!required || self.seen.iter().any(|output| matches!(output, Output::StartTls { .. })));
        }
        assert!(!is("AUTH") || line.len() + 2 <= 255);
        self.quit |= line == b"QUIT";
    }

    /// The server says nothing more, and the host does what it can.
    fn end(&mut self) {
        for _ in 0..16 {
            self.make(if self.token { Call::Failed } else { Call::Deadline }, &[]);
        }
        assert!(self.machine.is_closed(), "{:?}", self.machine);
        let last = self.machine.poll(self.now);
        self.machine.receive(self.now, b"+OK\r\n");
        self.machine.receive_eof(self.now);
        self.machine.tls_started(self.now, TlsInfo::default());
        self.machine.token(self.now, TOKEN.into());
        assert_eq!(self.machine.poll(self.now), last);
    }
}

fn discreet(text: &str) {
    assert!(!text.contains(PASSWORD) && !text.contains(TOKEN), "{text}");
}
