//! The limit against the sink, as processes: every level, one connection and several, with and without dots.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use okuru_benches::digest::Digest;
use okuru_benches::message::{hex, make};

struct Sink {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    addr: String,
}

impl Sink {
    fn start(flags: &[&str]) -> Sink {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sink"))
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the sink starts");
        let mut output = BufReader::new(child.stdout.take().expect("it was piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("the sink says where it listens");
        let addr = line.split('"').nth(3).expect("an address in the line").to_owned();
        Sink { child, output, addr }
    }

    /// What it counted.
    fn stop(mut self) -> String {
        drop(self.child.stdin.take());
        let mut totals = String::new();
        self.output.read_to_string(&mut totals).expect("the sink prints its counts");
        assert!(self.child.wait().expect("the sink ends").success());
        totals
    }
}

fn limit(sink: &Sink, flags: &str) -> bool {
    let mut command = Command::new(env!("CARGO_BIN_EXE_limit"));
    command.args(["--addr", &sink.addr]).args(flags.split_whitespace());
    command.status().expect("the limit starts").success()
}

fn number(totals: &str, key: &str) -> f64 {
    let behind = totals.split(&format!("\"{key}\":")).nth(1).unwrap_or_else(|| panic!("{key} in {totals}"));
    let end = behind.find([',', '}']).expect("the value ends");
    behind[..end].parse().expect("a number")
}

#[test]
fn every_message_arrives_as_it_was() {
    for (size, messages) in [(2048, 70), (300_000, 17)] {
        for dots in [false, true] {
            let digested = Digest::default().finish(&make(size, dots).unwrap());
            let digest = hex(digested.hash.wrapping_mul(messages));
            for level in ["none", "message", "session", "streaming"] {
                for connections in [1, 16] {
                    for sink in [&[][..], &["--rtt", "3ms"]] {
                        let sink = Sink::start(sink);
                        let dots = if dots { "--dots" } else { "" };
                        let flags = format!(
                            "--messages {messages} --size {size} --connections {connections} --level {level} {dots}"
                        );
                        assert!(limit(&sink, &flags), "{flags}");
                        let totals = sink.stop();
                        assert_eq!(number(&totals, "messages"), messages as f64, "{flags}: {totals}");
                        assert_eq!(number(&totals, "recipients"), messages as f64, "{flags}: {totals}");
                        assert_eq!(number(&totals, "bytes"), (messages * digested.bytes) as f64, "{flags}: {totals}");
                        assert_eq!(number(&totals, "connections"), f64::from(connections), "{flags}: {totals}");
                        assert_eq!(number(&totals, "refusals"), 0.0, "{flags}: {totals}");
                        assert!(totals.contains(&digest), "{flags}: {totals}");
                    }
                }
            }
        }
    }
}

#[test]
fn round_trips_are_what_the_level_says() {
    for (level, expected) in [("none", 4 * 50), ("message", 2 * 50), ("session", 50 + 1)] {
        for flags in [&[][..], &["--rtt", "1ms"]] {
            let sink = Sink::start(flags);
            assert!(limit(&sink, &format!("--messages 50 --level {level}")));
            let totals = sink.stop();
            let counted = number(&totals, "round_trips") - number(&totals, "setup_round_trips");
            assert_eq!(counted, f64::from(expected), "{level}: {totals}");
        }
    }
}

#[test]
fn a_round_trip_takes_its_time_and_many_messages_share_one() {
    let sink = Sink::start(&["--rtt", "50ms"]);
    assert!(limit(&sink, "--messages 4 --level session"));
    let seconds = number(&sink.stop(), "seconds");
    assert!((0.2..2.0).contains(&seconds), "{seconds}");

    let sink = Sink::start(&["--rtt", "50ms"]);
    assert!(limit(&sink, "--messages 400 --level streaming --in-flight 100000000"));
    let seconds = number(&sink.stop(), "seconds");
    assert!(seconds < 0.2, "{seconds}");
}

#[test]
fn a_refusal_is_no_success() {
    let sink = Sink::start(&["--offer", ""]);
    // Without CHUNKING the sink closes at BDAT, and the limit has no more to count.
    assert!(!limit(&sink, "--messages 3 --level streaming"));
    let totals = sink.stop();
    assert_eq!((number(&totals, "messages"), number(&totals, "refusals")), (0.0, 1.0), "{totals}");
}
