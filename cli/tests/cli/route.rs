//! What `okuru route` tells, of a real name server.

use serde_json::json;

use crate::knot::Knot;
use crate::program::{Run, okuru};

fn route(arguments: &[&str]) -> Run {
    let knot = Knot::shared();
    okuru(&[&["route", "--dns", &knot.address], arguments].concat())
}

#[test]
fn each_verdict_has_its_line() {
    let addresses = ["a@two.test", "b@implicit.test", "c@null.test", "d@nowhere.test", "e@broken", "f@second.test"];
    let others = ["g@vain.test", "no address", "h@[127.0.0.4]", "i@alias.test"];
    let run = route(&[&["--json", "--self-address", "127.0.0.10"], &addresses[..], &others].concat());
    // The worst of them: there is no such domain.
    assert_eq!((run.status, run.stderr.as_str()), (68, ""), "{run:?}");
    let lines = run.json();
    let keys: Vec<_> = lines[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["address", "enhanced", "hosts", "reason", "verdict"]);
    let first = run.stdout.lines().next().unwrap();
    assert!(
        first.starts_with(r#"{"address":"a@two.test","verdict":"hosts","hosts":[{"name":"down.test","preference":10,"#)
    );
    let told: Vec<_> =
        lines.iter().map(|line| (line["address"].as_str(), line["verdict"].as_str(), &line["enhanced"])).collect();
    let expected = [
        ("hosts", json!(null)),
        ("hosts", json!(null)),
        ("null_mx", json!("5.1.10")),
        ("no_such_domain", json!("5.1.2")),
        ("temporary", json!("4.4.3")),
        ("loop", json!("5.4.6")),
        ("invalid", json!("5.4.4")),
        ("invalid", json!("5.1.3")),
        ("hosts", json!(null)),
        ("hosts", json!(null)),
    ];
    for ((told, address), (verdict, enhanced)) in told.iter().zip(addresses.iter().chain(&others)).zip(&expected) {
        assert_eq!(*told, (Some(*address), Some(*verdict), enhanced));
    }
    assert_eq!(
        lines[0]["hosts"],
        json!([
            {"name": "down.test", "preference": 10, "addresses": ["127.0.0.9"]},
            {"name": "mx.two.test", "preference": 20, "addresses": ["127.0.0.3"]},
        ])
    );
    assert_eq!(lines[1]["hosts"], json!([{"name": "implicit.test", "preference": null, "addresses": ["127.0.0.4"]}]));
    assert_eq!(lines[8]["hosts"], json!([{"name": "[127.0.0.4]", "preference": null, "addresses": ["127.0.0.4"]}]));
    assert_eq!(lines[9]["hosts"], lines[0]["hosts"]);
    assert!(lines.iter().all(|line| !line["reason"].as_str().unwrap().is_empty()));
}

#[test]
fn who_we_are_counts() {
    let of = |arguments: &[&str]| route(&[&["--json", "x@first.test"], arguments].concat()).json()[0].clone();
    assert_eq!(of(&[])["hosts"].as_array().unwrap().len(), 2);
    assert_eq!(of(&["--ehlo", "us.test"])["hosts"].as_array().unwrap().len(), 1);
    assert_eq!(of(&["--self-address", "127.0.0.5"])["verdict"], "loop");
}

#[test]
fn for_people_and_by_exit_status() {
    let run = route(&["b@two.test"]);
    assert_eq!(run.status, 0);
    let expected = "b@two.test\n     10  down.test    127.0.0.9\n     20  mx.two.test  127.0.0.3\n  \
                    the domain names these servers by MX records\n";
    assert_eq!(run.stdout, expected);
    for (address, status) in [("a@nowhere.test", 68), ("a@null.test", 69), ("a@broken", 75), ("nonsense", 64)] {
        let run = route(&[address]);
        assert_eq!((run.status, run.stderr.as_str()), (status, ""), "{run:?}");
        assert!(run.stdout.starts_with(address) && run.stdout.contains(" ["), "{run:?}");
    }
}
