//! `okuru spf`

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use okuru::mailer::Resolver;
use okuru_core::policy::spf::{
    Check, Config, Findings, Lint, LookedUp, Request, Severity, SpfResult, Step, Verdict, authentication_results,
    received_spf,
};
use okuru_core::syntax::AuthenticationResults;
use serde::Serialize;

use crate::arguments::SpfArguments;
use crate::envelope::in_option;
use crate::exit::{Exit, Failure, usage};
use crate::report::print;

/// The object of `--check --json`. Keys, once published, stay as they are; one without a value is null.
#[derive(Serialize)]
struct VerdictObject<'a> {
    result: &'static str,
    reason: &'a str,
    explanation: Option<&'a str>,
    mechanism: Option<&'a str>,
    lookups: usize,
    void_lookups: usize,
    queries: usize,
    trace: Vec<StepObject<'a>>,
}

#[derive(Serialize)]
struct StepObject<'a> {
    depth: usize,
    domain: &'a str,
    term: &'a str,
    matched: Option<bool>,
    reason: &'a str,
    looked_up: Vec<LookedUpObject<'a>>,
}

#[derive(Serialize)]
struct LookedUpObject<'a> {
    name: &'a str,
    kind: &'static str,
    found: &'a str,
}

/// The object of `DOMAIN --json`.
#[derive(Serialize)]
struct FindingsObject<'a> {
    domain: &'a str,
    lookups: usize,
    void_lookups: usize,
    records: Vec<RecordObject<'a>>,
    remarks: Vec<RemarkObject<'a>>,
}

#[derive(Serialize)]
struct RecordObject<'a> {
    depth: usize,
    domain: &'a str,
    record: Option<&'a str>,
    terms: Vec<TermObject<'a>>,
}

#[derive(Serialize)]
struct TermObject<'a> {
    term: &'a str,
    meaning: &'a str,
    lookups: usize,
}

#[derive(Serialize)]
struct RemarkObject<'a> {
    severity: &'static str,
    domain: &'a str,
    text: &'a str,
}

/// Tells what a record means, or what a check comes to.
pub(crate) fn run(arguments: &SpfArguments) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| usage(format!("the program can't be set up: {error}")))?;
    runtime.block_on(async {
        let resolver = match arguments.dns {
            Some(address) => Resolver::server(address)?,
            None => Resolver::system()?,
        };
        match (&arguments.domain, &arguments.check[..]) {
            (Some(domain), []) => explain(&resolver, domain, arguments.json).await,
            (None, [client, from, helo]) => {
                let client = client.parse().map_err(|_| usage(format!("{client:?} is no IP address")))?;
                check(&resolver, client, from, helo, arguments).await
            }
            _ => Err(usage("okuru spf takes a DOMAIN, or --check IP FROM HELO".to_owned())),
        }
    })
}

async fn explain(resolver: &Resolver, domain: &str, json: bool) -> Result<Exit, Failure> {
    let domain = domain.parse().map_err(in_option("DOMAIN"))?;
    let lint = Lint::new(&domain, Config::default().into()).map_err(in_option("DOMAIN"))?;
    let findings = resolver.settle(lint).await;
    let text = if json { in_json(&findings_object(&findings))? } else { findings_in_words(&findings) };
    print(text.as_bytes())?;
    let is_wrong = findings.remarks.iter().any(|remark| remark.severity == Severity::Error);
    Ok(if is_wrong { Exit::BadMessage } else { Exit::Success })
}

async fn check(
    resolver: &Resolver,
    client: IpAddr,
    from: &str,
    helo: &str,
    arguments: &SpfArguments,
) -> Result<Exit, Failure> {
    let from = from.strip_prefix('<').and_then(|path| path.strip_suffix('>')).unwrap_or(from);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let request = match arguments.helo {
        true => Request::helo(client, helo),
        false => Request::mail_from(client, helo, from),
    };
    let request = request.at(now);
    let config = Config { receiver: arguments.receiver.clone(), ..Config::default() };
    let verdict = resolver.settle(Check::new(request.clone(), Arc::new(config))).await;
    let text = if arguments.json {
        in_json(&verdict_object(&verdict))?
    } else {
        verdict_in_words(&request, &verdict, arguments.receiver.as_deref().unwrap_or("unknown"))
    };
    print(text.as_bytes())?;
    Ok(match verdict.result {
        SpfResult::Pass | SpfResult::Neutral | SpfResult::None | SpfResult::SoftFail => Exit::Success,
        SpfResult::Fail => Exit::Rejected,
        SpfResult::TempError => Exit::Unfinished,
        SpfResult::PermError => Exit::BadMessage,
    })
}

fn in_json(object: &impl Serialize) -> Result<String, Failure> {
    let mut text = serde_json::to_string(object).map_err(|error| usage(format!("the line can't be made: {error}")))?;
    text.push('\n');
    Ok(text)
}

fn verdict_object(verdict: &Verdict) -> VerdictObject<'_> {
    VerdictObject {
        result: verdict.result.as_str(),
        reason: &verdict.reason,
        explanation: verdict.explanation.as_deref(),
        mechanism: verdict.mechanism.as_deref(),
        lookups: verdict.lookups,
        void_lookups: verdict.void_lookups,
        queries: verdict.queries,
        trace: verdict.trace.iter().map(step_object).collect(),
    }
}

fn step_object(step: &Step) -> StepObject<'_> {
    StepObject {
        depth: step.depth,
        domain: &step.domain,
        term: &step.term,
        matched: step.matched,
        reason: &step.reason,
        looked_up: step.looked_up.iter().map(looked_up_object).collect(),
    }
}

fn looked_up_object(it: &LookedUp) -> LookedUpObject<'_> {
    LookedUpObject { name: &it.name, kind: it.kind.as_str(), found: &it.found }
}

fn findings_object(findings: &Findings) -> FindingsObject<'_> {
    let records = findings.records.iter().map(|record| {
        let terms = record.terms.iter();
        let terms = terms.map(|it| TermObject { term: &it.term, meaning: &it.meaning, lookups: it.lookups });
        RecordObject {
            depth: record.depth,
            domain: &record.domain,
            record: record.text.as_deref(),
            terms: terms.collect(),
        }
    });
    let remarks = findings.remarks.iter().map(|remark| RemarkObject {
        severity: remark.severity.as_str(),
        domain: &remark.domain,
        text: &remark.text,
    });
    FindingsObject {
        domain: &findings.domain,
        lookups: findings.lookups,
        void_lookups: findings.void_lookups,
        records: records.collect(),
        remarks: remarks.collect(),
    }
}

fn verdict_in_words(request: &Request, verdict: &Verdict, receiver: &str) -> String {
    let mut text = format!("{}: {}\n", verdict.result.as_str(), verdict.reason);
    if let Some(explanation) = &verdict.explanation {
        let _ = writeln!(text, "the domain explains: {explanation}");
    }
    let _ = writeln!(text, "{} look-ups of 10, {} of them in vain\n", verdict.lookups, verdict.void_lookups);
    for step in &verdict.trace {
        let indent = "  ".repeat(step.depth);
        let sign = match step.matched {
            Some(true) => "+",
            Some(false) => "-",
            None => " ",
        };
        let of = if step.term == "record" { format!("record of {}", step.domain) } else { step.term.clone() };
        let _ = writeln!(text, "{indent}{sign} {of}: {}", step.reason);
        for look_up in &step.looked_up {
            let _ = writeln!(text, "{indent}    {} {}: {}", look_up.name, look_up.kind.as_str(), look_up.found);
        }
    }
    text.push('\n');
    let mut fields = received_spf(request, verdict, receiver);
    fields += &authentication_results(AuthenticationResults::new(receiver), request, verdict).to_string();
    text + &fields.replace("\r\n", "\n")
}

fn findings_in_words(findings: &Findings) -> String {
    let mut text = String::new();
    for record in &findings.records {
        let indent = "  ".repeat(record.depth);
        let _ = writeln!(text, "{indent}{}: {}", record.domain, record.text.as_deref().unwrap_or("no record"));
        let width = record.terms.iter().map(|term| term.term.len()).max().unwrap_or(0).min(40);
        for term in &record.terms {
            let lookups = match term.lookups {
                0 => String::new(),
                1 => " (1 look-up)".to_owned(),
                count => format!(" ({count} look-ups)"),
            };
            let _ = writeln!(text, "{indent}  {:width$}  {}{lookups}", term.term, term.meaning);
        }
    }
    let _ = writeln!(text, "\n{} look-ups of 10, {} of them in vain", findings.lookups, findings.void_lookups);
    for remark in &findings.remarks {
        let _ = writeln!(text, "{}: {}: {}", remark.severity.as_str(), remark.domain, remark.text);
    }
    text
}
