//! DMARC: text that may be a record, and a check through a DNS that says anything.
//!
//! - A record is read the same with the white space around its tags and without.
//! - A check comes to its end within the bounds, and stays so; it passes only with something that has passed, and what it tells can't steer
//!   a terminal.

use std::time::Duration;

use arbitrary::Unstructured;
use okuru_core::dns::{Answer, QueryKind, Records};
use okuru_core::policy::dkim::DkimResult;
use okuru_core::policy::dmarc::{Check, Config, DmarcResult, Output, Request};
use okuru_core::syntax::dmarc::Record;

use crate::bytes::{blob, byte, flag, pick, text};

const DOMAINS: [&str; 6] = ["d.test", "a.d.test", "b.a.d.test", "d.other", "test", "a.b.c.d.e.f.g.h.i.j.d.test"];

/// Names that have passed, and answers.
pub fn run(data: &[u8]) {
    let mut from = Unstructured::new(data);
    let author = pick(&mut from, &DOMAINS).parse().expect("it is a domain");
    let mut request = Request::new(&author);
    let signers = byte(&mut from) % 4;
    for _ in 0..signers {
        let domain = if flag(&mut from) { pick(&mut from, &DOMAINS).to_owned() } else { text(&mut from) };
        request = request.dkim(DkimResult::Pass, &domain);
    }
    let config = Config { look_ups: pick(&mut from, &[100, 5, 0]), ..Config::default() };
    let mut check = Check::new(request, config);
    for asked in 0..200 {
        match check.poll(Duration::ZERO) {
            Output::Resolve(query) => {
                assert!(asked <= config.look_ups);
                let records = match (byte(&mut from) % 5, query.kind) {
                    (0, _) => Records::NxDomain,
                    (1, _) => Records::Failed,
                    (2, _) => Records::Alias(text(&mut from)),
                    (_, QueryKind::Txt) => {
                        Records::Texts((0..byte(&mut from) % 3).map(|_| record(&mut from)).collect())
                    }
                    _ => Records::NoData,
                };
                check.dns_answer(query.id, Answer::new(records));
            }
            Output::Wait { .. } => panic!("it waits for nothing"),
            Output::Done(verdict) => {
                assert!(verdict.result != DmarcResult::Pass || signers > 0 && verdict.dkim_domain.is_some());
                assert!(!verdict.reason.chars().any(char::is_control));
                check.deadline_passed(Duration::MAX);
                assert_eq!(check.poll(Duration::MAX), Output::Done(verdict));
                return;
            }
        }
    }
    panic!("it does not end");
}

fn record(from: &mut Unstructured<'_>) -> Vec<u8> {
    let mut text = pick(from, &["v=DMARC1", "v=DMARC1;p=none", "v=DMARC1; p=reject", ""]).as_bytes().to_vec();
    for _ in 0..byte(from) % 4 {
        text.extend_from_slice(
            pick(from, &["; sp=none", "; psd=y", "; psd=n", "; np=reject", "; adkim=s", "; t=y", ";"]).as_bytes(),
        );
    }
    text.extend_from_slice(blob(from));
    let spaced: Vec<u8> =
        text.iter().flat_map(|byte| if *byte == b';' { b" ; ".to_vec() } else { vec![*byte] }).collect();
    assert_eq!(Record::parse(&text), Record::parse(&spaced));
    text
}
