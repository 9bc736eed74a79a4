//! The suite of openspf.org, as published.

use std::path::Path;
use std::sync::Arc;

use okuru_core::policy::spf::{Config, Request, SpfResult};
use saphyr::{LoadableYamlNode as _, Yaml};

use crate::zone::{Entry, Order, Zone, check};

/// Cases that share a zone.
pub(crate) struct Scenario {
    pub(crate) cases: Vec<Case>,
    pub(crate) zone: Zone,
}

/// A check, and what it has to come to.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) helo: String,
    pub(crate) mail_from: String,
    /// Any of these; the first is preferred.
    results: Vec<String>,
    explanation: Option<String>,
}

impl Case {
    pub(crate) fn request(&self) -> Request {
        Request::mail_from(self.host.parse().unwrap(), &self.helo, &self.mail_from)
    }
}

pub(crate) fn load() -> Vec<Scenario> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/spf/rfc7208-tests.yml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let documents = Yaml::load_from_str(&text).unwrap();
    documents.iter().map(scenario).collect()
}

fn scenario(document: &Yaml<'_>) -> Scenario {
    let mapping = |key: &str| document[key].as_mapping().unwrap();
    let cases = mapping("tests").iter().map(|(name, case)| Case {
        name: text(name),
        host: text(&case["host"]),
        helo: text(&case["helo"]),
        mail_from: text(&case["mailfrom"]),
        results: one_or_more(&case["result"]),
        explanation: case.as_mapping_get("explanation").map(text),
    });
    let zone = mapping("zonedata").iter().map(|(name, entries)| (text(name).to_lowercase(), entries_of(entries)));
    Scenario { cases: cases.collect(), zone: Zone(zone.collect()) }
}

/// What is there at a name. A record of type SPF stands for one of type TXT where there is none; TXT: NONE says that there is none.
fn entries_of(node: &Yaml<'_>) -> Vec<Entry> {
    let nodes = node.as_sequence().unwrap();
    let has_text = nodes.iter().filter_map(typed).any(|(kind, _)| kind == "TXT");
    let mut entries = Vec::new();
    for node in nodes {
        let Some((kind, value)) = typed(node) else {
            assert_eq!(text(node), "TIMEOUT");
            entries.push(Entry::Timeout);
            continue;
        };
        match kind.as_str() {
            "SPF" if has_text => {}
            "TXT" if value.as_str() == Some("NONE") => {}
            "TXT" | "SPF" => entries.push(Entry::Text(one_or_more(&value).concat())),
            "A" | "AAAA" => entries.push(Entry::Address(text(&value).parse().unwrap())),
            "MX" => entries.push(Entry::Exchange(value[0].as_integer().unwrap().try_into().unwrap(), text(&value[1]))),
            "PTR" => entries.push(Entry::Pointer(text(&value))),
            "CNAME" => entries.push(Entry::Alias(text(&value))),
            other => panic!("{other} is not known here"),
        }
    }
    entries
}

fn typed<'a>(node: &'a Yaml<'_>) -> Option<(String, Yaml<'a>)> {
    let (kind, value) = node.as_mapping()?.iter().next()?;
    Some((text(kind), value.clone()))
}

fn one_or_more(node: &Yaml<'_>) -> Vec<String> {
    match node.as_sequence() {
        Some(nodes) => nodes.iter().map(text).collect(),
        None => vec![text(node)],
    }
}

fn text(node: &Yaml<'_>) -> String {
    node.as_str().unwrap_or_else(|| panic!("{node:?} is no text")).to_owned()
}

#[test]
fn every_case_holds() {
    let (mut run, mut failures) = (0, Vec::new());
    for scenario in load() {
        for case in &scenario.cases {
            for (look_ahead, order) in [(true, Order::First), (true, Order::Last), (false, Order::First)] {
                let default_explanation = Some("DEFAULT".to_owned());
                let config = Arc::new(Config { look_ahead, default_explanation, ..Config::default() });
                let (verdict, _) = check(&case.request(), &config, &scenario.zone, order);
                run += 1;
                let result = verdict.result.as_str();
                let explained = case.explanation.is_none() || case.explanation == verdict.explanation;
                if !case.results.iter().any(|it| it == result) || !explained {
                    failures.push(format!("{}: {:?}, not {verdict:#?}", case.name, case.results));
                }
                assert_eq!(verdict.explanation.is_some(), verdict.result == SpfResult::Fail);
            }
        }
    }
    assert!(failures.is_empty(), "{} of {run}\n{}", failures.len(), failures.join("\n"));
    println!("{run} runs");
    assert!(run >= 3 * 200, "{run}");
}
