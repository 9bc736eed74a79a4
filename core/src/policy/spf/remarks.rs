//! What is wrong with a record.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::config::Limits;
use crate::dns::Name;
use crate::syntax::spf::{Mechanism, Modifier, Qualifier, Record, Term};

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Checks end in an error, or in nothing.
    Error,
    /// It is hardly what the owner wants.
    Warning,
    /// It could be better.
    Advice,
}

impl Severity {
    /// `error`, `warning` or `advice`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Advice => "advice",
        }
    }
}

/// Something that is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// How bad it is.
    pub severity: Severity,
    /// Whose record it is about.
    pub domain: String,
    /// What is wrong, as a clause without a full stop.
    pub text: String,
}

/// What has been found, each thing once.
#[derive(Debug, Default)]
pub(super) struct Remarks(Vec<Remark>);

/// Beyond so many nothing is told.
const MOST_REMARKS: usize = 100;

impl Remarks {
    pub(super) fn error(&mut self, domain: &Name, text: String) {
        self.push(Severity::Error, domain, text);
    }

    pub(super) fn warning(&mut self, domain: &Name, text: String) {
        self.push(Severity::Warning, domain, text);
    }

    pub(super) fn advice(&mut self, domain: &Name, text: String) {
        self.push(Severity::Advice, domain, text);
    }

    /// About what a check of all of it takes.
    pub(super) fn about_limits(&mut self, domain: &Name, lookups: usize, void: usize, limits: &Limits) {
        if lookups > limits.terms {
            self.error(domain, format!("it takes {lookups} look-ups, and {} are allowed", limits.terms));
        } else if lookups + 2 > limits.terms {
            self.advice(domain, format!("it takes {lookups} look-ups, of {} that are allowed", limits.terms));
        }
        if void > limits.void_terms {
            self.error(domain, format!("{void} look-ups find nothing, and {} are allowed", limits.void_terms));
        }
    }

    pub(super) fn sorted(mut self) -> Vec<Remark> {
        self.0.sort_by_key(|remark| remark.severity);
        self.0
    }

    fn push(&mut self, severity: Severity, domain: &Name, text: String) {
        let remark = Remark { severity, domain: domain.to_string(), text };
        if self.0.len() < MOST_REMARKS && !self.0.contains(&remark) {
            self.0.push(remark);
        }
    }
}

/// What can be said of a record without looking further. `decides` is that what it does not match is not judged by another record.
pub(super) fn about_record(domain: &Name, record: &Record, length: usize, decides: bool, remarks: &mut Remarks) {
    // RFC 7208 §3.4: what is larger does not fit into an answer by UDP, with whatever else is there.
    const FITS: usize = 450;
    if length > FITS {
        remarks.advice(domain, format!("the record has {length} octets; up to {FITS} fit into every answer"));
    }
    let all = record.directives().position(|it| it.mechanism == Mechanism::All);
    match all.and_then(|place| record.directives().nth(place)).map(|it| it.qualifier) {
        Some(Qualifier::Pass) => remarks.warning(domain, "+all lets everybody send".into()),
        Some(Qualifier::Neutral) if decides => {
            remarks.advice(domain, "?all says nothing about who is not named; ~all or -all would".into());
        }
        Some(_) => {}
        None if decides && record.redirect().is_none() => {
            remarks.warning(
                domain,
                "it does not end in all or redirect, and so says nothing about who is not named".into(),
            );
        }
        None => {}
    }
    if let Some(place) = all {
        let behind = record.directives().count() - place - 1;
        if behind > 0 {
            remarks.warning(domain, format!("nothing behind all is ever looked at ({behind} terms)"));
        }
        if record.redirect().is_some() {
            remarks.warning(domain, "redirect means nothing beside all".into());
        }
    }
    // Enough for whoever is not hostile.
    let directives: Vec<_> = record.directives().take(200).collect();
    for (place, directive) in directives.iter().enumerate() {
        let earlier = directives.get(..place).unwrap_or_default();
        if earlier.iter().any(|it| it.mechanism == directive.mechanism) {
            remarks.warning(domain, format!("{} stands there twice", directive.mechanism));
        }
        match directive.mechanism {
            Mechanism::Ptr(_) => remarks.warning(domain, "ptr is slow and unreliable, and should not be used".into()),
            Mechanism::Ip4 { prefix: ..8, .. } | Mechanism::Ip6 { prefix: ..16, .. } => {
                remarks.warning(domain, format!("{} is a large part of the world", directive.mechanism));
            }
            _ => {}
        }
    }
    for term in record.terms() {
        if let Term::Modifier(Modifier::Unknown { name, .. }) = term {
            remarks.advice(domain, format!("{name} is no modifier of SPF, and means nothing"));
        }
    }
}
