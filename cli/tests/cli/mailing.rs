//! `okuru send` over many connections, to many servers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::knot::Knot;
use crate::program::{Run, command, okuru};
use crate::server::{Behaviour, ClosedPort, Server};
use crate::started_sink::Sink;

/// Messages, each in a file of its own.
fn letters(folder: &Path, count: usize) -> Vec<String> {
    let one = |number| {
        let path = folder.join(format!("{number}.eml"));
        let content =
            format!("From: a@example.com\r\nTo: b@example.org, c@example.org\r\nSubject: {number}\r\n\r\nx\r\n");
        fs::write(&path, content).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    (0..count).map(one).collect()
}

fn send(arguments: &[&str], files: &[String]) -> Run {
    let usual = ["send", "--tls", "none", "--connect-timeout", "5", "--reply-timeout", "5"];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    okuru(&[&usual, arguments, &files].concat())
}

#[test]
fn the_next_server_takes_over() {
    let folder = TempDir::new().unwrap();
    let (closed, server) = (ClosedPort::new(), Server::usual());
    let run = send(&["--json", "--server", &closed.url(), "--server", &server.url()], &letters(folder.path(), 5));
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let mut numbers: Vec<_> = run.json().iter().map(|line| line["message"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    assert!(run.json().iter().all(|line| line["outcome"] == "accepted"));
    assert_eq!(server.messages().len(), 5);
}

#[test]
fn by_turns_and_over_several_connections() {
    let folder = TempDir::new().unwrap();
    let (one, two) = (Server::usual(), Server::usual());
    let arguments = ["--round-robin", "--connections", "2", "--server", &one.url(), "--server", &two.url()];
    let run = send(&arguments, &letters(folder.path(), 40));
    assert_eq!((run.status, run.stdout.as_str()), (0, "40 messages: 40 accepted\n"), "{run:?}");
    let (one, two) = (one.messages().len(), two.messages().len());
    assert!(one > 0 && two > 0 && one + two == 40, "{one} and {two}");
}

#[test]
fn what_is_deferred_is_tried_again_and_a_rate_is_kept() {
    let folder = TempDir::new().unwrap();
    let sink = Sink::start(&["--fault", "greylist"]);
    let begun = Instant::now();
    let run = send(&["--server", sink.url(), "--rate", "4/s", "--retry-for", "20s"], &letters(folder.path(), 4));
    assert_eq!((run.status, run.stdout.as_str()), (0, "4 messages: 4 accepted\n"), "{run:?}");
    assert!(begun.elapsed() >= Duration::from_millis(750));
    for _ in 0..4 {
        sink.message();
    }
}

#[test]
fn directly_to_each_domain() {
    let folder = TempDir::new().unwrap();
    // Two servers at one port, each on its own address.
    let first = Sink::start(&["--listen", "127.0.0.3:0"]);
    let port = first.port().to_string();
    let second = Sink::start(&["--listen", &format!("127.0.0.4:{port}")]);
    let relay = Server::usual();
    let path = folder.path().join("x.eml");
    fs::write(&path, "From: a@example.com\r\nSubject: x\r\n\r\nx\r\n").unwrap();
    let files = [path.into_os_string().into_string().unwrap()];
    let to = ["--to", "a@two.test", "--to", "b@implicit.test", "--to", "c@null.test", "--to", "d@dead.test"];
    let dns = Knot::shared().address.as_str();
    let usual = ["--json", "--dns", dns, "--mx-port", &port];

    let run = send(&[&["--direct"], &usual[..], &to].concat(), &files);
    assert_eq!(run.status, 75, "{run:?}");
    let states = |line: &Value| -> Vec<String> {
        let recipients = line["recipients"].as_array().unwrap();
        recipients.iter().map(|recipient| recipient["outcome"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(states(&run.json()[0]), ["accepted", "accepted", "rejected", "deferred"]);
    assert_eq!(run.json()[0]["recipients"][2]["error"]["code"], "dns.null_mx");
    assert_eq!(first.message()["recipients"][0]["address"], "a@two.test");
    assert_eq!(second.message()["recipients"][0]["address"], "b@implicit.test");

    let run = send(&[&["--direct-then-relay", &relay.url()], &usual[..], &to].concat(), &files);
    assert_eq!(states(&run.json()[0]), ["accepted", "accepted", "rejected", "accepted"], "{run:?}");
    assert_eq!(relay.messages()[0].rcpts, ["RCPT TO:<d@dead.test>"]);
    // Of what goes round in circles nothing is sent.
    let run =
        send(&[&["--direct", "--self-address", "127.0.0.4", "--to", "b@implicit.test"], &usual[..]].concat(), &files);
    assert_eq!(run.json()[0]["recipients"][0]["error"]["code"], "dns.loop", "{run:?}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = TempDir::new().unwrap();
    let files = letters(folder.path(), 1);
    let state = folder.path().join("state");
    let state = state.to_str().unwrap();
    for arguments in [
        &["--round-robin", "--direct"][..],
        &["--direct", "--direct-then-relay", "smtp://localhost"],
        &["--direct", "--pop-before", "pop3://u:p@localhost"],
        &["--server", "smtp://localhost", "--pop-before", "imap://u:p@localhost"],
        &["--server", "smtp://localhost", "--pop-before", "pop3://localhost"],
        &["--server", "smtp://localhost", "--rate", "5"],
        &["--server", "smtp://localhost", "--retry-for", "5"],
        &["--server", "smtp://localhost", "--resume", state, "-"],
        &[],
    ] {
        send(arguments, &files).assert_failed(64, "usage");
    }
}

/// What was told of each message, by its number.
fn told(lines: &[Value]) -> BTreeMap<u64, String> {
    let one = |line: &Value| (line["message"].as_u64().unwrap(), line["outcome"].as_str().unwrap().to_owned());
    lines.iter().map(one).collect()
}

#[test]
fn a_run_that_was_killed_goes_on() {
    let folder = TempDir::new().unwrap();
    let files = letters(folder.path(), 200);
    let state = folder.path().join("state");
    let sink = Sink::start(&["--fault", "delay=0.02@content"]);
    let arguments = ["send", "--json", "--tls", "none", "--connections", "3", "--server", sink.url(), "--resume"];
    let all: Vec<&str> =
        arguments.into_iter().chain([state.to_str().unwrap()]).chain(files.iter().map(String::as_str)).collect();
    let mut first = BTreeMap::new();
    for _ in 0..3 {
        let mut child = command(&all).stdout(Stdio::piped()).spawn().unwrap();
        thread::sleep(Duration::from_millis(400));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        // The last line may have been cut short.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines: Vec<Value> = whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for (number, outcome) in told(&lines) {
            assert_eq!(first.insert(number, outcome), None, "message {number} was told of twice");
        }
    }
    assert!(!first.is_empty() && first.len() < 200, "{}", first.len());
    let last = okuru(&all);
    for (number, outcome) in told(&last.json()) {
        assert_eq!(first.insert(number, outcome), None, "message {number} was told of twice");
    }
    let unknown = first.values().filter(|outcome| *outcome == "unknown").count();
    // As much as was on its way over three connections.
    assert!(unknown <= 9, "{unknown} are unknown");
    assert_eq!(last.status, if told(&last.json()).values().any(|it| it == "unknown") { 75 } else { 0 }, "{last:?}");

    let mut subjects: BTreeMap<String, usize> = BTreeMap::new();
    thread::sleep(Duration::from_millis(300));
    while let Ok(message) = sink.lines.try_recv() {
        *subjects.entry(message["subject"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert!(subjects.values().all(|count| *count == 1), "nothing was sent twice: {subjects:?}");
    for number in 0..200 {
        let arrived = subjects.contains_key(&number.to_string());
        match first.get(&number).map(String::as_str) {
            Some("accepted") => assert!(arrived, "{number}"),
            // Accepted before the program was killed, which could not say so any more.
            None => assert!(arrived, "{number}"),
            Some("unknown") => {}
            other => panic!("{number}: {other:?}"),
        }
    }
    // All has ended, and other messages have books of their own.
    let again = okuru(&all);
    assert_eq!((again.status, again.stdout.as_str()), (0, ""), "{again:?}");
    okuru(&all[..all.len() - 1]).assert_failed(64, "usage");
}

#[test]
fn only_those_who_are_left_get_it_again() {
    let folder = TempDir::new().unwrap();
    let files = letters(folder.path(), 1);
    let state = folder.path().join("state");
    let resume = ["--json", "--resume", state.to_str().unwrap()];
    let picky = Behaviour::default().offer(&["PIPELINING"]).on("RCPT TO:<c@", "450 4.2.1 later\r\n").start();
    let run = send(&[&["--server", &picky.url()], &resume[..]].concat(), &files);
    assert_eq!((run.status, run.json()[0]["outcome"].as_str()), (75, Some("partial")), "{run:?}");
    let server = Server::usual();
    let run = send(&[&["--server", &server.url()], &resume[..]].concat(), &files);
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!(server.messages()[0].rcpts, ["RCPT TO:<c@example.org>"]);
    assert_eq!(run.json()[0]["recipients"][0]["address"], "c@example.org");
}

#[test]
fn a_terminal_is_shown_how_far_it_has_come() {
    let folder = TempDir::new().unwrap();
    let server = Server::usual();
    let program = env!("CARGO_BIN_EXE_okuru");
    let files = letters(folder.path(), 10).join(" ");
    // As `script` runs it, it has a terminal.
    let send = format!("{program} send --tls none --server {} --rate 10/s {files}", server.url());
    let mut script = std::process::Command::new("script");
    script.args(["-q", "-e", "-c", &send, "/dev/null"]).env("TERM", "xterm").env("COLUMNS", "100").stdin(Stdio::null());
    let output = script.output().expect("script is there");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{shown}");
    for wanted in ["5/10", "/s", "accepted", "10 messages: 10 accepted"] {
        assert!(shown.contains(wanted), "no {wanted}: {shown}");
    }
}
