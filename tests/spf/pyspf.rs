//! The verdicts of pyspf, on the zones of the suite and on zones that are made up.

use std::collections::BTreeMap;
use std::sync::Arc;

use okuru_core::policy::spf::{Config, Limits, Request};
use serde_json::{Value, json};

use crate::made_up;
use crate::python::Script;
use crate::suite;
use crate::zone::{Entry, Order, Zone, check};

/// The result of each check by pyspf, and the explanation of a failure.
fn theirs(pyspf: &mut Script, zone: &Zone, checks: &[[String; 3]]) -> Vec<Seen> {
    let entry = |entry: &Entry| match entry {
        Entry::Text(text) => json!(["TXT", text]),
        Entry::Address(address) if address.is_ipv4() => json!(["A", address]),
        Entry::Address(address) => json!(["AAAA", address]),
        Entry::Exchange(preference, host) => json!(["MX", [preference, host]]),
        Entry::Pointer(name) => json!(["PTR", name]),
        Entry::Alias(name) => json!(["CNAME", name]),
        Entry::Timeout => json!(["TIMEOUT", null]),
    };
    let zone: serde_json::Map<String, Value> =
        zone.0.iter().map(|(name, entries)| (name.clone(), entries.iter().map(entry).collect())).collect();
    let told = pyspf.ask(&json!({ "zone": zone, "checks": checks }));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    told.as_array().unwrap().iter().map(|it| (text(&it[0]).unwrap(), text(&it[1]))).collect()
}

fn ours(zone: &Zone, checks: &[[String; 3]]) -> Vec<Seen> {
    let config = Arc::new(Config {
        receiver: Some("us.test".to_owned()),
        default_explanation: Some("DEFAULT".to_owned()),
        limits: Limits { void_terms: usize::MAX, ..Limits::default() },
        ..Config::default()
    });
    let run = |[client, from, helo]: &[String; 3]| {
        let request = Request::mail_from(client.parse().unwrap(), helo, from);
        let (verdict, _) = check(&request, &config, zone, Order::First);
        (verdict.result.as_str().to_owned(), verdict.explanation)
    };
    checks.iter().map(run).collect()
}

#[test]
fn the_suite_comes_to_the_same() {
    let mut pyspf = Script::start("spf/pyspf_checks.py");
    let (mut compared, mut different) = (0, Vec::new());
    for scenario in suite::load() {
        let checks: Vec<[String; 3]> =
            scenario.cases.iter().map(|it| [it.host.clone(), it.mail_from.clone(), it.helo.clone()]).collect();
        let their = theirs(&mut pyspf, &scenario.zone, &checks);
        for ((case, ours), theirs) in scenario.cases.iter().zip(ours(&scenario.zone, &checks)).zip(their) {
            compared += 1;
            if ours != theirs {
                different.push(format!("{}: we say {ours:?}, pyspf says {theirs:?}", case.name));
            }
        }
    }
    assert!(compared >= 200, "{compared}");
    assert!(different.is_empty(), "{} of {compared}\n{}", different.len(), different.join("\n"));
}

#[test]
fn made_up_zones_come_to_the_same() {
    let compared = compare(false, |ours, theirs| ours == theirs);
    assert!(compared["pass"] > 100 && compared["fail"] > 100 && compared["permerror"] > 100, "{compared:?}");
}

/// pyspf takes it for an error of the whole check if a name of the client can't be looked up, where RFC 7208 §5.5 has it passed over; and
/// it looks up all servers in an `mx` before it looks whether the first has the client's address.
#[test]
fn zones_that_fail_come_to_the_same_or_pyspf_gives_up() {
    let compared = compare(true, |ours, theirs| ours == theirs || theirs.0 == "temperror");
    assert!(compared["temperror"] > 100, "{compared:?}");
}

type Seen = (String, Option<String>);

/// Compares in made-up zones; gives how often we had each result.
fn compare(with_failures: bool, agree: fn(&Seen, &Seen) -> bool) -> BTreeMap<String, usize> {
    let mut pyspf = Script::start("spf/pyspf_checks.py");
    let (mut compared, mut different) = (BTreeMap::new(), Vec::new());
    for seed in 0..200 {
        let (zone, checks) = made_up::zone(seed, with_failures);
        let their = theirs(&mut pyspf, &zone, &checks);
        for ((check, ours), theirs) in checks.iter().zip(ours(&zone, &checks)).zip(their) {
            if !agree(&ours, &theirs) {
                different.push(format!("seed {seed}, {check:?}: we say {ours:?}, pyspf says {theirs:?}"));
            }
            *compared.entry(ours.0).or_insert(0) += 1;
        }
    }
    println!("{compared:?}");
    assert!(different.is_empty(), "{} differ\n{}", different.len(), different.join("\n"));
    compared
}
