//! Clients that other people have written, and Postfix, deliver into `okuru sink`: what arrives is byte for byte what was sent.
//! A browser reads its page. Programs that call sendmail get `okuru sendmail`.
//!
//! They are there once `tests/servers/install` has run; Node.js with npm has to be there already.

mod clients;
mod node;
mod postfix;
mod sendmail;
#[path = "../support/sink.rs"]
mod started_sink;
mod web;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use started_sink::Sink;

const USER: &str = "ann";
const PASSWORD: &str = "correct-horse";

/// A sink with a Maildir, and a message in a file.
struct Stage {
    sink: Sink,
    folder: TempDir,
}

/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(120);

impl Stage {
    fn new(arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let maildir = folder.path().join("mail");
        let arguments = [&["--maildir", maildir.to_str().unwrap()], arguments].concat();
        Self { sink: Sink::start(&arguments), folder }
    }

    /// With STARTTLS, TLS from the first byte on a second port, and a user who has to log in.
    fn with_login() -> Self {
        let user = format!("{USER}:{PASSWORD}");
        let listen = ["--listen", "127.0.0.1:0", "--listen-tls", "127.0.0.1:0"];
        Self::new(&[&listen[..], &["--tls", "required", "--user", &user]].concat())
    }

    fn port(&self) -> String {
        self.sink.port().to_string()
    }

    /// The port for TLS from the first byte.
    fn tls_port(&self) -> String {
        self.sink.urls[1].rsplit_once(':').unwrap().1.to_owned()
    }

    fn ca(&self) -> &str {
        self.sink.ca.as_deref().unwrap()
    }

    /// A file with this content.
    fn file(&self, content: &[u8]) -> String {
        let path = self.folder.path().join("message.eml");
        fs::write(&path, content).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    /// The next message that has arrived, and what was told of it.
    fn arrived(&self) -> (Vec<u8>, Value) {
        let told = self.sink.message();
        (fs::read(told["stored"].as_str().unwrap()).unwrap(), told)
    }
}

/// Every line that could be mistaken for something else, and letters beyond ASCII.
fn message() -> Vec<u8> {
    let mut message = b"From: Ann <ann@example.com>\r\nTo: bob@example.org\r\nSubject: hello\r\nMIME-Version: 1.0\r\n\
        Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n.\r\n..\r\n.dot\r\nFrom here\r\n\r\n"
        .to_vec();
    message.extend_from_slice("Grüße, 送る\r\n".as_bytes());
    message.extend_from_slice(&[b'x'; 900]);
    message.extend_from_slice(b"\r\n.");
    message.extend_from_slice(&b"more\r\n".repeat(5000));
    message
}

/// Runs a client, and checks that it says that all went well. Gives what it prints.
#[track_caller]
fn run_client(command: &mut Command) -> String {
    let name = command.get_program().to_string_lossy().into_owned();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| match name.as_str() {
        "node" | "npm" => panic!("{name} can't be run ({error}): install Node.js 20 or newer, with npm"),
        _ => panic!("{name} can't be run ({error}): as root, run tests/servers/install"),
    });
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let printed = thread::spawn(move || {
        let mut text = Vec::new();
        stdout.read_to_end(&mut text).map(|_| String::from_utf8_lossy(&text).into_owned())
    });
    let complaints = thread::spawn(move || {
        let mut text = Vec::new();
        stderr.read_to_end(&mut text).map(|_| String::from_utf8_lossy(&text).into_owned())
    });
    let begun = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if begun.elapsed() > PATIENCE => {
                child.kill().unwrap();
                panic!("{name} does not end");
            }
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    let (printed, complaints) = (printed.join().unwrap().unwrap(), complaints.join().unwrap().unwrap());
    assert!(status.success(), "{name}: {status}\n{printed}\n{complaints}");
    printed
}

/// A file beside this one.
fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_clients").join(name)
}
