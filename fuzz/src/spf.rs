//! SPF: text that may be a record, and a check and a lint through a DNS that says anything in any order.
//!
//! - What is read of a record is written and read again as the same; what is wrong with it is told in printable ASCII.
//! - A check comes to its end within the bounds, and stays so; the same answers give the same verdict, looking ahead or not as long as
//!   each question has one answer.
//! - Nothing that is told can steer a terminal, nor break a field of a header.

use std::collections::HashMap;
use std::time::Duration;

use arbitrary::Unstructured;
use okuru_core::dns::{Answer, Exchange, Inquiry, Output, Query, QueryKind, Records};
use okuru_core::policy::spf::{Check, Config, Limits, Lint, Request, Verdict, authentication_results, received_spf};
use okuru_core::syntax::AuthenticationResults;
use okuru_core::syntax::spf::{ExplainString, Record};

use crate::bytes::{blob, byte, flag, pick, text};

const NAMES: [&str; 6] = ["d.test", "a.test", "b.test.", "x y:z.test", "", "d.test.d.test"];

/// Bounds, a request, and answers to its questions.
pub fn run(data: &[u8]) {
    let mut from = Unstructured::new(data);
    let config = Config {
        look_ahead: true,
        limits: Limits {
            terms: pick(&mut from, &[10, 3, 0]),
            void_terms: pick(&mut from, &[2, 100, 0]),
            names: pick(&mut from, &[10, 1, 0]),
            text: pick(&mut from, &[8192, 60]),
            aliases: pick(&mut from, &[8, 0]),
            look_ups: pick(&mut from, &[250, 5, 0]),
            steps: pick(&mut from, &[500, 2, 0]),
        },
        ..Config::default()
    };
    let client = pick(&mut from, &["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"]).parse().expect("it is an address");
    let helo = if flag(&mut from) { text(&mut from) } else { "mx.d.test".to_owned() };
    let sender = if flag(&mut from) { text(&mut from) } else { "ann@d.test".to_owned() };
    let request = match flag(&mut from) {
        true => Request::helo(client, &helo),
        false => Request::mail_from(client, &helo, &sender),
    };
    let mut zone = Zone { from, known: HashMap::new() };
    let (verdict, asked) = settle(Check::new(request.clone(), config.clone().into()), &mut zone);
    assert!(asked <= config.limits.look_ups && verdict.queries == asked);
    look_at(&request, &verdict, &config);
    let config = Config { look_ahead: false, ..config };
    let (again, _) = settle(Check::new(request.clone(), config.clone().into()), &mut zone);
    // The bound of all look-ups may be met by those that were not needed.
    if config.limits.look_ups == Limits::default().look_ups {
        assert_eq!(Verdict { queries: 0, ..verdict }, Verdict { queries: 0, ..again });
    }
    let lint = Lint::new(&"d.test".parse().expect("it is a domain"), config.into()).expect("it is a name");
    let (findings, _) = settle(lint, &mut zone);
    let words = findings.records.iter().flat_map(|it| it.terms.iter().flat_map(|it| [&it.term, &it.meaning]));
    let words = words.chain(findings.remarks.iter().map(|it| &it.text));
    let words = words.chain(findings.records.iter().filter_map(|it| it.text.as_ref()));
    words.for_each(is_harmless);
    assert!(findings.records.len() <= 200 && findings.remarks.len() <= 100);
}

struct Zone<'a> {
    from: Unstructured<'a>,
    known: HashMap<(String, QueryKind), Answer>,
}

impl Zone<'_> {
    fn look_up(&mut self, query: &Query) -> Answer {
        let question = (query.name.as_str().to_owned(), query.kind);
        let from = &mut self.from;
        self.known.entry(question).or_insert_with(|| answer(from, query.kind)).clone()
    }
}

fn settle<M: Inquiry + Clone>(mut machine: M, zone: &mut Zone<'_>) -> (M::Found, usize)
where
    M::Found: PartialEq + core::fmt::Debug + Clone,
{
    let mut asked = 0;
    for _ in 0..2000 {
        match machine.poll(Duration::ZERO) {
            Output::Resolve(query) => {
                asked += 1;
                assert!(
                    !query.name.as_str().chars().any(|c| c.is_control() || c.is_ascii_uppercase() || !c.is_ascii())
                );
                machine.dns_answer(query.id, zone.look_up(&query));
                machine.dns_answer(query.id, Answer::new(Records::Failed));
            }
            Output::Wait { .. } => panic!("it waits for nothing"),
            Output::Done(found) => {
                let mut copy = machine.clone();
                copy.deadline_passed(Duration::MAX);
                assert_eq!(copy.poll(Duration::MAX), Output::Done(found.clone()));
                return (*found, asked);
            }
        }
    }
    panic!("it does not end");
}

fn answer(from: &mut Unstructured<'_>, kind: QueryKind) -> Answer {
    let count = byte(from) % 4;
    let records = match (byte(from) % 8, kind) {
        (0, _) => Records::NxDomain,
        (1, _) => Records::NoData,
        (2, _) => Records::Failed,
        (3, _) => Records::Alias(name(from)),
        (_, QueryKind::Txt) => Records::Texts((0..count).map(|_| record(from)).collect()),
        (_, QueryKind::Mx) => {
            let exchange = |from: &mut Unstructured<'_>| Exchange { preference: byte(from).into(), host: name(from) };
            Records::Exchanges((0..byte(from) % 13).map(|_| exchange(from)).collect())
        }
        (_, QueryKind::Ptr) => Records::Names((0..byte(from) % 13).map(|_| name(from)).collect()),
        (_, QueryKind::A | QueryKind::Aaaa) => {
            let address = |from: &mut Unstructured<'_>| pick(from, &["192.0.2.1", "192.0.2.9", "2001:db8::1", "::1"]);
            Records::Addresses((0..count).map(|_| address(from).parse().expect("it is an address")).collect())
        }
    };
    Answer::new(records)
}

fn name(from: &mut Unstructured<'_>) -> String {
    if flag(from) { pick(from, &NAMES).into() } else { text(from) }
}

/// Of terms that are made up, or of anything.
fn record(from: &mut Unstructured<'_>) -> Vec<u8> {
    let text = match byte(from) % 3 {
        0 => blob(from).to_vec(),
        _ => {
            let mut text = b"v=spf1".to_vec();
            for _ in 0..byte(from) % 8 {
                text.push(b' ');
                text.extend_from_slice(pick(from, &["", "-", "~", "?", "+"]).as_bytes());
                text.extend_from_slice(pick(from, &TERMS).as_bytes());
                if flag(from) {
                    text.extend_from_slice(blob(from));
                }
            }
            text
        }
    };
    read(&text);
    text
}

const TERMS: [&str; 16] = [
    "all",
    "a",
    "mx",
    "ptr",
    "a:",
    "mx:a.test/24//64",
    "include:",
    "include:a.test",
    "exists:%{",
    "exists:%{p}.%{l}.d.test",
    "ip4:192.0.2.0/",
    "ip6:2001:db8::/",
    "redirect=b.test",
    "redirect=",
    "exp=%{s}.a.test",
    "ptr:test.test",
];

fn read(text: &[u8]) {
    let (record, faults) = Record::read(text);
    assert_eq!(Record::parse(text).is_ok(), faults.is_empty());
    let written = record.to_string();
    assert_eq!(Record::parse(written.as_bytes()).as_ref(), Ok(&record), "{written}");
    for fault in faults {
        assert!(fault.to_string().bytes().all(|byte| matches!(byte, b' '..=b'~')));
    }
    if let Ok(it) = ExplainString::parse(text) {
        let written = it.as_macro_string().to_string();
        let again = ExplainString::parse(written.as_bytes()).expect("it was written by us");
        assert_eq!(again.as_macro_string().parts(), it.as_macro_string().parts());
    }
}

fn look_at(request: &Request, verdict: &Verdict, config: &Config) {
    assert!(verdict.lookups <= config.limits.terms && verdict.trace.len() <= config.limits.steps);
    assert!(verdict.explanation.iter().all(|text| text.bytes().all(|byte| matches!(byte, b' '..=b'~'))));
    let steps = verdict.trace.iter().flat_map(|it| [&it.domain, &it.term, &it.reason]);
    let looked_up = verdict.trace.iter().flat_map(|it| &it.looked_up).flat_map(|it| [&it.name, &it.found]);
    let told = [&verdict.reason].into_iter().chain(&verdict.mechanism).chain(steps).chain(looked_up);
    told.for_each(is_harmless);
    let results = authentication_results(AuthenticationResults::new("us.test"), request, verdict).to_string();
    for field in [received_spf(request, verdict, "us.test"), results] {
        let field = field.strip_suffix("\r\n").expect("it ends a line").replace("\r\n\t", "");
        assert!(!field.chars().any(char::is_control), "{field:?}");
    }
}

fn is_harmless(text: &String) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}
