//! `okuru sink --fault`: each fault, and what our own client makes of it.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Run, command, okuru, run};
use crate::started_sink::Sink;

const MESSAGE: &[u8] = b"From: Ann <ann@example.com>\r\nTo: bob@example.org\r\n\r\nHello!\r\n";

/// Sends messages on one connection.
fn send(sink: &Sink, arguments: &[&str]) -> Run {
    let mut all = vec!["send", "--json", "--server", sink.url()];
    if !arguments.contains(&"--reply-timeout") {
        all.extend(["--reply-timeout", "20"]);
    }
    match &sink.ca {
        Some(ca) => all.extend(["--ca", ca]),
        None => all.extend(["--tls", "none"]),
    }
    all.extend(arguments);
    run(command(&all).env("OKURU_PASSWORD", "secret"), MESSAGE)
}

fn outcomes(run: &Run) -> Vec<String> {
    run.json().iter().map(|line| line["outcome"].as_str().unwrap().to_owned()).collect()
}

/// The outcome of one message, and the code that decided.
fn outcome(run: &Run) -> (String, Option<u64>) {
    let line: &Value = &run.json()[0];
    let code = line["recipients"][0]["code"].as_u64().or(line["reply"]["code"].as_u64());
    (line["outcome"].as_str().unwrap().to_owned(), code)
}

#[test]
fn refused_and_deferred_at_each_stage() {
    for (stage, refused, deferred) in [
        ("connect", 554, 450),
        ("ehlo", 550, 451),
        ("starttls", 554, 454),
        ("auth", 535, 454),
        ("mail", 554, 451),
        ("rcpt", 550, 450),
        ("data", 554, 451),
        ("content", 554, 451),
    ] {
        for (fault, expected, code) in [("refuse", "rejected", refused), ("defer", "deferred", deferred)] {
            let fault = format!("{fault}@{stage}");
            let mut sink = Sink::start(&["--tls", "starttls", "--user", "ann:secret", "--fault", &fault]);
            let run = send(&sink, &["--user", "ann"]);
            let (came, said) = outcome(&run);
            assert_eq!(came, expected, "{fault}: {run:?}");
            assert!(said.is_none_or(|said| said == code), "{fault}: {run:?}");
            assert_eq!(sink.count_rest(), 0, "{fault}");
        }
    }
    // What is wrong at the end does not matter any more.
    for fault in ["refuse@quit", "defer@quit", "421@quit", "close@quit"] {
        let sink = Sink::start(&["--fault", fault]);
        assert_eq!(outcomes(&send(&sink, &[])), ["accepted"], "{fault}");
    }
}

#[test]
fn unavailable_and_closed_at_each_stage() {
    for stage in ["connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "content"] {
        for fault in ["421", "close"] {
            let named = format!("{fault}@{stage}");
            let mut sink = Sink::start(&["--tls", "starttls", "--user", "ann:secret", "--fault", &named]);
            let run = send(&sink, &["--user", "ann"]);
            let expected = if (fault, stage) == ("close", "content") { "unknown" } else { "deferred" };
            assert_eq!(outcomes(&run), [expected], "{named}: {run:?}");
            assert_eq!(sink.count_rest(), 0, "{named}");
        }
    }
}

#[test]
fn every_third_message() {
    let mut sink = Sink::start(&["--fault", "refuse@content:3"]);
    let expected = ["accepted", "accepted", "rejected", "accepted", "accepted", "rejected", "accepted"];
    assert_eq!(outcomes(&send(&sink, &["--repeat", "7"])), expected);
    (0..5).for_each(|_| drop(sink.message()));
    assert_eq!(sink.count_rest(), 0);
}

#[test]
fn several_faults() {
    let sink = Sink::start(&["--fault", "defer@mail:2", "--fault", "refuse@rcpt:2"]);
    assert_eq!(outcomes(&send(&sink, &["--repeat", "4"])), ["accepted", "deferred", "rejected", "deferred"]);
}

#[test]
fn a_lost_reply_is_unknown_and_the_message_is_there() {
    let sink = Sink::start(&["--fault", "lose-reply"]);
    assert_eq!(outcomes(&send(&sink, &[])), ["unknown"]);
    assert_eq!(sink.message()["reverse_path"], "ann@example.com");
}

#[test]
fn greylisting() {
    let sink = Sink::start(&["--fault", "greylist"]);
    assert_eq!(outcome(&send(&sink, &[])), ("deferred".to_owned(), Some(450)));
    assert_eq!(outcomes(&send(&sink, &[])), ["accepted"]);
    let sink = Sink::start(&["--fault", "greylist=600"]);
    assert_eq!(outcomes(&send(&sink, &["--repeat", "3"])), ["deferred"; 3]);
}

#[test]
fn recipients() {
    let to = ["--to", "1@b", "--to", "2@b", "--to", "3@b", "--to", "4@b"];
    let states = |arguments: &[&str]| {
        let sink = Sink::start(arguments);
        let run = send(&sink, &to);
        let json = run.json();
        let recipients = json[0]["recipients"].as_array().unwrap();
        let states = recipients.iter().map(|recipient| recipient["outcome"].as_str().unwrap().chars().next().unwrap());
        (states.collect::<String>(), recipients[1]["code"].as_u64())
    };
    assert_eq!(states(&["--fault", "some-recipients"]), ("arar".to_owned(), Some(550)));
    assert_eq!(states(&["--lmtp", "--fault", "some-recipients@content"]), ("arar".to_owned(), Some(550)));
    assert_eq!(states(&["--fault", "some-recipients:2"]), ("aaar".to_owned(), Some(250)));
    assert_eq!(states(&["--fault", "over-quota"]), ("dddd".to_owned(), Some(452)));
    assert_eq!(states(&["--fault", "over-quota@content"]), ("dddd".to_owned(), Some(452)));
    // Our client gives those that were too many in another transaction.
    for (fault, expected) in [("too-many-recipients", &[1, 1, 1, 1][..]), ("too-many-recipients=3", &[3, 1])] {
        let sink = Sink::start(&["--fault", fault]);
        assert_eq!(outcomes(&send(&sink, &to)), ["accepted"]);
        let counts: Vec<_> = expected.iter().map(|_| sink.message()["recipients"].as_array().unwrap().len()).collect();
        assert_eq!(counts, expected, "{fault}");
    }
}

#[test]
fn slow_replies() {
    let sink = Sink::start(&["--fault", "delay=0.5@content"]);
    let begun = Instant::now();
    assert_eq!(outcomes(&send(&sink, &[])), ["accepted"]);
    assert!(begun.elapsed() >= Duration::from_millis(500));
    // A client that waits for less than that gives up, and does not know.
    let sink = Sink::start(&["--fault", "delay=60@content"]);
    assert_eq!(outcomes(&send(&sink, &["--reply-timeout", "0.5"])), ["unknown"]);
    let sink = Sink::start(&["--fault", "dribble=0.001"]);
    assert_eq!(outcomes(&send(&sink, &[])), ["accepted"]);
    // Time is counted for a whole reply: who dribbles does not win.
    let sink = Sink::start(&["--fault", "dribble=0.2"]);
    let run = send(&sink, &["--reply-timeout", "1"]);
    assert_eq!(run.json()[0]["error"]["code"], "timeout.reply", "{run:?}");
}

#[test]
fn tls_that_can_not_be_trusted() {
    for (fault, code) in [
        ("drop-starttls", "security.tls_stripped"),
        ("inject-before-tls", "security.starttls_injection"),
        ("wrong-certificate", "tls.certificate"),
    ] {
        let sink = Sink::start(&["--tls", "starttls", "--fault", &format!("{fault}:2")]);
        assert_eq!(outcomes(&send(&sink, &[])), ["accepted"], "{fault}");
        let run = send(&sink, &[]);
        assert_eq!(run.json()[0]["error"]["code"], code, "{fault}: {run:?}");
        assert_eq!(outcomes(&run), ["deferred"], "{fault}: {run:?}");
    }
}

#[test]
fn the_help_lists_them() {
    let help = okuru(&["sink", "--help"]).stdout;
    for fault in ["refuse", "greylist", "lose-reply", "drop-starttls", "inject-before-tls", "wrong-certificate"] {
        assert!(help.contains(fault), "{fault}");
    }
}
