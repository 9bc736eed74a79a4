//! The program, run as a shell would.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::server::Server;

/// What came of a run of the program.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Each line of standard output as JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// Checks that it failed with this status, and with one sentence that has this code at its end.
    #[track_caller]
    pub(crate) fn assert_failed(&self, status: i32, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        assert!(self.stderr.starts_with("okuru: ") && self.stderr.ends_with(&format!(". [{code}]\n")), "{self:?}");
    }
}

/// Runs the program with nothing on standard input.
pub(crate) fn okuru(arguments: &[&str]) -> Run {
    run(&mut command(arguments), b"")
}

/// Runs `okuru send` to a server without TLS, with a message on standard input.
pub(crate) fn send(server: &Server, arguments: &[&str], message: &[u8]) -> Run {
    let url = server.url();
    let mut all = vec!["send", "--server", &url, "--tls", "none", "--connect-timeout", "5", "--reply-timeout", "5"];
    all.extend(arguments);
    run(&mut command(&all), message)
}

/// The program, with nothing of this machine's environment that it looks at.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_okuru"));
    command.args(arguments).env_remove("OKURU_SERVER").env_remove("OKURU_PASSWORD");
    command
}

/// Runs `command` with this standard input.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Run {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Run {
        status: status.code().unwrap(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}
