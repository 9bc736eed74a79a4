//! Every dialogue of `tests/vectors/pop3/`, through the machine of the core.
//!
//! A dialogue is a transcript: what is put into the machine and what comes out of it, line by line. Running it puts in what it
//! says, writes down what comes out, and compares the two. `tests/vectors/README.md` has the format.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use okuru_core::client::{Authentication, Timeouts, Tls, TlsInfo};
use okuru_core::pop3::{Closed, Config, Connection, Event, Login, Output, Trace};
use okuru_core::sasl::Credentials;
use okuru_core::{Error, ErrorCode};

struct Dialogue {
    name: String,
    config: Config,
    secrets: Vec<String>,
    lines: Vec<String>,
}

/// How the server's bytes are cut.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    /// Into pieces of so many bytes.
    Pieces(usize),
    /// Each block in two, behind so many bytes.
    At(usize),
}

#[test]
fn every_dialogue_holds() {
    let dialogues = dialogues();
    assert!(dialogues.len() >= 52, "{} dialogues", dialogues.len());
    let mut runs = 0;
    for dialogue in &dialogues {
        let longest = blocks(&dialogue.lines).map(|block| block.len()).max().unwrap_or_default();
        let cuts = [Cut::Whole, Cut::Pieces(1), Cut::Pieces(2)].into_iter().chain((1..longest).map(Cut::At));
        for cut in cuts {
            let transcript = play(dialogue, cut);
            assert_eq!(transcript, dialogue.lines, "{} {cut:?}", dialogue.name);
            runs += 1;
        }
    }
    println!("{} dialogues, {runs} runs", dialogues.len());
}

#[test]
fn whatever_breaks_off_ends_once() {
    let mut broken = 0;
    for dialogue in &dialogues() {
        let bytes: usize = blocks(&dialogue.lines).map(|block| block.len()).sum();
        for offset in 0..=bytes {
            for end in ["eof", "fails connect.lost", "garbage", "silence"] {
                break_off(dialogue, offset, end);
                broken += 1;
            }
        }
    }
    println!("{broken} broken off");
}

fn dialogues() -> Vec<Dialogue> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/pop3");
    let entries = fs::read_dir(&folder).expect("the folder is there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Dialogue {
    let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
    let source = fs::read_to_string(path).expect("the file can be read");
    let mut blocks = source.splitn(2, "\n\n");
    let (header, body) = (blocks.next().unwrap_or_default(), blocks.next().expect("a dialogue behind an empty line"));
    let (mut user, mut password, mut token) = (None, None, false);
    let authentication = Authentication {
        credentials: Credentials::external(None).expect("it needs nothing"),
        mechanisms: None,
        dangerously_allow_plaintext: false,
        try_all: false,
        port: 110,
        nonce: std::array::from_fn(|index| index as u8),
    };
    let mut config = Config { tls: Tls::None, trace: true, ..Config::new("pop.example", authentication) };
    for line in header.lines().filter(|line| !line.starts_with('#')) {
        let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (key, rest) {
            ("tls", "starttls") => config.tls = Tls::StartTls,
            ("tls", "implicit") => config.tls = Tls::Implicit,
            ("tls", "opportunistic") => config.tls = Tls::Opportunistic,
            ("login", "apop") => config.login = Login::Apop,
            ("login", "user") => config.login = Login::UserPass,
            ("login", "sasl") => config.login = Login::Sasl,
            ("allow", "plaintext") => config.authentication.dangerously_allow_plaintext = true,
            ("try", "all") => config.authentication.try_all = true,
            ("user", _) => user = Some(rest.to_owned()),
            ("password", _) => password = Some(rest.to_owned()),
            ("token", "later") => token = true,
            ("mechanisms", _) => {
                let names = rest.split(' ').map(|name| name.parse().expect("a mechanism"));
                config.authentication.mechanisms = Some(names.collect());
            }
            ("reply-limit", _) => {
                let (bound, number) = rest.split_once(' ').expect("a bound and a number");
                let number = number.parse().expect("a number");
                match bound {
                    "line" => config.reply_limits.line = number,
                    "lines" => config.reply_limits.lines = number,
                    _ => config.reply_limits.bytes = number,
                }
            }
            _ => panic!("{name}: what is {line:?}?"),
        }
    }
    let mut secrets: Vec<String> = password.iter().cloned().collect();
    config.authentication.credentials = match (token, password) {
        (true, _) => Credentials::token(user, None),
        (false, Some(password)) => Credentials::password(user.expect("a name"), password, None),
        (false, None) => panic!("{name}: no credentials"),
    }
    .expect("credentials");
    let lines: Vec<String> = body.lines().filter(|line| !line.is_empty()).map(Into::into).collect();
    secrets.extend(lines.iter().filter_map(|line| line.strip_prefix("token ")).map(Into::into));
    Dialogue { name, config, secrets, lines }
}

/// What the server says at once.
fn block(lines: &[String]) -> (Vec<u8>, usize) {
    let said = lines.iter().map_while(|line| line.strip_prefix("S: ").or_else(|| line.strip_prefix("S! ")));
    let count = said.clone().count();
    (said.flat_map(unescaped).collect(), count)
}

fn blocks(lines: &[String]) -> impl Iterator<Item = Vec<u8>> {
    let first = |index: &usize| *index == 0 || block(&lines[index - 1..]).1 == 0;
    (0..lines.len()).filter(first).map(|index| block(&lines[index..]).0).filter(|block| !block.is_empty())
}

fn unescaped(line: &str) -> Vec<u8> {
    let (line, end) = line.strip_suffix('\\').map_or((line, &b"\r\n"[..]), |line| (line, b""));
    let mut bytes = Vec::new();
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once('\\') {
        bytes.extend(before.bytes());
        let length = if behind.starts_with('x') { 3 } else { 1 };
        bytes.push(match behind.as_bytes()[0] {
            b'r' => b'\r',
            _ => u8::from_str_radix(&behind[1..3], 16).expect("two digits"),
        });
        rest = &behind[length..];
    }
    bytes.extend(rest.bytes());
    bytes.extend(end);
    bytes
}

fn time(text: &str) -> Duration {
    Duration::from_secs(text.strip_suffix('s').and_then(|text| text.parse().ok()).expect("seconds"))
}

fn code(name: &str) -> ErrorCode {
    *ErrorCode::ALL.iter().find(|code| code.as_str() == name).expect("an error code")
}

/// A machine, and the transcript of what happens to it.
struct Player<'a> {
    dialogue: &'a Dialogue,
    machine: Connection,
    now: Duration,
    deadline: Option<Duration>,
    transcript: Vec<String>,
}

fn play(dialogue: &Dialogue, cut: Cut) -> Vec<String> {
    let mut player = Player::new(dialogue);
    let mut index = 0;
    player.drain();
    while index < dialogue.lines.len() {
        let (bytes, count) = block(&dialogue.lines[index..]);
        if count == 0 {
            player.put_in(&dialogue.lines[index]);
            index += 1;
            continue;
        }
        let lines = &dialogue.lines[index..index + count];
        player.transcript.extend_from_slice(lines);
        let at_once = lines[0].starts_with("S! ");
        let (first, second) = match cut {
            Cut::At(offset) if offset < bytes.len() && !at_once => bytes.split_at(offset),
            _ => (&bytes[..], &[][..]),
        };
        let size = match cut {
            Cut::Pieces(size) if !at_once => size,
            _ => bytes.len(),
        };
        for piece in first.chunks(size).chain(second.chunks(size)) {
            player.machine.receive(player.now, piece);
            player.drain();
        }
        index += count;
    }
    player.transcript
}

impl<'a> Player<'a> {
    fn new(dialogue: &'a Dialogue) -> Self {
        let machine = Connection::new(dialogue.config.clone());
        Self { dialogue, machine, now: Duration::from_secs(1000), deadline: None, transcript: Vec::new() }
    }

    /// A line that puts something in; what the machine is to say, it says itself.
    fn put_in(&mut self, line: &str) {
        let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
        if matches!(key, "C:" | ">" | "*" | "=") {
            return;
        }
        self.transcript.push(line.into());
        match key {
            "handshake" => {
                let info = TlsInfo { verified: rest == "verified", channel_binding: None };
                self.machine.tls_started(self.now, info);
            }
            "token" => self.machine.token(self.now, rest.into()),
            "fails" => self.machine.failed(Error::new(code(rest), "it failed")),
            "eof" => self.machine.receive_eof(self.now),
            "wait" => {
                self.now += time(rest);
                assert!(self.deadline.is_some_and(|deadline| deadline > self.now), "{}", self.dialogue.name);
                self.machine.deadline_passed(self.now);
            }
            "deadline" => {
                self.now += time(rest);
                assert_eq!(self.deadline, Some(self.now), "{}", self.dialogue.name);
                self.machine.deadline_passed(self.now);
            }
            _ => panic!("{}: what is {line:?}?", self.dialogue.name),
        }
        self.drain();
    }

    /// Writes down all that comes out.
    fn drain(&mut self) {
        self.discreet(&format!("{:?}", self.machine));
        loop {
            let line = match self.machine.poll(self.now) {
                Output::Write(bytes) => {
                    let text = String::from_utf8(bytes).expect("we speak UTF-8");
                    let line = text.strip_suffix("\r\n").expect("a line has its end");
                    assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
                    if line.is_empty() { "C:".into() } else { format!("C: {line}") }
                }
                Output::StartTls { server_name, verify } => {
                    assert_eq!(server_name, "pop.example");
                    format!("> start-tls{}", if verify { " verify" } else { "" })
                }
                Output::GetToken => "> get-token".into(),
                Output::Event(event) => match self.event(&event) {
                    Some(line) => line,
                    None => continue,
                },
                Output::Wait { deadline } => {
                    self.deadline = deadline;
                    return;
                }
                Output::Closed(closed) => {
                    assert_eq!(self.machine.poll(self.now), Output::Closed(closed.clone()));
                    let line = match closed {
                        Closed::Quit => "= closed quit".into(),
                        Closed::Failed(failure) => {
                            assert!(failure.error.step().is_some(), "{}", failure.error);
                            self.discreet(&format!("{failure:?} {}", failure.error));
                            format!("= closed {}", failure.error.code())
                        }
                    };
                    if self.transcript.last() != Some(&line) {
                        self.transcript.push(line);
                    }
                    return;
                }
            };
            self.transcript.push(line);
        }
    }

    fn event(&self, event: &Event) -> Option<String> {
        match event {
            Event::LoggedIn(method) => Some(format!("* logged-in {method}")),
            Event::Maildrop { messages, octets } => Some(format!("* maildrop {messages} {octets}")),
            Event::Trace(Trace::Sent(line) | Trace::Received(line)) => {
                assert!(!line.contains(['\r', '\n']) && !line.chars().any(char::is_control), "{line:?}");
                self.discreet(line);
                None
            }
            _ => None,
        }
    }

    fn discreet(&self, text: &str) {
        for secret in &self.dialogue.secrets {
            let encoded = BASE64.encode(secret);
            assert!(!text.contains(secret) && !text.contains(&encoded), "{}: {text}", self.dialogue.name);
        }
    }
}

/// Plays a dialogue up to so many bytes of the server's, and ends it there.
fn break_off(dialogue: &Dialogue, offset: usize, end: &str) {
    let mut player = Player::new(dialogue);
    let (mut left, mut lines) = (offset, VecDeque::from(dialogue.lines.clone()));
    player.drain();
    while let Some(line) = lines.pop_front() {
        let (bytes, count) = block(std::slice::from_ref(&line));
        if count == 0 {
            player.put_in(&line);
            continue;
        }
        let taken = &bytes[..left.min(bytes.len())];
        player.machine.receive(player.now, taken);
        player.drain();
        if taken.len() < bytes.len() {
            break;
        }
        left -= taken.len();
    }
    let was_closed = player.machine.is_closed();
    let before = player.machine.poll(player.now);
    match end {
        "garbage" => player.machine.receive(player.now, b"\0"),
        "silence" => {
            for _ in 0..20 {
                let Output::Wait { deadline: Some(deadline) } = player.machine.poll(player.now) else { break };
                player.now = deadline;
                player.machine.deadline_passed(player.now);
                player.drain();
            }
        }
        end => player.put_in(end),
    }
    player.drain();
    let waits_for_the_host = matches!(before, Output::Wait { deadline: None });
    assert!(player.machine.is_closed() || end == "silence" && waits_for_the_host, "{} {offset} {end}", dialogue.name);
    let after = player.machine.poll(player.now);
    if was_closed {
        assert_eq!(before, after, "{} {offset} {end}", dialogue.name);
    }
    if let Output::Closed(closed) = &after {
        let logged_in = player.transcript.iter().any(|line| line.starts_with("* logged-in"));
        assert!(logged_in || *closed != Closed::Quit, "{} {offset} {end}", dialogue.name);
        // It stays so, whatever comes.
        player.machine.receive(player.now, b"+OK\r\n");
        player.machine.receive_eof(player.now);
        player.machine.failed(Error::new(ErrorCode::ConnectLost, "it failed"));
        player.machine.tls_started(player.now, TlsInfo::default());
        player.machine.token(player.now, "x".into());
        player.machine.deadline_passed(Duration::MAX);
        assert_eq!(player.machine.poll(player.now), after);
    }
}

#[test]
fn times_are_settable() {
    let config = &dialogues()[0].config;
    let timeouts = Timeouts::all(Duration::from_secs(2));
    let mut machine = Connection::new(Config { timeouts, tls: Tls::None, ..config.clone() });
    assert_eq!(machine.poll(Duration::ZERO), Output::Wait { deadline: Some(Duration::from_secs(2)) });
}
