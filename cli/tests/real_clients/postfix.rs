//! Postfix: its source of test messages, and the server itself in front.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::{Stage, message, run_client};

#[test]
fn smtp_source_as_load() {
    const MESSAGES: usize = 2000;
    const LENGTH: usize = 2048;
    let mut stage = Stage::new(&[]);
    for (options, messages) in [(&["-d"][..], MESSAGES), (&[], 100)] {
        let mut command = Command::new("/usr/sbin/smtp-source");
        command.args(["-m", &messages.to_string(), "-s", "20", "-l", &LENGTH.to_string()]).args(options);
        command.args(["-f", "ann@example.com", "-t", "bob@example.org", &format!("127.0.0.1:{}", stage.port())]);
        run_client(&mut command);
        let mut ids = HashSet::new();
        for _ in 0..messages {
            let (content, told) = stage.arrived();
            assert_eq!((&told["protocol"], &told["size"]), (&"SMTP".into(), &content.len().into()));
            let text = String::from_utf8(content).unwrap();
            let (header, body) = text.split_once("\r\n\r\n").unwrap();
            let id = header.lines().find(|line| line.starts_with("Message-Id: ")).unwrap();
            assert!(ids.insert(id.to_owned()), "{id} came twice");
            // Its content is numbered lines of X, up to the length that was asked for.
            assert!(body.ends_with("X\r\n") && body.bytes().all(|byte| b"X\r\n0123456789".contains(&byte)), "{body}");
            assert!(text.len().abs_diff(LENGTH) < 200, "{}", text.len());
        }
    }
    assert_eq!(stage.sink.count_rest(), 0);
}

/// Postfix, which hands on what is for relayed.test. It stops when this is dropped, since its stdin closes.
pub(crate) struct Relay {
    process: Child,
    /// What there is: see tests/servers/README.md.
    pub(crate) told: Value,
}

impl Relay {
    pub(crate) fn start(next_hop: u16) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/servers/run.py");
        let arguments = ["postfix", "dovecot", "--next-hop", &next_hop.to_string()];
        let mut command = Command::new(program);
        let mut process = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!("there is no Postfix (the reason is on stderr); as root, run tests/servers/install")
        });
        Self { process, told }
    }

    /// The port of this service.
    pub(crate) fn port(&self, service: &str) -> u64 {
        self.told["postfix"]["ports"][service].as_u64().unwrap()
    }

    /// The port of this service of Dovecot, where its users log in.
    fn dovecot(&self, service: &str) -> u64 {
        self.told["dovecot"]["ports"][service].as_u64().unwrap()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

#[test]
fn postfix_in_front() {
    const MESSAGES: usize = 20;
    // Some are deferred at first, and come all the same.
    let arguments = ["--tls", "starttls", "--fault", "defer@rcpt:7", "--fault", "defer@content:5"];
    let mut stage = Stage::new(&arguments);
    let relay = Relay::start(stage.sink.port());
    let file = stage.file(&message());
    let mut command = Command::new(env!("CARGO_BIN_EXE_okuru"));
    command.args(["send", "--server", &format!("smtp://127.0.0.1:{}", relay.port("mx")), "--tls", "none"]);
    command.args(["--to", "bob@relayed.test", "--repeat", &MESSAGES.to_string(), &file]);
    assert_eq!(run_client(&mut command), format!("{MESSAGES} messages: {MESSAGES} accepted\n"));
    for _ in 0..MESSAGES {
        let (content, told) = stage.arrived();
        assert_eq!((&told["protocol"], &told["reverse_path"]), (&"ESMTPS".into(), &"ann@example.com".into()));
        // A relay writes down that it has seen the message, and changes nothing else.
        let at = content.windows(message().len()).position(|window| window == message()).unwrap();
        let trace = std::str::from_utf8(&content[..at]).unwrap();
        assert!(trace.starts_with("Received: ") && at + message().len() == content.len(), "{trace}");
        assert!(trace.lines().skip(1).all(|line| line.starts_with('\t')), "{trace}");
    }
    drop(relay);
    assert_eq!(stage.sink.count_rest(), 0);
}

#[test]
fn a_login_by_pop3_before_and_the_whole_dialogue() {
    let stage = Stage::new(&[]);
    let relay = Relay::start(stage.sink.port());
    let user = &relay.told["users"][0];
    let (name, password) = (user["name"].as_str().unwrap(), user["password"].as_str().unwrap());
    let file = stage.file(&message());
    let mut command = Command::new(env!("CARGO_BIN_EXE_okuru"));
    command.args(["send", "--server", &format!("smtp://127.0.0.1:{}", relay.port("mx")), "--trace"]);
    command.args(["--ca", relay.told["tls"]["ca"].as_str().unwrap(), "--to", "bob@example.test"]);
    command.args(["--pop-before", &format!("pop3://{name}:{password}@127.0.0.1:{}", relay.dovecot("pop3"))]).arg(&file);
    let output = command.output().unwrap();
    let dialogue = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{dialogue}");
    let place = |line: &str| dialogue.find(line).unwrap_or_else(|| panic!("no {line}: {dialogue}"));
    assert!(place("S: +OK Dovecot") < place("C: STLS") && place("C: STLS") < place("-- TLS"));
    assert!(place("-- TLS") < place("C: AUTH ") && place("C: AUTH ") < place("C: EHLO "));
    assert!(place("C: EHLO ") < place("C: MAIL FROM:"));
    assert!(!dialogue.contains(password), "{dialogue}");
}
