//! What `okuru spf` tells, of a real name server.

use serde_json::{Value, json};

use crate::knot::Knot;
use crate::program::{Run, okuru};

fn spf(arguments: &[&str]) -> Run {
    let knot = Knot::shared();
    okuru(&[&["spf", "--dns", &knot.address], arguments].concat())
}

fn check(arguments: &[&str]) -> (i32, Value) {
    let run = spf(&[&["--json", "--check"], arguments].concat());
    assert_eq!(run.stderr, "", "{run:?}");
    (run.status, run.json()[0].clone())
}

#[test]
fn each_result_has_its_status() {
    for (client, from, helo, status, result, mechanism) in [
        ("127.0.0.1", "ann@mailer.test", "x.test", 0, "pass", json!("a:mail.test")),
        ("127.0.0.20", "ann@mailer.test", "x.test", 0, "pass", json!("include:_spf.mailer.test")),
        ("127.0.0.3", "bob@mailer.test", "x.test", 0, "pass", json!("include:_spf.mailer.test")),
        ("2001:db8::7", "ann@mailer.test", "x.test", 0, "pass", json!("include:_spf.mailer.test")),
        ("127.0.0.7", "ann@mailer.test", "x.test", 0, "pass", json!("exists:%{ir}.%{l}._list.mailer.test")),
        ("127.0.0.7", "bob@mailer.test", "x.test", 69, "fail", json!("-all")),
        ("127.0.0.70", "<>", "mailer.test", 0, "softfail", json!("~ip4:127.0.0.64/26")),
        ("127.0.0.1", "ann@two.test", "mailer.test", 0, "none", json!(null)),
        ("127.0.0.1", "ann@round.test", "mailer.test", 65, "permerror", json!(null)),
        ("127.0.0.1", "ann@broken-spf.test", "mailer.test", 75, "temperror", json!("include:x.broken")),
    ] {
        let (exit, verdict) = check(&[client, from, helo]);
        let told = (exit, verdict["result"].as_str().unwrap());
        assert_eq!(told, (status, result), "{client} {from} {verdict:#}");
        if result != "permerror" {
            assert_eq!(verdict["mechanism"], mechanism);
        }
        assert!(!verdict["reason"].as_str().unwrap().is_empty());
        assert_eq!(verdict["explanation"].is_null(), result != "fail");
    }
}

#[test]
fn a_trace_tells_each_step() {
    let (_, verdict) = check(&["127.0.0.11", "ann@mailer.test", "x.test", "--receiver", "us.test"]);
    let keys: Vec<_> = verdict.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["explanation", "lookups", "mechanism", "queries", "reason", "result", "trace", "void_lookups"];
    assert_eq!(keys, expected);
    assert_eq!(verdict["explanation"], "127.0.0.11 may not send for mailer.test, says us.test");
    assert_eq!((&verdict["lookups"], &verdict["void_lookups"]), (&json!(4), &json!(1)));
    let steps: Vec<_> = verdict["trace"].as_array().unwrap().iter().collect();
    let told: Vec<_> =
        steps.iter().map(|step| (step["depth"].as_u64().unwrap(), step["term"].as_str().unwrap())).collect();
    assert_eq!(
        told,
        [
            (0, "record"),
            (0, "a:mail.test"),
            (0, "include:_spf.mailer.test"),
            (1, "record"),
            (1, "ip4:127.0.0.16/28"),
            (1, "ip6:2001:db8::/32"),
            (1, "mx:two.test"),
            (1, "?all"),
            (0, "include:_spf.mailer.test"),
            (0, "exists:%{ir}.%{l}._list.mailer.test"),
            (0, "~ip4:127.0.0.64/26"),
            (0, "-all"),
            (0, "exp=why.mailer.test"),
        ]
    );
    assert_eq!(
        steps[6]["looked_up"],
        json!([
            {"name": "two.test", "kind": "MX", "found": "10 down.test., 20 mx.two.test."},
            {"name": "down.test", "kind": "A", "found": "127.0.0.9"},
            {"name": "mx.two.test", "kind": "A", "found": "127.0.0.3"},
        ])
    );
}

#[test]
fn for_people() {
    let run = spf(&["--check", "127.0.0.20", "ann@mailer.test", "x.test", "--receiver", "us.test"]);
    assert_eq!(run.status, 0);
    assert!(
        run.stdout.starts_with("pass: _spf.mailer.test lets it pass: 127.0.0.20 is within 127.0.0.16/28\n"),
        "{run:?}"
    );
    for line in [
        "  + ip4:127.0.0.16/28: 127.0.0.20 is within 127.0.0.16/28",
        "Received-SPF: pass (us.test: domain of mailer.test designates 127.0.0.20 as permitted sender)",
        "\tspf=pass smtp.mailfrom=ann@mailer.test",
    ] {
        assert!(run.stdout.lines().any(|it| it == line), "{line}\n{}", run.stdout);
    }
    let run = spf(&["--check", "127.0.0.1", "ann@two.test", "mailer.test", "--helo"]);
    assert!(run.stdout.contains("\tidentity=helo;\n"), "{run:?}");
}

#[test]
fn a_record_is_explained() {
    let run = spf(&["mailer.test", "--json"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
    let told = &run.json()[0];
    assert_eq!((&told["lookups"], &told["void_lookups"], &told["remarks"]), (&json!(4), &json!(0), &json!([])));
    assert_eq!(told["records"].as_array().unwrap().len(), 2);
    assert_eq!(
        told["records"][0]["terms"][1],
        json!({"term": "include:_spf.mailer.test", "meaning": "whoever _spf.mailer.test lets pass may send", "lookups": 2})
    );
    let run = spf(&["careless.test"]);
    assert_eq!(run.status, 65);
    for line in [
        "error: careless.test: \"?moo\" is no mechanism that SPF knows",
        "error: careless.test: 3 look-ups find nothing, and 2 are allowed",
        "warning: careless.test: +all lets everybody send",
        "warning: careless.test: ptr is slow and unreliable, and should not be used",
        "warning: careless.test: ip4:0.0.0.0/0 is a large part of the world",
        "warning: careless.test: nobody.test has no address",
        "4 look-ups of 10, 3 of them in vain",
    ] {
        assert!(run.stdout.lines().any(|it| it == line), "{line}\n{}", run.stdout);
    }
    for (domain, error) in [
        ("two.test", "there is no record of SPF"),
        ("round.test", "round.test leads round in a circle"),
        ("broken-spf.test", "the record can't be looked up for now"),
    ] {
        let run = spf(&[domain]);
        assert!(run.status == 65 && run.stdout.contains(error), "{run:?}");
    }
}

#[test]
fn what_can_t_be_asked() {
    spf(&["--check", "nonsense", "a@b.test", "b.test"]).assert_failed(64, "usage");
    spf(&["a..b"]).assert_failed(64, "address.syntax");
    spf(&["[127.0.0.1]"]).assert_failed(64, "address.syntax");
    assert_eq!(spf(&[]).status, 64);
}
