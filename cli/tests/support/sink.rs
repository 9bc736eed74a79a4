//! `okuru sink`, started by a test.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// A sink that runs, and what it tells. It ends when this is dropped.
pub(crate) struct Sink {
    pub(crate) child: Child,
    pub(crate) urls: Vec<String>,
    /// Where the certificate of its authority is.
    pub(crate) ca: Option<String>,
    lines: Receiver<Value>,
}

/// How long anything may take that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

impl Sink {
    /// Starts it on a free port, or where the arguments say.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_okuru"));
        command.args(["sink", "--json"]);
        if !arguments.iter().any(|argument| argument.starts_with("--listen")) {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = read_lines(child.stdout.take().unwrap());
        let first = lines.recv_timeout(PATIENCE).expect("a sink says where it listens");
        assert_eq!(first["event"], "listening");
        let urls = first["urls"].as_array().unwrap().iter().map(|url| url.as_str().unwrap().to_owned()).collect();
        Self { child, urls, ca: first["ca"].as_str().map(str::to_owned), lines }
    }

    pub(crate) fn url(&self) -> &str {
        &self.urls[0]
    }

    pub(crate) fn port(&self) -> u16 {
        self.url().rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// What it tells of the next message.
    pub(crate) fn message(&self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).expect("a sink tells of each message");
        assert_eq!(line["event"], "message");
        line
    }

    /// Ends it, and says of how many messages it has told besides.
    pub(crate) fn count_rest(&mut self) -> usize {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines.iter().count()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(stdout: ChildStdout) -> Receiver<Value> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // A line that was cut short by SIGKILL is none.
            if let Ok(line) = serde_json::from_str(&line)
                && sender.send(line).is_err()
            {
                break;
            }
        }
    });
    receiver
}
