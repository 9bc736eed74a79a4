//! What a record means, how many look-ups it takes, and what is wrong with it: whoever the client is.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::config::Config;
use super::expansion::push_transformed;
use super::remarks::{Remark, Remarks, about_record};
use crate::dns::{self, Answer, Memory, Name, QueryId, QueryKind, Records};
use crate::syntax::Domain;
use crate::syntax::spf::{Directive, DomainSpec, MacroLetter, MacroPart, Mechanism, Modifier, Qualifier, Record, Term};

/// What is known of the record of a domain, and of all that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// The domain.
    pub domain: String,
    /// Its record, and those that are included or redirected to, each behind the term that names it.
    pub records: Vec<RecordFound>,
    /// How many terms with look-ups a check takes that no term matches but the last; RFC 7208 §4.6.4 allows ten.
    pub lookups: usize,
    /// How many of those find nothing, as far as that does not depend on the client; RFC 7208 §4.6.4 allows two.
    pub void_lookups: usize,
    /// What is wrong, the worst first.
    pub remarks: Vec<Remark>,
}

/// A record that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordFound {
    /// How many terms lead there.
    pub depth: usize,
    /// Whose it is.
    pub domain: String,
    /// What it says; `None` if there is none that can be read.
    pub text: Option<String>,
    /// Its terms, in their order.
    pub terms: Vec<TermFound>,
}

/// A term of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermFound {
    /// As it is written, in the usual spelling.
    pub term: String,
    /// What it means, as a clause without a full stop.
    pub meaning: String,
    /// How many look-ups it takes of those that are limited, its record and all that that names included.
    pub lookups: usize,
}

/// What the host is to do next.
pub type LintOutput = dns::Output<Findings>;

/// Finds out what a record means. Driven as a [`Check`](super::Check) is.
#[derive(Clone, Debug)]
pub struct Lint {
    domain: Name,
    config: Arc<Config>,
    memory: Memory,
    deadline: Option<Duration>,
    is_late: bool,
    findings: Option<Box<Findings>>,
}

/// Beyond so many terms with look-ups nothing is looked at.
const MOST_TERMS: usize = 60;
/// Beyond so many includes within each other nothing is looked at.
const DEEPEST: usize = 20;

dns::inquiry!(Lint => Findings);

impl Lint {
    /// Looks at the record of `domain`.
    ///
    /// # Errors
    ///
    /// `address.syntax` if that is no name.
    pub fn new(domain: &Domain, config: Arc<Config>) -> Result<Self, crate::Error> {
        let memory = Memory::new(config.limits.aliases, config.limits.look_ups);
        let mut lint =
            Self { domain: Name::try_from(domain)?, config, memory, deadline: None, is_late: false, findings: None };
        lint.proceed();
        Ok(lint)
    }

    /// What to do next. To be called until it says [`LintOutput::Wait`] or [`LintOutput::Done`].
    pub fn poll(&mut self, now: Duration) -> LintOutput {
        if let Some(findings) = &self.findings {
            return LintOutput::Done(findings.clone());
        }
        if let Some(query) = self.memory.next_query() {
            return LintOutput::Resolve(query);
        }
        let deadline = *self.deadline.get_or_insert_with(|| now.saturating_add(self.config.timeout));
        LintOutput::Wait { deadline }
    }

    /// Here is what came of a look-up. What nobody has asked for, or has had already, is ignored.
    pub fn dns_answer(&mut self, id: QueryId, answer: Answer) {
        self.memory.answered(id, answer);
        self.proceed();
    }

    /// The moment has come that [`LintOutput::Wait`] named: what is still open has failed.
    pub fn deadline_passed(&mut self, now: Duration) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.is_late = true;
            self.proceed();
        }
    }

    fn proceed(&mut self) {
        if self.findings.is_some() {
            return;
        }
        let mut walk = Walk {
            memory: &mut self.memory,
            limits: self.config.limits,
            is_late: self.is_late,
            is_waiting: false,
            counted: 0,
            void: 0,
            records: Vec::new(),
            remarks: Remarks::default(),
        };
        walk.record(&self.domain, &mut Vec::new());
        if walk.is_waiting {
            return;
        }
        let Walk { counted, void, records, mut remarks, .. } = walk;
        remarks.about_limits(&self.domain, counted, void, &self.config.limits);
        let domain = self.domain.to_string();
        let findings = Findings { domain, records, lookups: counted, void_lookups: void, remarks: remarks.sorted() };
        self.findings = Some(findings.into());
    }
}

/// A walk through all that is known of a record, from the beginning. What is not known yet is asked.
struct Walk<'a> {
    memory: &'a mut Memory,
    limits: super::Limits,
    is_late: bool,
    is_waiting: bool,
    counted: usize,
    void: usize,
    records: Vec<RecordFound>,
    remarks: Remarks,
}

impl Walk<'_> {
    /// The record of `domain`, to which those in `path` have led.
    fn record(&mut self, domain: &Name, path: &mut Vec<Name>) {
        let place = self.records.len();
        let found = RecordFound { depth: path.len(), domain: domain.to_string(), text: None, terms: Vec::new() };
        self.records.push(found);
        let Some(text) = self.text_of(domain, path.is_empty()) else {
            return;
        };
        let (record, faults) = Record::read(&text);
        for fault in &faults {
            self.remarks.error(domain, fault.to_string());
        }
        about_record(domain, &record, text.len(), path.is_empty(), &mut self.remarks);
        path.push(domain.clone());
        let mut terms = Vec::new();
        let mut is_decided = false;
        for term in record.terms() {
            let before = self.counted;
            let meaning = match term {
                Term::Directive(_) if is_decided => "this is never looked at".into(),
                Term::Directive(directive) => {
                    is_decided = directive.mechanism == Mechanism::All;
                    self.directive(directive, domain, path)
                }
                Term::Modifier(Modifier::Explanation(spec)) => format!("the explanation of a failure is at {spec}"),
                Term::Modifier(Modifier::Redirect(spec)) => {
                    if record.directives().all(|it| it.mechanism != Mechanism::All) {
                        self.counted += 1;
                        self.below(spec, domain, path);
                    }
                    format!("if nothing matches, the record of {} counts", shown(spec, domain))
                }
                Term::Modifier(Modifier::Unknown { .. }) => "this means nothing to SPF".into(),
            };
            terms.push(TermFound { term: term.to_string(), meaning, lookups: self.counted - before });
        }
        path.pop();
        if let Some(found) = self.records.get_mut(place) {
            found.text =
                Some(String::from_utf8_lossy(&text).chars().map(|c| if c.is_control() { '?' } else { c }).collect());
            found.terms = terms;
        }
    }

    /// The text of the record of `domain`; what is wrong where there is none.
    fn text_of(&mut self, domain: &Name, is_first: bool) -> Option<Vec<u8>> {
        let records = self.find(domain, QueryKind::Txt)?;
        let texts = match &*records {
            Records::Texts(texts) => &texts[..],
            Records::Failed => {
                self.remarks.error(domain, "the record can't be looked up for now".into());
                return None;
            }
            _ => &[],
        };
        let texts: Vec<&Vec<u8>> = texts.iter().filter(|text| Record::is_version_1(text)).collect();
        match &texts[..] {
            [text] if text.len() > self.limits.text => {
                self.remarks.error(domain, format!("the record is longer than {} octets", self.limits.text));
            }
            [text] => return Some((*text).clone()),
            [] if is_first => self.remarks.error(domain, "there is no record of SPF".into()),
            [] => self.remarks.error(domain, "there is no record of SPF, which is an error in whoever names it".into()),
            _ => self.remarks.error(domain, "there is more than one record of SPF".into()),
        }
        None
    }

    /// What a directive means.
    fn directive(&mut self, directive: &Directive, domain: &Name, path: &mut Vec<Name>) -> String {
        self.counted += usize::from(directive.mechanism.is_counted());
        let target = directive.mechanism.domain().map_or_else(|| domain.to_string(), |spec| shown(spec, domain));
        let who = match &directive.mechanism {
            Mechanism::All => "everybody else".into(),
            Mechanism::Include(spec) => {
                self.below(spec, domain, path);
                format!("whoever {target} lets pass")
            }
            Mechanism::A { domain: spec, .. } => {
                self.addresses(spec.as_ref(), domain);
                format!("whoever has an address of {target}")
            }
            Mechanism::Mx { domain: spec, .. } => {
                self.exchanges(spec.as_ref(), domain);
                format!("whoever is a mail server of {target}")
            }
            Mechanism::Ptr(_) => format!("whoever has a name within {target}"),
            Mechanism::Ip4 { network, prefix } => format!("whoever is within {network}/{prefix}"),
            Mechanism::Ip6 { network, prefix } => format!("whoever is within {network}/{prefix}"),
            Mechanism::Exists(_) => format!("whoever makes {target} a name that exists"),
        };
        format!(
            "{who} {}",
            match directive.qualifier {
                Qualifier::Pass => "may send",
                Qualifier::Fail => "must not send",
                Qualifier::SoftFail => "most likely must not send",
                Qualifier::Neutral => "is not judged",
            }
        )
    }

    /// The record that a term names.
    fn below(&mut self, spec: &DomainSpec, domain: &Name, path: &mut Vec<Name>) {
        if self.counted > MOST_TERMS || path.len() > DEEPEST {
            self.remarks.error(domain, "there is more than anybody would look at".into());
            return;
        }
        match target(Some(spec), domain) {
            Target::Known(name) if path.contains(&name) => {
                self.remarks.error(domain, format!("{name} leads round in a circle"));
            }
            Target::Known(name) => self.record(&name, path),
            Target::Depends => self.remarks.advice(domain, format!("whose record {spec} is depends on the client")),
            Target::Impossible => self.remarks.error(domain, format!("{spec} is no name that the DNS could have")),
        }
    }

    fn addresses(&mut self, spec: Option<&DomainSpec>, domain: &Name) {
        if self.counted > MOST_TERMS {
            return;
        }
        match target(spec, domain) {
            Target::Known(name) => {
                // Both at once.
                let (v4, v6) = (self.find(&name, QueryKind::A), self.find(&name, QueryKind::Aaaa));
                let (Some(v4), Some(v6)) = (v4, v6) else { return };
                let is_there = |records: &Records| matches!(records, Records::Addresses(_));
                if matches!((&*v4, &*v6), (Records::Failed, _) | (_, Records::Failed)) {
                    self.remarks.error(domain, format!("the addresses of {name} can't be looked up for now"));
                } else if !is_there(&v4) && !is_there(&v6) {
                    self.void += 1;
                    self.remarks.warning(domain, format!("{name} has no address"));
                }
            }
            Target::Depends => {}
            Target::Impossible => self.remarks.error(domain, "a name in it is none that the DNS could have".into()),
        }
    }

    fn exchanges(&mut self, spec: Option<&DomainSpec>, domain: &Name) {
        if self.counted > MOST_TERMS {
            return;
        }
        let Target::Known(name) = target(spec, domain) else { return };
        let Some(records) = self.find(&name, QueryKind::Mx) else { return };
        match &*records {
            Records::Exchanges(all) if all.len() > self.limits.names => {
                self.remarks.error(domain, format!("{name} has more than {} MX records", self.limits.names));
            }
            Records::Exchanges(_) => {}
            Records::Failed => {
                self.remarks.error(domain, format!("the MX records of {name} can't be looked up for now"));
            }
            _ => {
                self.void += 1;
                self.remarks.warning(domain, format!("{name} has no MX records"));
            }
        }
    }

    fn find(&mut self, name: &Name, kind: QueryKind) -> Option<Arc<Records>> {
        match self.memory.ask(name, kind) {
            None if self.is_late => Some(Arc::new(Records::Failed)),
            None => {
                self.is_waiting = true;
                None
            }
            found => found,
        }
    }
}

enum Target {
    Known(Name),
    /// On the client or the sender.
    Depends,
    Impossible,
}

fn target(spec: Option<&DomainSpec>, domain: &Name) -> Target {
    let Some(spec) = spec else {
        return Target::Known(domain.clone());
    };
    if spec.as_macro_string().macros().any(|it| it.letter != MacroLetter::Domain) {
        return Target::Depends;
    }
    let mut text = String::new();
    for part in spec.as_macro_string().parts() {
        match part {
            MacroPart::Literal(literal) => text.push_str(literal),
            MacroPart::Expand(it) => push_transformed(domain.as_str(), it, &mut text),
        }
    }
    Name::read(&text).map_or(Target::Impossible, Target::Known)
}

fn shown(spec: &DomainSpec, domain: &Name) -> String {
    match target(Some(spec), domain) {
        Target::Known(name) => name.to_string(),
        Target::Depends | Target::Impossible => spec.to_string(),
    }
}
