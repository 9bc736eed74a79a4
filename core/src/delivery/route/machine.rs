//! The route itself: first the MX records, then the addresses of those that count, then the verdict.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::candidate::{About, Candidate, Fate, host_name};
use super::config::{Config, Families};
use super::exchanges::{Exchanges, Random, drop_not_better, select};
use super::resolution::{BAD_SYNTAX, DIRECTORY, LOOP, NO_ROUTE, NO_SUCH_SYSTEM, NULL_MX, Resolution, Skipped, Verdict};
use crate::dns::{self, Answer, Found, LookUps, Name, QueryId, QueryKind, Records};
use crate::syntax::{Domain, EnhancedCode};

/// What the host is to do next.
pub type Output = dns::Output<Resolution>;

/// From a domain to the servers to try. See the [module](super) for how to drive it.
#[derive(Clone, Debug)]
pub struct Route {
    config: Arc<Config>,
    domain: Domain,
    random: Random,
    look_ups: LookUps<Topic>,
    phase: Phase,
    authenticated: bool,
    skipped: Vec<Skipped>,
    deadline: Option<Duration>,
}

/// What a look-up is about.
#[derive(Clone, Copy, Debug)]
enum Topic {
    Exchanges,
    Addresses(About),
}

#[derive(Clone, Debug)]
enum Phase {
    /// The MX records are looked up.
    Exchanges,
    /// The addresses of these are.
    Addresses(Search),
    Done(Box<Resolution>),
}

/// The servers whose addresses are looked up.
#[derive(Clone, Debug)]
struct Search {
    candidates: Vec<Candidate>,
    kind: Kind,
}

/// Where the candidates come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// From MX records.
    Named { meets_us: bool },
    /// There are no MX records: it is the domain itself.
    Implicit,
    /// The address says it.
    Literal,
}

dns::inquiry!(Route => Resolution);

impl Route {
    /// A route to `domain`. `random` decides among servers of the same preference; without it the load is not shared.
    pub fn new(domain: &Domain, config: Arc<Config>, random: [u8; 8]) -> Self {
        let mut route = Self {
            look_ups: LookUps::new(config.limits.aliases, config.limits.look_ups),
            config,
            domain: domain.clone(),
            random: Random::new(random),
            phase: Phase::Exchanges,
            authenticated: false,
            skipped: Vec::new(),
            deadline: None,
        };
        match domain.canonical() {
            Ok(domain) => {
                route.domain = domain;
                route.begin();
                route.proceed();
            }
            Err(error) => route.conclude(Verdict::Invalid, Some(BAD_SYNTAX), String::from(error.what())),
        }
        route
    }

    /// What to do next. To be called until it says [`Output::Wait`] or [`Output::Done`].
    pub fn poll(&mut self, now: Duration) -> Output {
        if let Some(query) = self.look_ups.next_query() {
            return Output::Resolve(query);
        }
        match &self.phase {
            Phase::Done(resolution) => Output::Done(resolution.clone()),
            _ => {
                let deadline = *self.deadline.get_or_insert_with(|| now.saturating_add(self.config.timeout));
                Output::Wait { deadline }
            }
        }
    }

    /// Here is what came of a look-up. What nobody has asked for, or has had already, is ignored.
    pub fn dns_answer(&mut self, id: QueryId, answer: Answer) {
        self.look_ups.answered(id, answer);
        self.proceed();
    }

    /// The moment has come that [`Output::Wait`] named: what is still open has failed.
    pub fn deadline_passed(&mut self, now: Duration) {
        if !self.is_done() && self.deadline.is_some_and(|deadline| deadline <= now) {
            self.look_ups.give_up();
            self.proceed();
        }
    }

    /// Whether it has come to its end.
    pub fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done(_))
    }

    fn begin(&mut self) {
        match self.domain.address() {
            Some(address) => {
                let candidates = [Candidate::literal(address, None)].into();
                self.decide(Search { candidates, kind: Kind::Literal });
            }
            None if self.domain.is_literal() => {
                let reason = format!("{} is an address literal of an unknown kind", self.domain);
                self.conclude(Verdict::Invalid, Some(BAD_SYNTAX), reason);
            }
            None => match Name::try_from(&self.domain) {
                Ok(name) => self.look_ups.ask(Topic::Exchanges, name, QueryKind::Mx),
                Err(error) => self.conclude(Verdict::Invalid, Some(BAD_SYNTAX), String::from(error.what())),
            },
        }
    }

    /// Takes in what has been found.
    fn proceed(&mut self) {
        while let Some((topic, found)) = self.look_ups.next_found() {
            match (topic, &mut self.phase) {
                (Topic::Exchanges, _) => self.exchanges_found(found),
                (Topic::Addresses(About { candidate, of_v6 }), Phase::Addresses(search)) => {
                    if let Some(candidate) = search.candidates.get_mut(candidate) {
                        candidate.found(of_v6, found);
                    }
                }
                (Topic::Addresses(_), _) => {}
            }
        }
        if let Phase::Addresses(search) = &self.phase
            && self.look_ups.is_idle()
        {
            let search = search.clone();
            self.decide(search);
        }
    }

    fn exchanges_found(&mut self, found: Found) {
        self.authenticated = found.authenticated;
        // RFC 5321 §5.1: an alias is processed as if its target had been the domain.
        let name = found.canonical.as_ref().and_then(host_name).unwrap_or_else(|| self.domain.clone());
        let exchanges = match found.records {
            Records::Exchanges(records) => select(&records, &self.config, &mut self.random, &mut self.skipped),
            Records::NxDomain => {
                let reason = format!("there is no domain {name}");
                return self.conclude(Verdict::NoSuchDomain, Some(NO_SUCH_SYSTEM), reason);
            }
            // Not to be taken for an answer: mail would go round servers that have good reason to be first.
            Records::Failed => {
                let reason = format!("the MX records of {name} can't be looked up for now");
                return self.conclude(Verdict::Temporary, Some(DIRECTORY), reason);
            }
            _ => Exchanges::None,
        };
        let (candidates, kind) = match exchanges {
            Exchanges::None => ([Candidate::new(name, None)].into(), Kind::Implicit),
            Exchanges::Some { candidates, meets_us } => (candidates, Kind::Named { meets_us }),
            Exchanges::Null => {
                let reason = format!("{name} takes no mail: it has a null MX (RFC 7505)");
                return self.conclude(Verdict::NullMx, Some(NULL_MX), reason);
            }
        };
        self.ask_for_addresses(&candidates);
        self.phase = Phase::Addresses(Search { candidates, kind });
    }

    fn ask_for_addresses(&mut self, candidates: &[Candidate]) {
        for (index, candidate) in candidates.iter().enumerate() {
            // A literal has none.
            let Ok(name) = Name::try_from(&candidate.name) else { continue };
            for (kind, of_v6) in [(QueryKind::Aaaa, true), (QueryKind::A, false)] {
                let unwanted = if of_v6 { Families::V4 } else { Families::V6 };
                if self.config.families != unwanted {
                    let about = About { candidate: index, of_v6 };
                    self.look_ups.ask(Topic::Addresses(about), name.clone(), kind);
                }
            }
        }
    }

    /// All has been found.
    fn decide(&mut self, search: Search) {
        let Search { mut candidates, kind } = search;
        if kind == Kind::Implicit {
            candidates = candidates.into_iter().map(Candidate::into_canonical).collect();
        }
        let mut meets_us = kind == Kind::Named { meets_us: true };
        let is_own = |it: &&Candidate| matches!(it.fate(&self.config), Fate::Own);
        // Without a preference there is nobody else, and nobody is better than ourselves.
        if let Some(ours) = candidates.iter().filter(is_own).map(|it| it.preference.unwrap_or_default()).min() {
            meets_us = true;
            drop_not_better(&mut candidates, ours, &mut self.skipped);
        }
        let (mut hosts, mut failed) = (Vec::new(), false);
        for candidate in &candidates {
            let why = match candidate.fate(&self.config) {
                Fate::Usable(host) => {
                    hosts.push(host);
                    continue;
                }
                Fate::Failed => {
                    failed = true;
                    "its addresses can't be looked up for now"
                }
                Fate::Own => "it is ourselves",
                Fate::Useless(why) => why,
            };
            self.skipped.push(Skipped::new(candidate, why));
        }
        let domain = &self.domain;
        let (verdict, enhanced, reason): (_, _, Cow<'static, str>) = if !hosts.is_empty() {
            let reason = match kind {
                Kind::Named { .. } => "the domain names these servers by MX records",
                Kind::Implicit => "the domain has no MX records, so that mail goes to its own addresses",
                Kind::Literal => "the address names the server itself",
            };
            (Verdict::Hosts(hosts), None, reason.into())
        } else if failed {
            let reason = format!("the servers of {domain} can't be looked up for now");
            (Verdict::Temporary, Some(DIRECTORY), reason.into())
        } else if candidates.is_empty() && meets_us {
            let reason =
                format!("mail for {domain} would come back to ourselves: nobody is a better server for it than we are");
            (Verdict::Loop, Some(LOOP), reason.into())
        } else {
            match kind {
                Kind::Implicit => {
                    let reason = format!("{domain} has neither MX records nor addresses");
                    (Verdict::NoSuchDomain, Some(NO_SUCH_SYSTEM), reason.into())
                }
                Kind::Named { .. } => {
                    let reason = format!("{domain} names only servers that can't be used");
                    (Verdict::Invalid, Some(NO_ROUTE), reason.into())
                }
                Kind::Literal => {
                    let reason = format!("{domain} is no address of a server");
                    (Verdict::Invalid, Some(BAD_SYNTAX), reason.into())
                }
            }
        };
        self.conclude(verdict, enhanced, reason.into());
    }

    fn conclude(&mut self, verdict: Verdict, enhanced: Option<EnhancedCode>, reason: String) {
        self.phase = Phase::Done(Box::new(Resolution {
            domain: self.domain.clone(),
            verdict,
            reason,
            enhanced,
            authenticated: self.authenticated,
            skipped: core::mem::take(&mut self.skipped),
        }));
    }
}
