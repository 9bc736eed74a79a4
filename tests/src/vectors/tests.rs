//! A check that can't fail checks nothing: each of these dialogues has one mistake, which has to be found.

use super::parse::parse;
use super::play::run;

const GOOD: &str = "\
# A message to two recipients
from <me@c.example>
to <a@x.example>
to <b@x.example>
| one

offer PIPELINING
C: MAIL FROM:<me@c.example>
C: RCPT TO:<a@x.example>
C: RCPT TO:<b@x.example>
C: DATA
S: 250 ok
S: 250 2.1.5 ok
S: 550 5.1.1 no
S: 354 go
C: one
C: .
S: 250 2.0.0 Ok: queued as 1234
= accepted <a@x.example> 250 2.1.5
= rejected <b@x.example> 550 5.1.1
= message partial, reply 250 2.0.0, queue-id 1234, progress sent, round-trips 2
wait 1min
quit
C: QUIT
deadline 10s
= closed quit
";

/// Why the dialogue is no good, be it at reading or at running.
fn fault(source: &str) -> Option<String> {
    match parse("x", source) {
        Err(error) => Some(error),
        Ok(dialogue) => run(&dialogue).err().map(|failure| failure.to_string()),
    }
}

#[test]
fn the_good_one_holds() {
    assert_eq!(fault(GOOD), None);
}

#[test]
fn the_example_in_the_readme_holds() {
    let readme = include_str!("../../vectors/README.md");
    let example = readme.split("```\n").nth(1).unwrap_or_default();
    assert_eq!(fault(example), None);
    assert!(example.contains("= closed quit"), "{example}");
}

#[test]
fn each_mistake_is_found() {
    for (good, bad, found) in [
        // In what is read.
        ("# A message to two recipients\n", "", "the first comment has to say"),
        ("to <b@x.example>\n|", "|", "nothing is sent to <b@x.example>"),
        ("= rejected <b@x.example> 550 5.1.1\n", "", "it is not said what becomes of <b@x.example>"),
        ("= rejected <b", "= rejected <a@x.example> 550\n= rejected <b", "it is said twice"),
        ("550 5.1.1\n=", "550 5.1.1 protocol.close\n=", "there is no error code"),
        ("offer", "ofer", "what is \"ofer\"?"),
        ("offer", "submit 1\noffer", "there is no message 1"),
        ("wait 1min", "wait 1", "not a time"),
        ("C: .\n", "C: \\q\n", "no such escape"),
        ("quit\nC: QUIT\n", "quit\nC: QUIT\nwritten 6\n", "all 6 octets would be written"),
        // In what is written.
        ("C: DATA\n", "", "something else is written"),
        ("C: one\nC: .\n", "\n", "more is written than was expected"),
        ("C: one\n", "C: One\n", "something else is written"),
        ("C: one\nC: .\n", "C: one\n\nC: .\n", "something else is written"),
        ("1min\nquit\n", "1min\n", "something else is written"),
        // In what is told.
        ("250 2.1.5\n", "250\n", "a recipient ends in another way"),
        ("= accepted", "= deferred", "a recipient ends in another way"),
        ("550 5.1.1\n=", "550 5.1.1 auth.required\n=", "a recipient ends in another way"),
        ("queue-id 1234", "queue-id 123", "a message ends in another way"),
        ("round-trips 2", "round-trips 1", "a message ends in another way"),
        ("S: 250 2.0.0 Ok: queued as 1234\n", "", "message 0 has not ended yet"),
        ("= closed quit\n", "", "the connection is over"),
        ("= closed quit\n", "= closed protocol.closed\n", "the connection ends in another way"),
        ("offer", "* ready\noffer", "something else is told"),
        ("wait 1min", "wait 1min\n* ready", "more is told than was expected"),
        ("wait 1min", "command NOOP\nC: NOOP\nS: 250 ok\n", "more is told than was expected"),
        // In time.
        ("deadline 10s", "deadline 11s", "the deadline is in 10s"),
        ("deadline 10s", "wait 10s", "a deadline passes already after 10s"),
        ("wait 1min", "deadline 1min", "there is no deadline"),
    ] {
        assert_eq!(GOOD.matches(good).count(), 1, "{good}");
        let bad = GOOD.replace(good, bad);
        match fault(&bad) {
            Some(fault) => assert!(fault.contains(found), "{found:?} is not in\n{fault}"),
            None => panic!("no fault was found in\n{bad}"),
        }
    }
}

#[test]
fn a_failure_shows_the_place_and_both_sides() {
    let failure = fault(&GOOD.replace("C: one\nC: .\n", "C: one\nC: two\nC: .\n")).unwrap_or_default();
    let lines: Vec<&str> = failure.lines().collect();
    assert_eq!(
        lines[0],
        "tests/vectors/x.smtp:16: something else is written (with each block of the server in one piece)"
    );
    assert_eq!(lines[16], "  >  16 C: one");
    let diff: Vec<&str> = lines.iter().rev().take(7).rev().copied().collect();
    assert_eq!(
        diff,
        ["  expected:", "      one", "    > two", "      .", "  actual:", "      one", "    > ."],
        "the first difference is marked"
    );
}

#[test]
fn a_dialogue_that_depends_on_how_bytes_are_cut_is_found() {
    let source = "\
# A reply that comes before its command has been said
from <me@c.example>
to <a@x.example>
| one

S: 220 mx.example
S: 250 mx.example
= deferred <a@x.example> protocol.unexpected_reply
= closed protocol.unexpected_reply
";
    let failure = fault(source).unwrap_or_default();
    assert!(failure.contains("bytes one by one"), "{failure}");
    assert_eq!(fault(&source.replace("S:", "S!")), None);
}

#[test]
fn json_says_what_the_dialogue_says() {
    let source = "\
# LMTP
protocol lmtp
ehlo me.example
timeout mail 2s
from <> RET=HDRS
to <a@x.example> NOTIFY=NEVER
stream held
| a
|+
| b\\
S! 220 x
C: LHLO me.example
written 3
fails connect.lost
= deferred <a@x.example> connect.lost
= closed connect.lost
";
    let dialogue = parse("folder/name", source).expect("a dialogue");
    let json = serde_json::to_value(&dialogue).expect("no map with keys that are no text");
    assert_eq!(
        json,
        serde_json::json!({
            "name": "folder/name",
            "about": "LMTP",
            "config": {
                "protocol": "lmtp", "tls": "none", "server_name": "mx.example", "ehlo": "me.example",
                "pipelining": "session", "chunking": "auto", "authentication": null,
                "timeouts": {"mail": 2000}, "reply_limits": {}, "in_flight": {}, "trace": false
            },
            "messages": [{
                "from": "", "parameters": "RET=HDRS",
                "recipients": [{"address": "a@x.example", "parameters": "NOTIFY=NEVER"}],
                "content": ["YQ0K", "Yg=="],
                "stream": {"size": null, "rewindable": true, "held": true},
                "declaration": "auto", "smtputf8": "auto", "newlines": "fix", "all_or_nothing": false, "deadline": null
            }],
            "steps": [
                {"line": 5, "submit": [0]},
                {"line": 11, "receive": {"bytes": "MjIwIHgNCg==", "at_once": true}},
                {"line": 12, "write": {"bytes": "TEhMTyBtZS5leGFtcGxlDQo=", "written": 3}},
                {"line": 14, "failed": "connect.lost"},
                {"line": 15, "recipient": {
                    "message": 0, "recipient": 0, "outcome": "deferred", "reply": null, "error": "connect.lost"
                }},
                {"line": 16, "closed": {"failed": {"error": "connect.lost", "reply": null}}}
            ]
        })
    );
}
