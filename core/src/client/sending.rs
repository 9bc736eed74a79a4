//! What may be said next, at each level of pipelining (RFC 2920 §3.1).
//!
//! Transactions stand in a row, in the order in which they go over the wire. Only the last one may have something left
//! to say; those before it wait for replies. [`Sender::say`] says what may be said now, one thing a call, until there is
//! nothing: then the connection waits, and that is a round trip.
//!
//! | level | a transaction begins behind | DATA goes |
//! |---|---|---|
//! | none | the reply to the content before | behind the reply to RCPT |
//! | message | the reply to the content before | with RCPT |
//! | session | the content before | with RCPT |
//! | streaming | the content before, while not too much is in flight | as BDAT, with RCPT and the content |

use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::time::Duration;

use super::config::{Chunking, Config, InFlight, Pipelining, Protocol};
use super::job::Job;
use super::message::{Body, Message, MessageId, Recipient};
use super::needs::{Ground, Plan, ascii_forward_path, ascii_reverse_path, can_be_split};
use super::outcome::{Progress, Standing, State};
use super::output::{Event, Output};
use super::transaction::{Ahead, Consequence, Stage, Transaction};
use super::wire::{Asked, Wire};
use crate::error::{Error, ErrorCode, Step};
use crate::syntax::{
    Capabilities, ContentEncoder, ForwardPath, Framing, Limits, Reply, encode_bdat, encode_mail_declaring, encode_rcpt,
};

/// How many chunks may wait for their replies.
const CHUNKS_IN_FLIGHT: usize = 16;

/// The messages of a connection: those that wait, and those whose transactions are on the wire.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) queue: VecDeque<Job>,
    pub(super) row: VecDeque<Transaction>,
    level: Pipelining,
    lmtp: bool,
    chunking: Chunking,
    in_flight: InFlight,
    limits: Limits,
    /// RSET stands between content and what follows it in the same write: without it the submission service of Dovecot
    /// 2.3, which is known by its BURL, dies of the RCPT.
    resets_behind_content: bool,
    /// Those of the recipients that were named, where the server counts them.
    domains: BTreeSet<String>,
    submitted: u64,
    /// Whether a message had a deadline. Where none had, there is no need to look at all that are in flight.
    pub(super) has_deadlines: bool,
    /// Nobody knows any more which reply answers what, so nothing but QUIT may follow.
    is_out_of_step: bool,
    /// Transactions begun.
    begun: u32,
    /// The server may hold a transaction open that is not going on.
    needs_reset: bool,
    /// Round trips of the connection when the last outcome was told.
    turns_told: u32,
}

impl Sender {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            queue: VecDeque::new(),
            row: VecDeque::new(),
            level: config.pipelining,
            lmtp: config.protocol == Protocol::Lmtp,
            chunking: config.chunking,
            in_flight: config.in_flight,
            limits: Limits::default(),
            resets_behind_content: false,
            domains: BTreeSet::new(),
            submitted: 0,
            has_deadlines: false,
            is_out_of_step: false,
            begun: 0,
            needs_reset: false,
            turns_told: 0,
        }
    }

    pub(super) fn submit(&mut self, message: Message) -> MessageId {
        let id = MessageId(self.submitted);
        self.submitted += 1;
        self.has_deadlines |= message.deadline.is_some();
        self.queue.push_back(Job::new(id, message));
        id
    }

    /// Learns what the server offers.
    pub(super) fn learn(&mut self, offered: &Capabilities, wanted: Pipelining) {
        self.limits = offered.limits();
        self.resets_behind_content = offered.keyword("BURL").is_some();
        self.level = match wanted {
            _ if !offered.pipelining() => Pipelining::None,
            // LMTP answers the content once for each recipient that was taken: how many is to be known by then.
            Pipelining::Streaming if self.lmtp || !offered.chunking() || self.chunking == Chunking::Never => {
                Pipelining::Session
            }
            wanted => wanted,
        };
    }

    /// Whether content goes by BDAT without need.
    pub(super) fn prefers_bdat(&self, offered: &Capabilities) -> bool {
        offered.chunking() && (self.level == Pipelining::Streaming || self.chunking == Chunking::Prefer)
    }

    /// Whether nothing is left to be said or awaited.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.row.is_empty()
    }

    /// Whether everything that was submitted has been said.
    pub(super) fn is_said(&self) -> bool {
        self.queue.is_empty() && self.row.back().is_none_or(Transaction::is_said)
    }

    /// Whether QUIT may go behind content whose reply has not come. Not if recipients are left for another transaction.
    pub(super) fn may_quit_early(&self) -> bool {
        let is_last = |it: &Transaction| it.plan.framing == Framing::Dotted && !it.job.is_any(Standing::Later);
        self.level >= Pipelining::Session && self.row.iter().all(is_last)
    }

    /// Whether nobody knows any more which reply answers what.
    pub(super) fn is_out_of_step(&self) -> bool {
        self.is_out_of_step
    }

    /// Whether the server takes no more transactions in this session (RFC 9422 §5.1), or has lost count of them.
    pub(super) fn is_spent(&self) -> bool {
        self.is_out_of_step || self.limits.mail_max.is_some_and(|most| self.begun >= most)
    }

    /// Says what may be said now of one transaction, if there is anything.
    pub(super) fn say(&mut self, now: Duration, wire: &mut Wire, ground: Ground<'_>) -> bool {
        let mut said = false;
        if self.row.back().is_none_or(Transaction::is_said) {
            said = self.begin(now, wire, ground);
        }
        let level = self.level;
        if let Some(last) = self.row.back_mut() {
            // RFC 2033 §4.2: a server that has taken nobody must refuse DATA. One that does not may answer the lone dot
            // once, as in SMTP, or as often as it has taken somebody: never.
            self.is_out_of_step |= self.lmtp && matches!(last.stage, Stage::Go { lone_dot: true });
            while continue_transaction(last, level, now, wire) {
                said = true;
            }
            if last.is_over() {
                self.conclude(wire);
            }
        }
        said
    }

    /// Takes the reply to a command of the transaction at the front.
    pub(super) fn answered(&mut self, asked: Asked, reply: &Reply, wire: &mut Wire) -> Consequence {
        let Some(front) = self.row.front_mut() else {
            return Consequence::None;
        };
        let consequence = front.answered(asked, reply);
        // What is broken is not over: it ends with the connection, for the reason that the connection ends.
        if front.is_over() && !matches!(consequence, Consequence::Broken(_)) {
            self.conclude(wire);
        }
        consequence
    }

    /// Tells the outcome of a message.
    pub(super) fn tell(&mut self, mut job: Job, wire: &mut Wire) {
        job.turns_before = job.turns_before.max(self.turns_told);
        self.turns_told = wire.turns();
        wire.event(Event::Finished(job.into_outcome(wire.turns())));
    }

    /// Takes away what is over at the front of the row.
    pub(super) fn conclude(&mut self, wire: &mut Wire) {
        while let Some(over) = self.row.front_mut().filter(|front| front.is_over()) {
            let too_early = over.came_too_early();
            // Nobody knows what the server made of what came too early.
            self.needs_reset |= too_early || over.needs_reset();
            if too_early {
                over.job.forget();
            } else {
                over.conclude();
            }
            let again = too_early || over.job.is_any(Standing::Later);
            let reduces = over.shows_too_high_a_level();
            let refused = over.is_content_refused();
            let Some(Transaction { job, cancelled, .. }) = self.row.pop_front() else {
                return;
            };
            if reduces {
                self.reduce(wire);
            }
            if refused && let Some(next) = self.row.front_mut() {
                next.is_behind_refused_content();
            }
            match again {
                _ if cancelled => {}
                true => self.queue.push_front(job),
                false => self.tell(job, wire),
            }
        }
    }

    /// The server does not take what comes behind content: no more of it.
    fn reduce(&mut self, wire: &mut Wire) {
        if self.level > Pipelining::Message {
            self.level = Pipelining::Message;
            wire.event(Event::PipeliningReduced);
        }
    }

    fn begin(&mut self, now: Duration, wire: &mut Wire, ground: Ground<'_>) -> bool {
        if self.queue.is_empty() || !self.may_begin(wire) {
            return false;
        }
        if self.is_spent() {
            return self.hand_back(wire);
        }
        // At `streaming` nobody knows yet whether the transaction before went well: should it be refused in any part,
        // what follows must not become a part of it.
        let resets = self.level == Pipelining::Streaming || self.resets_behind_content;
        let unanswered = resets && !self.row.is_empty();
        let before = self.row.back().is_some_and(Transaction::needs_reset);
        if unanswered || before || self.needs_reset {
            self.needs_reset = false;
            wire.command(now, Asked::Rset, |out| out.extend_from_slice(b"RSET\r\n"));
            if self.level == Pipelining::None {
                return true;
            }
        }
        let Some(mut job) = self.queue.pop_front() else {
            return false;
        };
        if job.progress == Progress::Queued {
            job.turns_before = wire.turns();
        }
        match self.plan(&mut job, ground) {
            Ok(plan) if job.is_any(Standing::Waiting) => {
                self.begun += 1;
                let ahead = if self.row.is_empty() { Ahead::Nothing } else { Ahead::Content };
                self.row.push_back(Transaction::new(job, plan, wire.said(), ahead, self.lmtp));
            }
            Ok(_) => self.tell(job, wire),
            Err(error) => {
                let state = match error.code() {
                    ErrorCode::CancelledAllOrNothing | ErrorCode::LimitSession => State::Deferred,
                    _ => State::Rejected,
                };
                job.end(state, &error, None);
                self.tell(job, wire);
            }
        }
        true
    }

    fn plan(&mut self, job: &mut Job, ground: Ground<'_>) -> Result<Plan, Error> {
        let plan = Plan::of(&job.message, ground)?;
        // In this order: who can't be named must not take the place of another.
        refuse_what_needs_utf8(job, &plan)?;
        self.choose_recipients(job)?;
        Ok(plan)
    }

    fn may_begin(&self, wire: &Wire) -> bool {
        match self.level {
            Pipelining::None | Pipelining::Message => self.row.is_empty() && wire.is_quiet(),
            // RFC 3030 does not say that anything may follow the last BDAT.
            Pipelining::Session => match self.row.back() {
                None => true,
                Some(last) => self.row.len() < 2 && last.plan.framing == Framing::Dotted,
            },
            Pipelining::Streaming => {
                let Some(first) = self.row.front() else {
                    return true;
                };
                self.row.len() < self.in_flight.messages
                    && self.in_flight.has_room(wire.said() - first.place, wire.shortest_turn())
            }
        }
    }

    /// The server takes no more in this session.
    fn hand_back(&mut self, wire: &mut Wire) -> bool {
        let error = spent("messages");
        while let Some(mut job) = self.queue.pop_front() {
            job.end(State::Deferred, &error, None);
            self.tell(job, wire);
        }
        true
    }

    /// Chooses whom the next transaction names: everybody who has no outcome yet, within RCPTMAX (RFC 9422 §4.2). Who is
    /// beyond RCPTDOMAINMAX, which counts for the whole session (§4.3), is left for another one.
    fn choose_recipients(&mut self, job: &mut Job) -> Result<(), Error> {
        let most = self.limits.rcpt_max.map_or(usize::MAX, |most| most as usize);
        let most_domains = self.limits.rcpt_domain_max.map_or(usize::MAX, |most| most as usize);
        if most == usize::MAX && most_domains == usize::MAX && job.progress == Progress::Queued {
            return Ok(());
        }
        let mut domains = self.domains.clone();
        let (mut chosen, mut later, mut beyond) = (0, false, None);
        for (recipient, named) in job.recipients.iter_mut().zip(&job.message.envelope.recipients) {
            if !matches!(recipient.standing, Standing::Waiting | Standing::Later) {
                continue;
            }
            let domain = match &named.path {
                ForwardPath::Mailbox(mailbox) => mailbox.domain().to_ascii_lowercase(),
                ForwardPath::Postmaster => String::new(),
            };
            if most_domains < usize::MAX && !domains.contains(&domain) {
                if domains.len() >= most_domains {
                    let error = beyond.get_or_insert_with(|| Arc::new(spent("recipients in this domain")));
                    recipient.end(State::Deferred, None, Some(Arc::clone(error)));
                    continue;
                }
                domains.insert(domain);
            }
            recipient.standing = if chosen < most { Standing::Waiting } else { Standing::Later };
            later |= chosen >= most;
            chosen += 1;
        }
        if later && !can_be_split(&job.message) {
            let what = "the server takes fewer recipients than the message has, and it can't be sent in parts";
            return Err(Error::new(ErrorCode::LimitRecipients, what));
        }
        if job.message.all_or_nothing && beyond.is_some() {
            return Err(spent("recipients in all these domains"));
        }
        self.domains = domains;
        Ok(())
    }
}

/// What waits has not been begun, so another session may take it.
fn spent(of_what: &str) -> Error {
    Error::new(ErrorCode::LimitSession, format!("the server takes no more {of_what} in this session")).at(Step::Idle)
}

/// Without SMTPUTF8 there is no way to name a mailbox outside ASCII. That stops the message if it is the sender, else
/// only the recipient.
fn refuse_what_needs_utf8(job: &mut Job, plan: &Plan) -> Result<(), Error> {
    if plan.declared.smtputf8 {
        return Ok(());
    }
    if !job.message.envelope.reverse_path.is_ascii() {
        ascii_reverse_path(&job.message.envelope.reverse_path)?;
    }
    for (recipient, named) in job.recipients.iter_mut().zip(&job.message.envelope.recipients) {
        if matches!(recipient.standing, Standing::Waiting | Standing::Later)
            && !named.path.is_ascii()
            && let Err(error) = ascii_forward_path(&named.path)
        {
            recipient.end(State::Rejected, None, Some(error.into()));
        }
    }
    if job.message.all_or_nothing && job.has_refused() {
        return Err(all_or_nothing());
    }
    Ok(())
}

fn all_or_nothing() -> Error {
    let what = "another recipient was refused, and all or nothing was asked for";
    Error::new(ErrorCode::CancelledAllOrNothing, what).at(Step::Rcpt)
}

/// Says the next thing of a transaction, if it may be said now.
fn continue_transaction(this: &mut Transaction, level: Pipelining, now: Duration, wire: &mut Wire) -> bool {
    let one_by_one = level == Pipelining::None;
    if one_by_one && !wire.is_quiet() {
        return false;
    }
    let is_lmtp = this.is_lmtp();
    match &mut this.stage {
        Stage::Begun => say_mail(this, now, wire),
        Stage::Envelope { next } => {
            let next = *next;
            say_rcpt(this, next, one_by_one, now, wire);
        }
        Stage::EnvelopeSaid => {
            let all_or_nothing = this.job.message.all_or_nothing && this.job.recipients.len() > 1;
            let waits = match this.plan.framing {
                _ if all_or_nothing => true,
                Framing::Dotted => one_by_one,
                Framing::Counted | Framing::Binary => level != Pipelining::Streaming,
            };
            if waits && this.due > 0 {
                return false;
            }
            end_envelope(this, waits, now, wire);
        }
        Stage::Go { lone_dot: true } if is_lmtp => {
            wire.line(now, |out| out.extend_from_slice(b".\r\n"));
            this.stage = Stage::Said { place: wire.said() };
        }
        Stage::Go { lone_dot: true } => {
            wire.command(now, Asked::Content, |out| out.extend_from_slice(b".\r\n"));
            this.due += 1;
            this.stage = Stage::Said { place: wire.said() };
        }
        Stage::Go { lone_dot: false } => begin_content(this, now, wire),
        Stage::Content { asked: true, .. } => return false,
        Stage::Content { encoder, asked } => {
            if this.due >= CHUNKS_IN_FLIGHT {
                return false;
            }
            *asked = true;
            wire.ask_host(Output::ReadBody { message: this.job.id, offset: encoder.offset() });
        }
        Stage::DataSaid | Stage::Said { .. } | Stage::Void => return false,
    }
    true
}

fn say_mail(this: &mut Transaction, now: Duration, wire: &mut Wire) {
    let (declared, envelope) = (this.plan.declared, &*this.job.message.envelope);
    let (path, parameters) = (&envelope.reverse_path, &envelope.parameters);
    if declared.smtputf8 || path.is_ascii() {
        wire.command(now, Asked::Mail, |out| encode_mail_declaring(declared, path, parameters, out));
    } else if let Ok(path) = ascii_reverse_path(path) {
        wire.command(now, Asked::Mail, |out| encode_mail_declaring(declared, &path, parameters, out));
    }
    this.due += 1;
    this.job.progress = this.job.progress.max(Progress::Envelope);
    this.stage = Stage::Envelope { next: 0 };
}

/// Says RCPT for each recipient who is to be named, from this one on, or only for the `first` of them.
fn say_rcpt(this: &mut Transaction, next: usize, first: bool, now: Duration, wire: &mut Wire) {
    let (smtputf8, job) = (this.plan.declared.smtputf8, &mut this.job);
    for index in next..job.recipients.len() {
        if job.recipients[index].standing != Standing::Waiting {
            continue;
        }
        let Recipient { path, parameters } = &job.message.envelope.recipients[index];
        if smtputf8 || path.is_ascii() {
            wire.command(now, Asked::Rcpt, |out| encode_rcpt(path, parameters, out));
        } else if let Ok(path) = ascii_forward_path(path) {
            wire.command(now, Asked::Rcpt, |out| encode_rcpt(&path, parameters, out));
        }
        job.recipients[index].standing = Standing::Asked;
        this.due += 1;
        if first {
            this.stage = Stage::Envelope { next: index + 1 };
            return;
        }
    }
    this.stage = Stage::EnvelopeSaid;
}

/// Goes on from the envelope. `answered`: the replies to it are known.
fn end_envelope(this: &mut Transaction, answered: bool, now: Duration, wire: &mut Wire) {
    if answered && this.job.message.all_or_nothing && this.job.has_refused() {
        this.job.end(State::Deferred, &all_or_nothing(), None);
        this.stage = Stage::Void;
    } else if answered && this.job.taken() == 0 {
        this.stage = Stage::Void;
    } else if this.plan.framing == Framing::Dotted {
        wire.command(now, Asked::Data, |out| out.extend_from_slice(b"DATA\r\n"));
        this.due += 1;
        this.stage = Stage::DataSaid;
    } else {
        this.stage = Stage::Go { lone_dot: false };
    }
}

fn begin_content(this: &mut Transaction, now: Duration, wire: &mut Wire) {
    this.job.progress = Progress::Content;
    let framing = this.plan.framing;
    match this.job.message.body {
        // Nothing has to be looked for in it.
        Body::Whole(inspection)
            if framing == Framing::Binary || framing == Framing::Counted && inspection.bare_newlines() == 0 =>
        {
            wire.line(now, |out| encode_bdat(inspection.size(), true, out));
            wire.content(now, this.job.id, 0..inspection.size());
            this.end_content(inspection.size(), now, wire);
        }
        Body::Whole(inspection)
            if framing == Framing::Dotted && inspection.bare_newlines() == 0 && !inspection.dotted() =>
        {
            if inspection.size() > 0 {
                wire.content(now, this.job.id, 0..inspection.size());
            }
            wire.added(now, if inspection.terminated() { b".\r\n" } else { b"\r\n.\r\n" });
            this.end_content(inspection.size(), now, wire);
        }
        _ => {
            let encoder = ContentEncoder::new(framing, this.job.message.newlines);
            this.stage = Stage::Content { encoder, asked: false };
        }
    }
}
