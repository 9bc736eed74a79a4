//! Checks in zones that are written down.

use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::dns::{Answer, Query, QueryKind, Records};
use crate::policy::dkim::DkimResult;
use crate::policy::spf;
use crate::syntax::dmarc::Policy;

/// Lines `NAME RECORD`, each of DMARC but for `FAIL`.
fn look_up(zone: &str, query: &Query) -> Answer {
    let name = query.name.as_str();
    let lines = zone.lines().filter_map(|line| line.trim().split_once(' '));
    let texts: Vec<&str> =
        lines.filter(|(it, _)| *it == name.trim_start_matches("_dmarc.")).map(|(_, text)| text).collect();
    Answer::new(match query.kind {
        QueryKind::A if texts.is_empty() => Records::NxDomain,
        QueryKind::Txt if texts.contains(&"FAIL") => Records::Failed,
        QueryKind::Txt if !texts.is_empty() && name.starts_with("_dmarc.") => {
            Records::Texts(texts.iter().map(|text| text.as_bytes().to_vec()).collect())
        }
        _ => Records::NoData,
    })
}

fn check(zone: &str, request: Request) -> (Verdict, usize, usize) {
    let mut check = Check::new(request, Config::default());
    let (mut open, mut asked, mut turns) = (Vec::new(), 0, 0);
    loop {
        match check.poll(Duration::ZERO) {
            Output::Resolve(query) => {
                asked += 1;
                open.push(query);
            }
            Output::Wait { .. } => {
                turns += 1;
                assert!(!open.is_empty());
                while let Some(query) = open.pop() {
                    check.dns_answer(query.id, look_up(zone, &query));
                }
            }
            Output::Done(verdict) => return (*verdict, asked, turns),
        }
    }
}

fn author(domain: &str) -> Request {
    Request::new(&domain.parse().unwrap())
}

/// A sender whom SPF lets pass.
fn spf(request: Request, domain: &str) -> Request {
    let it = spf::Request::mail_from("192.0.2.1".parse().unwrap(), "mx.test", &alloc::format!("ann@{domain}"));
    let mut check = spf::Check::new(it.clone(), spf::Config::default().into());
    loop {
        match check.poll(Duration::ZERO) {
            spf::Output::Resolve(query) => {
                check.dns_answer(query.id, Answer::new(Records::Texts([b"v=spf1 +all".to_vec()].into())));
            }
            spf::Output::Done(verdict) => return request.spf(&it, &verdict),
            spf::Output::Wait { .. } => unreachable!("every answer was given at once"),
        }
    }
}

#[test]
fn results_and_policies() {
    let zone = "example.org v=DMARC1; p=reject; sp=quarantine; np=none
                strict.example.org v=DMARC1; p=quarantine; adkim=s; aspf=s
                there.example.org FAIL-NOT
                try.test v=DMARC1; p=reject; t=y
                mild.test v=DMARC1; p=quarantine; t=y
                twice.test v=DMARC1; p=reject
                twice.test v=DMARC1; p=none
                bank v=DMARC1; p=reject; psd=y
                one.bank v=DMARC1; p=none
                top.test v=DMARC1; p=none; psd=n
                x.top.test v=DMARC1; p=reject
                broken.test FAIL";
    let pass = DkimResult::Pass;
    for (request, result, policy, whose) in [
        (author("example.org"), DmarcResult::Fail, Some(Policy::Reject), "example.org"),
        (author("example.org").dkim(pass, "Example.ORG"), DmarcResult::Pass, Some(Policy::Reject), "example.org"),
        (author("example.org").dkim(pass, "a.example.org"), DmarcResult::Pass, Some(Policy::Reject), "example.org"),
        (
            author("example.org").dkim(DkimResult::Fail, "example.org"),
            DmarcResult::Fail,
            Some(Policy::Reject),
            "example.org",
        ),
        (author("example.org").dkim(pass, "example.net"), DmarcResult::Fail, Some(Policy::Reject), "example.org"),
        (author("example.org").dkim(pass, "org"), DmarcResult::Fail, Some(Policy::Reject), "example.org"),
        (spf(author("example.org"), "b.example.org"), DmarcResult::Pass, Some(Policy::Reject), "example.org"),
        (spf(author("example.org"), "b.test"), DmarcResult::Fail, Some(Policy::Reject), "example.org"),
        // Below: it does not exist, it does.
        (author("gone.example.org"), DmarcResult::Fail, Some(Policy::None), "example.org"),
        (author("there.example.org"), DmarcResult::Fail, Some(Policy::Quarantine), "example.org"),
        // Strict.
        (
            author("strict.example.org").dkim(pass, "example.org"),
            DmarcResult::Fail,
            Some(Policy::Quarantine),
            "strict.example.org",
        ),
        (
            spf(author("strict.example.org"), "strict.example.org"),
            DmarcResult::Pass,
            Some(Policy::Quarantine),
            "strict.example.org",
        ),
        // Tests.
        (author("try.test"), DmarcResult::Fail, Some(Policy::Quarantine), "try.test"),
        (author("mild.test"), DmarcResult::Fail, Some(Policy::None), "mild.test"),
        (author("twice.test"), DmarcResult::None, None, ""),
        (author("nothing.test").dkim(pass, "nothing.test"), DmarcResult::None, None, ""),
        // Who registers names below.
        (author("a.one.bank").dkim(pass, "b.one.bank"), DmarcResult::Pass, Some(Policy::None), "one.bank"),
        (author("two.bank").dkim(pass, "three.bank"), DmarcResult::Fail, Some(Policy::Reject), "bank"),
        (author("a.two.bank").dkim(pass, "two.bank"), DmarcResult::Pass, Some(Policy::Reject), "bank"),
        (author("bank").dkim(pass, "two.bank"), DmarcResult::Fail, Some(Policy::Reject), "bank"),
        (author("x.top.test").dkim(pass, "y.top.test"), DmarcResult::Pass, Some(Policy::Reject), "x.top.test"),
        // What fails.
        (author("broken.test"), DmarcResult::TempError, None, ""),
        (author("example.org").dkim(pass, "broken.org"), DmarcResult::Fail, Some(Policy::Reject), "example.org"),
        (author("[192.0.2.1]"), DmarcResult::PermError, None, ""),
    ] {
        let (verdict, asked, turns) = check(zone, request.clone());
        assert_eq!((verdict.result, verdict.policy), (result, policy), "{request:?}\n{verdict:?}");
        assert_eq!(verdict.policy_domain.as_deref().unwrap_or_default(), whose);
        assert!(asked <= 8 && turns <= 2, "{asked} {turns}");
        let aligned = verdict.is_spf_aligned || verdict.dkim_domain.is_some();
        assert_eq!(aligned, verdict.result == DmarcResult::Pass);
        assert!(!verdict.reason.is_empty() && !verdict.reason.ends_with('.'));
    }
}

#[test]
fn a_tree_is_climbed_in_eight_steps() {
    let deep = "a.b.c.d.e.f.g.h.i.j.mail.example.org";
    let zone = "example.org v=DMARC1; p=reject\nd.e.f.g.h.i.j.mail.example.org v=DMARC1; p=none";
    let (verdict, asked, turns) = check(zone, author(deep));
    assert_eq!((verdict.policy, verdict.policy_domain.as_deref()), (Some(Policy::Reject), Some("example.org")));
    assert_eq!((asked, turns), (8, 1));
    let (verdict, asked, turns) = check(zone, author(deep).dkim(DkimResult::Pass, "x.j.mail.example.org"));
    assert_eq!((verdict.result, asked, turns), (DmarcResult::Pass, 9, 1));
}

#[test]
fn time_ends() {
    let mut check = Check::new(author("example.org"), Config::default());
    while let Output::Resolve(_) = check.poll(Duration::ZERO) {}
    check.deadline_passed(Duration::from_secs(20));
    let Output::Done(verdict) = check.poll(Duration::ZERO) else { panic!("{check:?}") };
    assert_eq!(verdict.result, DmarcResult::TempError);
}
