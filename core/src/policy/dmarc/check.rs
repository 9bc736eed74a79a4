//! The check itself.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::tree_walk::{NoWalk, TreeWalk, walk};
use super::verdict::{DmarcResult, Verdict};
use crate::dns::{self, Answer, Memory, Name, QueryId, QueryKind, Records};
use crate::policy::dkim::DkimResult;
use crate::policy::spf::{self, SpfResult};
use crate::syntax::Domain;
use crate::syntax::dmarc::{Alignment, Policy, Record};

/// What the host is to do next.
pub type Output = dns::Output<Verdict>;

/// What is known of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    author: Domain,
    spf: Option<(SpfResult, String)>,
    dkim: Vec<(DkimResult, String)>,
}

impl Request {
    /// A message whose From field names an author of this domain. One with authors of several domains takes a check for each.
    pub fn new(author: &Domain) -> Self {
        Self { author: author.clone(), spf: None, dkim: Vec::new() }
    }

    /// What SPF says of the sender, or of the name in HELO where the reverse-path is null.
    #[must_use]
    pub fn spf(mut self, request: &spf::Request, verdict: &spf::Verdict) -> Self {
        self.spf = Some((verdict.result, request.domain().into()));
        self
    }

    /// What a signature in the name of `domain` came to. Called for each; those beyond the first twenty that have passed don't count.
    #[must_use]
    pub fn dkim(mut self, result: DkimResult, domain: &str) -> Self {
        const MOST: usize = 20;
        if result == DkimResult::Pass && self.dkim.len() < MOST {
            self.dkim.push((result, domain.into()));
        }
        self
    }
}

/// What a check depends on besides the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long all look-ups together may take. What has not been answered then has failed.
    pub timeout: Duration,
    /// Look-ups in all.
    pub look_ups: usize,
}

impl Default for Config {
    /// 20 seconds, 100 look-ups.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(20), look_ups: 100 }
    }
}

/// Whether SPF or DKIM speaks for the domain of the author. See the [module](super) for how to drive it.
#[derive(Clone, Debug)]
pub struct Check {
    request: Request,
    config: Config,
    memory: Memory,
    deadline: Option<Duration>,
    verdict: Option<Box<Verdict>>,
}

dns::inquiry!(Check => Verdict);

impl Check {
    /// A check of `request`.
    pub fn new(request: Request, config: Config) -> Self {
        const ALIASES: usize = 8;
        let memory = Memory::new(ALIASES, config.look_ups);
        let mut check = Self { request, config, memory, deadline: None, verdict: None };
        check.proceed();
        check
    }

    /// What to do next. To be called until it says [`Output::Wait`] or [`Output::Done`].
    pub fn poll(&mut self, now: Duration) -> Output {
        if let Some(verdict) = &self.verdict {
            return Output::Done(verdict.clone());
        }
        if let Some(query) = self.memory.next_query() {
            return Output::Resolve(query);
        }
        let deadline = *self.deadline.get_or_insert_with(|| now.saturating_add(self.config.timeout));
        Output::Wait { deadline }
    }

    /// Here is what came of a look-up. What nobody has asked for, or has had already, is ignored.
    pub fn dns_answer(&mut self, id: QueryId, answer: Answer) {
        self.memory.answered(id, answer);
        self.proceed();
    }

    /// The moment has come that [`Output::Wait`] named: the check ends in a temporary error.
    pub fn deadline_passed(&mut self, now: Duration) {
        if self.verdict.is_none() && self.deadline.is_some_and(|deadline| deadline <= now) {
            self.conclude(DmarcResult::TempError, "the look-ups take too long".into());
        }
    }

    /// Goes on as far as the answers go, from the beginning.
    fn proceed(&mut self) {
        if self.verdict.is_some() {
            return;
        }
        let author = match Name::try_from(&self.request.author) {
            Ok(author) => author,
            Err(error) => return self.conclude(DmarcResult::PermError, String::from(error.what())),
        };
        match judge(&self.request, &author, &mut self.memory) {
            Ok(verdict) => self.verdict = Some(verdict.into()),
            Err(NoWalk::Wait) => {}
            Err(NoWalk::Failed) => {
                self.conclude(DmarcResult::TempError, "a record of DMARC can't be looked up for now".into());
            }
        }
    }

    fn conclude(&mut self, result: DmarcResult, reason: String) {
        self.verdict = Some(empty(&self.request, result, reason).into());
    }
}

fn empty(request: &Request, result: DmarcResult, reason: String) -> Verdict {
    Verdict {
        result,
        reason,
        author: request.author.to_string(),
        policy: None,
        policy_domain: None,
        organization: None,
        is_spf_aligned: false,
        dkim_domain: None,
    }
}

fn judge(request: &Request, author: &Name, memory: &mut Memory) -> Result<Verdict, NoWalk> {
    // What the names of the author, the sender and the signers need is asked at once.
    let names = [request.spf.as_ref().filter(|(result, _)| *result == SpfResult::Pass).map(|(_, domain)| domain)];
    let names = names.into_iter().flatten().chain(request.dkim.iter().map(|(_, domain)| domain));
    let walks: Vec<_> = names.map(|name| Some((name_of(name)?, walk_of(name, author, memory)))).collect();
    let of_author = walk(author, memory)?;
    let Some((policy_domain, record)) = of_author.policy() else {
        return Ok(empty(request, DmarcResult::None, format!("there is no record of DMARC for {author}")));
    };
    let policy = policy(record, policy_domain, author, memory)?;

    let mut fits = Vec::new();
    let mut is_unsure = false;
    let is_of_spf = |place: usize| place == 0 && walks.len() > request.dkim.len();
    for (place, found) in walks.iter().enumerate() {
        let alignment = if is_of_spf(place) { record.spf_alignment } else { record.dkim_alignment };
        let Some((name, its_walk)) = found else { continue };
        let is_aligned = match its_walk {
            _ if name == author => true,
            _ if alignment == Alignment::Strict => false,
            Some(Ok(its_walk)) => its_walk.organization() == of_author.organization(),
            Some(Err(NoWalk::Wait)) => return Err(NoWalk::Wait),
            Some(Err(NoWalk::Failed)) => {
                is_unsure = true;
                false
            }
            None => false,
        };
        if is_aligned {
            fits.push((place, name));
        }
    }
    let by_spf = fits.iter().find(|(place, _)| is_of_spf(*place)).map(|(_, name)| name);
    let by_dkim = fits.iter().find(|(place, _)| !is_of_spf(*place)).map(|(_, name)| name);
    let (result, reason) = match (by_dkim, by_spf) {
        (Some(name), _) => (DmarcResult::Pass, format!("{name} has signed it, which speaks for {author}")),
        (None, Some(name)) => (DmarcResult::Pass, format!("SPF lets it pass for {name}, which speaks for {author}")),
        (None, None) if is_unsure => (
            DmarcResult::TempError,
            "whether a domain that passed is of the same organization can't be looked up for now".into(),
        ),
        (None, None) if walks.is_empty() => (DmarcResult::Fail, "neither SPF nor DKIM has passed".into()),
        (None, None) => (DmarcResult::Fail, format!("what has passed does not speak for {author}")),
    };
    Ok(Verdict {
        policy: Some(policy),
        policy_domain: Some(policy_domain.to_string()),
        organization: Some(of_author.organization().to_string()),
        is_spf_aligned: by_spf.is_some(),
        dkim_domain: by_dkim.map(ToString::to_string),
        ..empty(request, result, reason)
    })
}

/// The walk from a domain that has passed, where it may lead to the organization of the author.
fn walk_of(name: &str, author: &Name, memory: &mut Memory) -> Option<Result<TreeWalk, NoWalk>> {
    let name = name_of(name)?;
    // What differs at the top never meets.
    (name.labels().next_back() == author.labels().next_back()).then(|| walk(&name, memory))
}

fn name_of(domain: &str) -> Option<Name> {
    Name::try_from(&domain.parse::<Domain>().ok()?).ok()
}

/// What the owner wants done (RFC 9989 §4.7).
fn policy(record: &Record, of: &Name, author: &Name, memory: &mut Memory) -> Result<Policy, NoWalk> {
    let below = record.subdomain_policy.unwrap_or(record.policy);
    let policy = match record.non_existent_policy {
        _ if of == author => record.policy,
        Some(policy) if policy != below => {
            // RFC 8020: a name that does not exist does so for every type.
            let records = memory.ask(author, QueryKind::A).ok_or(NoWalk::Wait)?;
            if matches!(&*records, Records::NxDomain) { policy } else { below }
        }
        _ => below,
    };
    Ok(match (record.is_test, policy) {
        (true, Policy::Reject) => Policy::Quarantine,
        (true, _) => Policy::None,
        (false, policy) => policy,
    })
}
