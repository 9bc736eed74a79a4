//! What the suite does not look at: time, limits, hostile zones, look-ups at once, explanations of records.

use std::sync::Arc;
use std::time::Duration;

use okuru_core::dns::{Answer, QueryId, Records};
use okuru_core::policy::spf::{
    Check, Config, Findings, Limits, Lint, LintOutput, Output, Request, Severity, SpfResult, Verdict,
};

use crate::zone::{Entry, Order, Zone, check};

/// Lines `NAME TYPE DATA`.
fn zone(lines: &str) -> Zone {
    let mut zone = Zone::default();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let mut words = line.trim().splitn(3, ' ');
        let (name, kind, data) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or_default());
        let entry = match kind {
            "TXT" => Entry::Text(data.to_owned()),
            "A" | "AAAA" => Entry::Address(data.parse().unwrap()),
            "MX" => Entry::Exchange(10, data.to_owned()),
            "PTR" => Entry::Pointer(data.to_owned()),
            "FAIL" => Entry::Timeout,
            other => panic!("{other}"),
        };
        zone.0.entry(name.to_owned()).or_default().push(entry);
    }
    zone
}

fn request() -> Request {
    Request::mail_from("192.0.2.1".parse().unwrap(), "mx.d.test", "ann@d.test")
}

fn verdict(config: Config, zone: &Zone) -> (Verdict, usize) {
    check(&request(), &Arc::new(config), zone, Order::First)
}

fn findings(zone: &Zone) -> Findings {
    let mut lint = Lint::new(&"d.test".parse().unwrap(), Config::default().into()).unwrap();
    loop {
        match lint.poll(Duration::ZERO) {
            LintOutput::Resolve(query) => lint.dns_answer(query.id, zone.look_up(&query)),
            LintOutput::Wait { .. } => panic!("it waits for nothing"),
            LintOutput::Done(findings) => return *findings,
        }
    }
}

#[test]
fn what_does_not_depend_on_each_other_is_asked_at_once() {
    let zone = zone(
        "d.test TXT v=spf1 a:one.test mx include:i.test exists:%{i}.test ip6:::/0 redirect=r.test
         d.test MX m1.test
         d.test MX m2.test
         i.test TXT v=spf1 a:two.test a:three.test
         one.test A 192.0.2.9
         two.test A 192.0.2.9
         three.test A 192.0.2.9
         r.test TXT v=spf1 ~all",
    );
    let ahead = verdict(Config::default(), &zone);
    let after = verdict(Config { look_ahead: false, ..Config::default() }, &zone);
    // The record; its terms; the servers; the terms of the include.
    assert_eq!((ahead.1, after.1), (4, 9));
    assert_eq!(ahead.0.result, SpfResult::SoftFail);
    assert_eq!(ahead.0.queries, after.0.queries);
    assert_eq!((ahead.0.lookups, ahead.0.void_lookups), (7, 1));
    assert_eq!(Verdict { queries: 0, ..ahead.0 }, Verdict { queries: 0, ..after.0 });
}

#[test]
fn nothing_is_asked_that_is_known_not_to_be_needed() {
    let zone = zone("d.test TXT v=spf1 a:x.test ip4:192.0.2.0/24 a:y.test -all");
    let (verdict, _) = verdict(Config::default(), &zone);
    assert_eq!((verdict.result, verdict.queries), (SpfResult::Pass, 2));
}

#[test]
fn time_ends() {
    let mut check = Check::new(request(), Config::default().into());
    let Output::Resolve(query) = check.poll(Duration::from_secs(5)) else { panic!("{check:?}") };
    assert_eq!(check.poll(Duration::from_secs(5)), Output::Wait { deadline: Duration::from_secs(25) });
    check.deadline_passed(Duration::from_secs(24));
    assert!(!check.is_done());
    check.deadline_passed(Duration::from_secs(25));
    let Output::Done(verdict) = check.poll(Duration::from_secs(25)) else { panic!("{check:?}") };
    assert_eq!((verdict.result, verdict.reason.as_str()), (SpfResult::TempError, "the look-ups take too long"));
    check.dns_answer(query.id, Answer::new(Records::Texts(vec![b"v=spf1 +all".to_vec()])));
    assert_eq!(check.poll(Duration::MAX), Output::Done(verdict));
}

#[test]
fn a_failure_without_time_for_its_explanation_is_a_failure() {
    let mut check = Check::new(request(), Config::default().into());
    let Output::Resolve(query) = check.poll(Duration::ZERO) else { panic!("{check:?}") };
    check.dns_answer(query.id, Answer::new(Records::Texts(vec![b"v=spf1 -all exp=e.test".to_vec()])));
    assert!(matches!(check.poll(Duration::ZERO), Output::Resolve(query) if query.name.as_str() == "e.test"));
    assert!(matches!(check.poll(Duration::ZERO), Output::Wait { .. }));
    check.deadline_passed(Duration::from_secs(20));
    let Output::Done(verdict) = check.poll(Duration::from_secs(20)) else { panic!("{check:?}") };
    assert_eq!(
        (verdict.result, verdict.explanation, verdict.mechanism.as_deref()),
        (SpfResult::Fail, None, Some("-all"))
    );
    check.dns_answer(QueryId(77), Answer::new(Records::Failed));
}

#[test]
fn hostile_zones_end_within_the_bounds() {
    let many = "a:x.test ".repeat(900);
    let wide: String = (0..40).map(|number| format!("include:i{number}.test ")).collect();
    let servers: String = (0..11).map(|number| format!("d.test MX m{number}.test\n")).collect();
    for (lines, result, reason) in [
        (format!("d.test TXT v=spf1 {many}"), SpfResult::PermError, "more than 2 look-ups find nothing"),
        (
            format!("d.test TXT v=spf1 {many}\nx.test A 203.0.113.1"),
            SpfResult::PermError,
            "it takes more than 10 terms with look-ups",
        ),
        (
            format!("d.test TXT v=spf1 {}", "a".repeat(9000)),
            SpfResult::PermError,
            "the record of d.test is longer than 8192 octets",
        ),
        (format!("d.test TXT v=spf1 {wide}"), SpfResult::PermError, "there is no domain i0.test"),
        ("d.test TXT v=spf1 include:d.test".into(), SpfResult::PermError, "it takes more than 10 terms with look-ups"),
        ("d.test TXT v=spf1 redirect=d.test".into(), SpfResult::PermError, "it takes more than 10 terms with look-ups"),
        (format!("d.test TXT v=spf1 mx -all\n{servers}"), SpfResult::PermError, "d.test has more than 10 MX records"),
        (
            "d.test TXT v=spf1 a\nd.test TXT v=spf1 a".into(),
            SpfResult::PermError,
            "d.test has more than one record of SPF",
        ),
        ("d.test TXT v=spf1 a:x..y -all".into(), SpfResult::Fail, "all matches everybody"),
        ("d.test TXT v=spf1 a mx -all\nd.test FAIL".into(), SpfResult::TempError, "d.test can't be looked up for now"),
        (String::new(), SpfResult::None, "there is no domain d.test"),
    ] {
        let (verdict, _) = verdict(Config::default(), &zone(&lines));
        assert_eq!((verdict.result, verdict.reason.as_str()), (result, reason), "{lines}");
        assert!(verdict.queries <= 30 && verdict.trace.len() <= 40, "{verdict:?}");
    }
    let limits = Limits { steps: 3, ..Limits::default() };
    let (verdict, _) = verdict(Config { limits, ..Config::default() }, &zone("d.test TXT v=spf1 redirect=d.test"));
    assert_eq!(verdict.trace.len(), 3);
}

#[test]
fn explanations_can_t_steer_anything() {
    let zone = zone("d.test TXT v=spf1 -all exp=e.test\ne.test TXT %{h} is not welcome\n");
    for (helo, explanation) in [("mx.test", Some("mx.test is not welcome")), ("a\r\n550 b", None), ("\u{e4}", None)] {
        let request = Request::mail_from("192.0.2.1".parse().unwrap(), helo, "ann@d.test");
        let (verdict, _) = check(&request, &Arc::default(), &zone, Order::First);
        assert_eq!(verdict.explanation.as_deref(), explanation);
    }
}

/// RFC 8616 §4.
#[test]
fn addresses_outside_ascii() {
    let zone = zone("xn--exmple-cua.test TXT v=spf1 exists:%{l}.x.test a:%{o} -all\nxn--exmple-cua.test A 192.0.2.1");
    let request = Request::mail_from("192.0.2.1".parse().unwrap(), "mx.test", "jos\u{e9}@ex\u{e4}mple.test");
    let (verdict, _) = check(&request, &Arc::default(), &zone, Order::First);
    assert_eq!((verdict.result, verdict.mechanism.as_deref()), (SpfResult::Pass, Some("a:%{o}")));
    assert_eq!(verdict.trace[1].reason, "the local part is not in ASCII");
}

#[test]
fn a_lint_counts_what_a_check_would_need() {
    let found = findings(&zone(
        "d.test TXT v=spf1 a mx include:i.test include:j.test ip4:10.0.0.0/7 ~all exp=e.test
         d.test A 192.0.2.1
         i.test TXT v=spf1 include:j.test exists:%{i}.x.test ?all
         j.test TXT v=spf1 ip4:192.0.2.0/24 -all a:never.test",
    ));
    assert_eq!((found.lookups, found.void_lookups, found.records.len()), (6, 1, 4));
    let told: Vec<_> = found.remarks.iter().map(|it| (it.severity, it.domain.as_str(), it.text.as_str())).collect();
    assert_eq!(
        told,
        [
            (Severity::Warning, "d.test", "ip4:10.0.0.0/7 is a large part of the world"),
            (Severity::Warning, "d.test", "d.test has no MX records"),
            (Severity::Warning, "j.test", "nothing behind all is ever looked at (1 terms)"),
        ]
    );
    let circle = findings(&zone("d.test TXT v=spf1 include:i.test -all\ni.test TXT v=spf1 include:d.test"));
    assert_eq!(circle.remarks[0].text, "d.test leads round in a circle");
}

#[test]
fn a_lint_ends_whatever_it_is_told() {
    let names: Vec<String> = (0..30).map(|number| format!("include:i{number}.test")).collect();
    let all = names.join(" ");
    let mut lines = format!("d.test TXT v=spf1 {all}\n");
    for number in 0..30 {
        lines += &format!("i{number}.test TXT v=spf1 {all} -all\n");
    }
    let found = findings(&zone(&lines));
    assert!(found.lookups < 1000 && found.records.len() < 100, "{}", found.lookups);
    assert_eq!(found.remarks[0].severity, Severity::Error);
}
