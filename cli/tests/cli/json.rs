//! Each line of `--json`.

use serde_json::{Value, json};

use crate::program::{command, run, send};
use crate::server::{Behaviour, Server};

const MESSAGE: &[u8] = b"From: ann@example.com\r\nTo: bob@example.org\r\n\r\nHello!\r\n";

#[test]
fn a_message_that_was_accepted() {
    let server = Server::usual();
    let run = send(&server, &["--json"], MESSAGE);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let expected = json!({
        "message": 0,
        "file": "-",
        "outcome": "accepted",
        "recipients": [{
            "address": "bob@example.org",
            "outcome": "accepted",
            "code": 250,
            "enhanced": "2.1.5",
            "text": ["Ok"],
            "error": null,
        }],
        "reply": {"code": 250, "enhanced": "2.0.0", "text": ["Ok: queued as 4XyZ1"]},
        "queue_id": "4XyZ1",
        "error": null,
        "round_trips": 2,
    });
    assert_eq!(run.json(), [expected]);
    let order = ["{\"message\":", ",\"file\":", ",\"outcome\":", ",\"recipients\":", "],\"reply\":", "},\"queue_id\":"];
    let mut rest = run.stdout.as_str();
    for key in order.iter().chain(&[",\"error\":", ",\"round_trips\":"]) {
        rest = rest.split_once(key).unwrap_or_else(|| panic!("{key}: {}", run.stdout)).1;
    }
}

#[test]
fn one_line_for_each_message() {
    let server = Server::usual();
    let run = send(&server, &["--json", "/nonexistent/a.eml", "-", "--repeat", "3"], MESSAGE);
    assert_eq!(run.status, 65);
    let mut lines = run.json();
    lines.sort_by_key(|line| line["message"].as_u64());
    assert_eq!(lines.len(), 6);
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(line["message"], number);
        let (file, outcome) = if number < 3 { ("/nonexistent/a.eml", "rejected") } else { ("-", "accepted") };
        assert_eq!((line["file"].as_str(), line["outcome"].as_str()), (Some(file), Some(outcome)));
    }
    assert_eq!(lines[0]["error"]["code"], "message.unreadable");
    assert_eq!(lines[0]["recipients"], json!([]));
    assert_eq!((&lines[0]["reply"], &lines[0]["queue_id"]), (&Value::Null, &Value::Null));
    let rounds: u64 = lines.iter().map(|line| line["round_trips"].as_u64().unwrap()).sum();
    assert!(rounds <= 2 + 1 + 1 + 1, "{lines:?}");
    // What they have in common is said once.
    assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
}

#[test]
fn one_recipient_of_two_is_refused() {
    let server = Behaviour::default()
        .offer(&["PIPELINING"])
        .on("RCPT TO:<bad@", "550-5.1.1 Nobody of that name\r\n550 5.1.1 here\r\n")
        .start();
    let run = send(&server, &["--json", "--to", "bad@example.org", "--to", "good@example.org"], MESSAGE);
    let line = &run.json()[0];
    assert_eq!(line["outcome"], "partial");
    assert_eq!(line["recipients"][0]["outcome"], "rejected");
    assert_eq!(line["recipients"][0]["code"], 550);
    assert_eq!(line["recipients"][0]["enhanced"], "5.1.1");
    assert_eq!(line["recipients"][0]["text"], json!(["Nobody of that name", "here"]));
    assert_eq!(line["recipients"][0]["error"]["code"], "reply.rejected");
    assert_eq!(line["recipients"][1]["outcome"], "accepted");
    assert_eq!(line["error"], Value::Null);
    assert_eq!(run.status, 69);
}

#[test]
fn each_outcome() {
    for (command, reply, outcome, code) in [
        (".", "451 4.3.0 later\r\n", "deferred", Some(451)),
        (".", "554 5.6.0 never\r\n", "rejected", Some(554)),
        (".", "", "unknown", None),
        ("MAIL", "450 4.2.1 later\r\n", "deferred", Some(450)),
        ("DATA", "", "deferred", None),
    ] {
        let server = Behaviour::default().on(command, reply).start();
        let line = &send(&server, &["--json"], MESSAGE).json()[0];
        assert_eq!(line["outcome"], outcome, "{line}");
        assert_eq!(line["recipients"][0]["outcome"], outcome, "{line}");
        assert_eq!(line["reply"]["code"].as_u64(), code, "{line}");
        assert_eq!(line["queue_id"], Value::Null);
        let error = &line["error"];
        assert!(error["code"].as_str().is_some_and(|code| code.contains('.')), "{line}");
        assert!(error["message"].as_str().is_some_and(|sentence| sentence.ends_with('.')), "{line}");
    }
}

#[test]
fn what_stopped_everything_is_told_for_each() {
    let server = Server::usual();
    let run = run(&mut command(&["send", "--server", &server.url(), "--json", "--repeat", "2"]), MESSAGE);
    assert_eq!(run.status, 76, "{run:?}");
    for line in run.json() {
        assert_eq!(line["outcome"], "deferred");
        assert_eq!(line["error"]["code"], "security.tls_stripped");
        assert_eq!(line["recipients"][0]["error"]["code"], "security.tls_stripped");
        assert_eq!((&line["recipients"][0]["code"], &line["recipients"][0]["text"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(server.messages(), []);
}
