//! `check_host()` itself (RFC 7208 §4): the records that are being judged, one term after the other.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::config::Config;
use super::evaluation::{Fate, Judged, Scene, Unready, is_within};
use super::request::Request;
use super::verdict::{LookedUp, SpfResult, Step, Verdict};
use crate::dns::{self, Answer, Memory, Name, QueryId, QueryKind, Records};
use crate::syntax::spf::{Directive, DomainSpec, ExplainString, Mechanism, Qualifier, Record};

/// What the host is to do next.
pub type Output = dns::Output<Verdict>;

/// Whether a client may send mail in the name of a domain. See the [module](super) for how to drive it.
#[derive(Clone, Debug)]
pub struct Check {
    request: Request,
    config: Arc<Config>,
    memory: Memory,
    deadline: Option<Duration>,
    books: Books,
    phase: Phase,
}

#[derive(Clone, Debug)]
enum Phase {
    /// Records are judged: the last one now, the others when those behind them have been.
    Judging(Vec<Frame>),
    /// The check has failed, and the domain may have an explanation at this target.
    Explaining {
        domain: Name,
        spec: DomainSpec,
        reason: String,
        mechanism: String,
    },
    Done(Box<Verdict>),
}

/// A record that is judged.
#[derive(Clone, Debug)]
struct Frame {
    domain: Name,
    /// `None` until it has come.
    record: Option<Arc<Record>>,
    /// How many directives have not matched.
    passed_over: usize,
    has_looked_ahead: bool,
    missing: Missing,
}

/// What it means that a domain has no record.
#[derive(Clone, Copy, Debug)]
enum Missing {
    /// That it says nothing.
    NoResult,
    /// RFC 7208 §5.2 and §6.1: that whoever has named it is mistaken.
    Mistake,
}

/// What is counted and told.
#[derive(Clone, Debug, Default)]
struct Books {
    lookups: usize,
    void_lookups: usize,
    trace: Vec<Step>,
}

/// Whether the record on top has come to something.
enum Turn {
    /// An answer has to come first.
    Wait,
    /// There is more to do.
    Again,
    /// The record has this result, by this term, for this reason.
    Result(SpfResult, Option<String>, String),
}

dns::inquiry!(Check => Verdict);

impl Check {
    /// A check of `request`.
    pub fn new(request: Request, config: Arc<Config>) -> Self {
        let mut check = Self {
            memory: Memory::new(config.limits.aliases, config.limits.look_ups),
            request,
            config,
            deadline: None,
            books: Books::default(),
            phase: Phase::Judging(Vec::new()),
        };
        match check.request.domain_name() {
            Ok(domain) => {
                check.phase = Phase::Judging([Frame::new(domain, Missing::NoResult)].into());
                check.proceed();
            }
            // RFC 7208 §4.3.
            Err(why) => check.conclude(SpfResult::None, None, why.into(), None),
        }
        check
    }

    /// What to do next. To be called until it says [`Output::Wait`] or [`Output::Done`].
    pub fn poll(&mut self, now: Duration) -> Output {
        if let Phase::Done(verdict) = &self.phase {
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

    /// The moment has come that [`Output::Wait`] named: the check ends in a temporary error; one that only lacks the explanation of a
    /// failure goes without it.
    pub fn deadline_passed(&mut self, now: Duration) {
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        match &self.phase {
            Phase::Judging(_) => {
                let reason = "the look-ups take too long".into();
                self.conclude(SpfResult::TempError, None, reason, None);
            }
            Phase::Explaining { reason, mechanism, .. } => {
                let (reason, mechanism) = (reason.clone(), mechanism.clone());
                self.conclude(SpfResult::Fail, Some(mechanism), reason, None);
            }
            Phase::Done(_) => {}
        }
    }

    /// Whether it has come to its end.
    pub fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done(_))
    }

    /// Goes on as far as the answers go.
    fn proceed(&mut self) {
        loop {
            match &mut self.phase {
                Phase::Judging(frames) => {
                    let mut judge = Judge {
                        request: &self.request,
                        config: &self.config,
                        memory: &mut self.memory,
                        books: &mut self.books,
                    };
                    match judge.turn(frames) {
                        Turn::Wait => return,
                        Turn::Again => {}
                        Turn::Result(result, mechanism, reason) => self.result_found(result, mechanism, reason),
                    }
                }
                Phase::Explaining { domain, spec, .. } => {
                    let mut scene = Scene::new(&self.request, &self.config, &mut self.memory, domain);
                    let explanation = match find_explanation(&mut scene, spec) {
                        Err(Unready::Wait) => return,
                        Ok(explanation) => Ok(explanation),
                        Err(Unready::Never(why)) => Err(why),
                    };
                    let step = Step {
                        depth: 0,
                        domain: domain.to_string(),
                        term: format!("exp={spec}"),
                        looked_up: scene.into_looked_up(),
                        matched: None,
                        reason: explanation.as_ref().err().map_or("this is the explanation", |why| *why).into(),
                    };
                    self.books.tell(step, &self.config);
                    self.explained(explanation.ok());
                }
                Phase::Done(_) => return,
            }
        }
    }

    /// The record at the bottom has this result.
    fn result_found(&mut self, result: SpfResult, mechanism: Option<String>, reason: String) {
        let Phase::Judging(frames) = &self.phase else { return };
        if let ([frame], Some(mechanism), SpfResult::Fail) = (&frames[..], &mechanism, result)
            && self.config.explain
            && let Some(spec) = frame.record.as_ref().and_then(|record| record.explanation())
        {
            let (domain, spec) = (frame.domain.clone(), spec.clone());
            self.phase = Phase::Explaining { domain, spec, reason, mechanism: mechanism.clone() };
            return;
        }
        self.conclude(result, mechanism, reason, None);
    }

    fn explained(&mut self, explanation: Option<String>) {
        let Phase::Explaining { reason, mechanism, .. } = &self.phase else { return };
        let (reason, mechanism) = (reason.clone(), mechanism.clone());
        self.conclude(SpfResult::Fail, Some(mechanism), reason, explanation);
    }

    fn conclude(&mut self, result: SpfResult, mechanism: Option<String>, reason: String, explanation: Option<String>) {
        let explanation = match result {
            SpfResult::Fail => explanation.or_else(|| self.config.default_explanation.clone()),
            _ => None,
        };
        let Books { lookups, void_lookups, trace } = core::mem::take(&mut self.books);
        let queries = self.memory.asked();
        let verdict = Verdict { result, reason, explanation, mechanism, lookups, void_lookups, queries, trace };
        self.phase = Phase::Done(verdict.into());
    }
}

/// RFC 7208 §6.2: whatever goes wrong, there is no explanation then.
fn find_explanation(scene: &mut Scene<'_>, spec: &DomainSpec) -> Result<String, Unready> {
    let target = scene.target(Some(spec))?;
    let records = scene.text_at(&target).ok_or(Unready::Wait)?;
    let text = match &*records {
        Records::Texts(texts) => match &texts[..] {
            [text] => text,
            _ => return Err(Unready::Never("there is more than one text, so that none counts")),
        },
        _ => return Err(Unready::Never("there is no text")),
    };
    if text.len() > scene.config.limits.text {
        return Err(Unready::Never("the text is too long"));
    }
    let text = ExplainString::parse(text).map_err(|_| Unready::Never("the text is malformed"))?;
    scene.explanation(&text)
}

impl Frame {
    fn new(domain: Name, missing: Missing) -> Self {
        Self { domain, record: None, passed_over: 0, has_looked_ahead: false, missing }
    }
}

impl Books {
    fn tell(&mut self, step: Step, config: &Config) {
        if self.trace.len() < config.limits.steps {
            self.trace.push(step);
        }
    }
}

/// Who judges records.
struct Judge<'a> {
    request: &'a Request,
    config: &'a Config,
    memory: &'a mut Memory,
    books: &'a mut Books,
}

impl Judge<'_> {
    fn turn(&mut self, frames: &mut Vec<Frame>) -> Turn {
        let depth = frames.len().saturating_sub(1);
        let Some(frame) = frames.last_mut() else {
            return Turn::Wait;
        };
        let mut turn = match frame.record.clone() {
            None => self.read_record(frame, depth),
            Some(record) => match record.directives().nth(frame.passed_over) {
                Some(directive) => match self.judge_directive(directive, &record, frame, depth) {
                    Directed::Turn(turn) => turn,
                    Directed::Enter(name) => {
                        frames.push(Frame::new(name, Missing::Mistake));
                        return Turn::Again;
                    }
                },
                None => self.end_of_record(&record, frame, depth),
            },
        };
        while frames.len() > 1
            && let Turn::Result(result, mechanism, reason) = turn
        {
            turn = self.leave(frames, result, mechanism, reason);
        }
        turn
    }

    // RFC 7208 sections 4.4 and 4.5

    fn read_record(&mut self, frame: &mut Frame, depth: usize) -> Turn {
        let mut scene = Scene::new(self.request, self.config, self.memory, &frame.domain);
        let Some(records) = scene.record_of_domain() else {
            return Turn::Wait;
        };
        let looked_up = scene.into_looked_up();
        let (domain, limit) = (&frame.domain, self.config.limits.text);
        let read = match &*records {
            Records::Texts(texts) => {
                let records: Vec<_> = texts.iter().filter(|text| Record::is_version_1(text)).collect();
                match &records[..] {
                    [] => Err((None, format!("{domain} has no record of SPF"))),
                    [text] if text.len() > limit => Err((
                        Some(SpfResult::PermError),
                        format!("the record of {domain} is longer than {limit} octets"),
                    )),
                    [text] => Record::parse(text)
                        .map_err(|fault| (Some(SpfResult::PermError), format!("in the record of {domain}, {fault}"))),
                    _ => Err((Some(SpfResult::PermError), format!("{domain} has more than one record of SPF"))),
                }
            }
            Records::NxDomain => Err((None, format!("there is no domain {domain}"))),
            Records::NoData => Err((None, format!("{domain} has no record of SPF"))),
            _ => Err((Some(SpfResult::TempError), format!("the record of {domain} can't be looked up for now"))),
        };
        let (turn, reason) = match read {
            Ok(record) => {
                let reason = record.to_string();
                frame.record = Some(record.into());
                (Turn::Again, reason)
            }
            Err((result, reason)) => {
                let result = result.unwrap_or(match frame.missing {
                    Missing::NoResult => SpfResult::None,
                    Missing::Mistake => SpfResult::PermError,
                });
                (Turn::Result(result, None, reason.clone()), reason)
            }
        };
        self.tell(frame, depth, "record".into(), looked_up, None, reason);
        turn
    }

    fn judge_directive(&mut self, directive: &Directive, record: &Record, frame: &mut Frame, depth: usize) -> Directed {
        let is_counted = directive.mechanism.is_counted();
        if is_counted && self.books.lookups >= self.config.limits.terms {
            return Directed::Turn(self.too_many_lookups());
        }
        let Judged { fate, looked_up, is_void } =
            Scene::new(self.request, self.config, self.memory, &frame.domain).judge(&directive.mechanism);
        if matches!(fate, Fate::Wait) {
            self.look_ahead(record, frame);
            return Directed::Turn(Turn::Wait);
        }
        self.books.lookups += usize::from(is_counted);
        self.books.void_lookups += usize::from(is_void);
        let term = directive.to_string();
        if self.books.void_lookups > self.config.limits.void_terms {
            let reason = format!("more than {} look-ups find nothing", self.config.limits.void_terms);
            self.tell(frame, depth, term.clone(), looked_up, None, reason.clone());
            return Directed::Turn(Turn::Result(SpfResult::PermError, Some(term), reason));
        }
        let (matched, reason) = match &fate {
            Fate::Matched(reason) => (Some(true), reason.clone()),
            Fate::Unmatched(reason) => (Some(false), reason.clone()),
            Fate::Temporary(reason) | Fate::Permanent(reason) => (None, reason.clone()),
            Fate::Enter(name) => (None, format!("the record of {name} decides")),
            Fate::Wait => (None, String::new()),
        };
        self.tell(frame, depth, term.clone(), looked_up, matched, reason.clone());
        Directed::Turn(match fate {
            Fate::Enter(name) => return Directed::Enter(name),
            Fate::Matched(_) => Turn::Result(directive.qualifier.into(), Some(term), reason),
            Fate::Temporary(_) => Turn::Result(SpfResult::TempError, Some(term), reason),
            Fate::Permanent(_) => Turn::Result(SpfResult::PermError, Some(term), reason),
            Fate::Unmatched(_) | Fate::Wait => {
                frame.passed_over += 1;
                Turn::Again
            }
        })
    }

    // RFC 7208 sections 4.7 and 6.1

    fn end_of_record(&mut self, record: &Record, frame: &mut Frame, depth: usize) -> Turn {
        let Some(redirect) = record.redirect() else {
            return Turn::Result(
                SpfResult::Neutral,
                None,
                format!("nothing in the record of {} matches", frame.domain),
            );
        };
        if self.books.lookups >= self.config.limits.terms {
            return self.too_many_lookups();
        }
        let target = Scene::new(self.request, self.config, self.memory, &frame.domain).target(Some(redirect));
        let term = format!("redirect={redirect}");
        match target {
            Err(Unready::Wait) => Turn::Wait,
            Err(Unready::Never(why)) => {
                self.tell(frame, depth, term.clone(), Vec::new(), None, why.into());
                Turn::Result(SpfResult::PermError, Some(term), why.into())
            }
            Ok(name) => {
                self.books.lookups += 1;
                self.tell(frame, depth, term, Vec::new(), None, format!("the record of {name} counts instead"));
                *frame = Frame::new(name, Missing::Mistake);
                Turn::Again
            }
        }
    }

    /// An include has this result (RFC 7208 §5.2).
    fn leave(&mut self, frames: &mut Vec<Frame>, result: SpfResult, mechanism: Option<String>, reason: String) -> Turn {
        let inner = frames.pop();
        let depth = frames.len().saturating_sub(1);
        let (Some(inner), Some(frame)) = (inner, frames.last_mut()) else {
            return Turn::Result(result, mechanism, reason);
        };
        let directive = frame.record.as_ref().and_then(|record| record.directives().nth(frame.passed_over).cloned());
        let Some(directive) = directive else {
            return Turn::Result(result, mechanism, reason);
        };
        let term = directive.to_string();
        match result {
            SpfResult::Pass => {
                let reason = format!("{} lets it pass: {reason}", inner.domain);
                self.tell(frame, depth, term.clone(), Vec::new(), Some(true), reason.clone());
                Turn::Result(directive.qualifier.into(), Some(term), reason)
            }
            SpfResult::Fail | SpfResult::SoftFail | SpfResult::Neutral => {
                let reason = format!("{} says {}, which decides nothing here", inner.domain, result.as_str());
                self.tell(frame, depth, term, Vec::new(), Some(false), reason);
                frame.passed_over += 1;
                Turn::Again
            }
            SpfResult::TempError => self.end_all(frames, SpfResult::TempError, term, reason),
            SpfResult::PermError | SpfResult::None => self.end_all(frames, SpfResult::PermError, term, reason),
        }
    }

    /// An error within an include is one of all that lead there.
    fn end_all(&mut self, frames: &mut Vec<Frame>, result: SpfResult, term: String, reason: String) -> Turn {
        frames.truncate(1);
        Turn::Result(result, Some(term), reason)
    }

    fn too_many_lookups(&mut self) -> Turn {
        let reason = format!("it takes more than {} terms with look-ups", self.config.limits.terms);
        Turn::Result(SpfResult::PermError, None, reason)
    }

    /// Asks what may be needed next, while an answer has to be waited for anyway.
    fn look_ahead(&mut self, record: &Record, frame: &mut Frame) {
        if !self.config.look_ahead || core::mem::replace(&mut frame.has_looked_ahead, true) {
            return;
        }
        let client = self.request.client();
        let mut scene = Scene::new(self.request, self.config, self.memory, &frame.domain);
        // The term that waits is one of them.
        let mut left = self.config.limits.terms.saturating_sub(self.books.lookups + 1);
        for directive in record.directives().skip(frame.passed_over + 1) {
            match &directive.mechanism {
                Mechanism::All => return,
                Mechanism::Ip4 { network, prefix } if is_within(client, (*network).into(), *prefix) => return,
                Mechanism::Ip6 { network, prefix } if is_within(client, (*network).into(), *prefix) => return,
                mechanism if mechanism.is_counted() => {
                    if left == 0 {
                        return;
                    }
                    left -= 1;
                    scene.ask_ahead(mechanism);
                }
                _ => {}
            }
        }
        if left > 0 && record.redirect().is_some() {
            scene.ask_target_ahead(record.redirect(), QueryKind::Txt);
        }
    }

    fn tell(
        &mut self,
        frame: &Frame,
        depth: usize,
        term: String,
        looked_up: Vec<LookedUp>,
        matched: Option<bool>,
        reason: String,
    ) {
        let domain = frame.domain.to_string();
        self.books.tell(Step { depth, domain, term, looked_up, matched, reason }, self.config);
    }
}

/// What a directive came to.
enum Directed {
    Turn(Turn),
    /// The record of this domain is judged first.
    Enter(Name),
}

impl From<Qualifier> for SpfResult {
    fn from(qualifier: Qualifier) -> Self {
        match qualifier {
            Qualifier::Pass => Self::Pass,
            Qualifier::Fail => Self::Fail,
            Qualifier::SoftFail => Self::SoftFail,
            Qualifier::Neutral => Self::Neutral,
        }
    }
}
