//! What the host says, and what comes of it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::config::Protocol;
use super::output::{Answer, Closed, QuestionId};
use super::peer::{Hello, User};
use super::session::{Phase, Session};
use super::transaction::Transaction;
use super::words::{
    GO_AHEAD, GO_AHEAD_WITH_TLS, GOODBYE, LOCAL_ERROR, NO_SERVICE, NO_SUCH_USER, NO_TLS_NOW, NOT_PROVED, OK,
    RECIPIENT_OK, REFUSED, SENDER_OK, STORED, Saying, Words,
};
use crate::syntax::{MailParameters, Reply, ReversePath, Severity};

/// A question that the host has not answered yet.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) question: QuestionId,
    pub(super) asked: Asked,
}

#[derive(Clone, Debug)]
pub(super) enum Asked {
    Connect,
    Hello(Hello),
    StartTls,
    Credentials,
    ActFor(User),
    ReversePath {
        path: ReversePath,
        parameters: Box<MailParameters>,
    },
    ForwardPath,
    Data(Carriage),
    /// How many replies the client awaits: one, or in LMTP one for each recipient.
    Message {
        replies: usize,
    },
    Quit,
}

/// How content comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carriage {
    /// By DATA.
    Dotted,
    /// By BDAT, and this is the first chunk.
    Chunk { size: u64, last: bool },
}

/// An answer, with what is to be said.
struct Verdict {
    /// `None`: nothing, since the connection closes without a word.
    saying: Option<Saying>,
    is_accepted: bool,
    closes: Option<Closed>,
}

impl Verdict {
    /// What an answer means where the usual words are `yes` and `no`, and a reply of severity `fits` is a yes.
    fn new(answer: Answer, yes: Words, no: Words, fits: Severity) -> Self {
        let said = |saying: Saying, closes: bool| {
            let severity = saying.severity();
            let saying = if severity == fits || saying.is_refusal() { saying } else { LOCAL_ERROR.into() };
            let closes = closes || saying.is_last();
            Self { is_accepted: severity == fits, saying: Some(saying), closes: closes.then_some(Closed::Stopped) }
        };
        match answer {
            Answer::Accept => said(yes.into(), false),
            Answer::Refuse => said(no.into(), false),
            Answer::Reply(reply) => said(Saying::Hosts(reply), false),
            Answer::ReplyAndClose(reply) => said(Saying::Hosts(reply), true),
            Answer::Close => Self { saying: None, is_accepted: false, closes: Some(Closed::Stopped) },
            Answer::Replies(_) | Answer::Credentials(_) => said(LOCAL_ERROR.into(), false),
        }
    }

    fn usual(answer: Answer, yes: Words, no: Words) -> Self {
        Self::new(answer, yes, no, Severity::Completion)
    }
}

impl Session {
    /// The host has answered.
    pub(super) fn answered(&mut self, Pending { question, asked }: Pending, answer: Answer) {
        match asked {
            Asked::Connect => self.connect_answered(answer),
            Asked::Hello(hello) => {
                let verdict = Verdict::usual(answer, OK, REFUSED);
                if verdict.is_accepted && verdict.closes.is_none() {
                    self.welcome(hello);
                } else {
                    self.say_verdict(verdict);
                }
            }
            Asked::StartTls => {
                let verdict = Verdict::usual(answer, GO_AHEAD_WITH_TLS, NO_TLS_NOW);
                match verdict.saying {
                    Some(saying) if verdict.is_accepted && verdict.closes.is_none() => self.go_ahead_with_tls(saying),
                    _ => self.say_verdict(verdict),
                }
            }
            Asked::Credentials => self.credentials_answered(answer),
            Asked::ActFor(user) => match answer {
                Answer::Accept => self.authenticated(user),
                Answer::Refuse => self.may_not_act(&user),
                answer => self.auth_ended_by_host(answer),
            },
            Asked::ReversePath { path, parameters } => {
                let verdict = Verdict::usual(answer, SENDER_OK, REFUSED);
                if verdict.is_accepted {
                    self.transaction = Some(Transaction::new(path, parameters));
                }
                self.path_answered(question, verdict);
            }
            Asked::ForwardPath => {
                let verdict = Verdict::usual(answer, RECIPIENT_OK, NO_SUCH_USER);
                if let Some(transaction) = &mut self.transaction {
                    transaction.answered(question, verdict.is_accepted);
                }
                self.path_answered(question, verdict);
            }
            Asked::Data(carriage) => self.data_answered(question, carriage, answer),
            Asked::Message { replies } => self.message_answered(question, replies, answer),
            Asked::Quit => match Verdict::usual(answer, GOODBYE, GOODBYE) {
                Verdict { saying: None, closes: Some(closed), .. } => self.wire.end(closed),
                Verdict { saying, .. } => {
                    self.wire.say_last(&saying.unwrap_or(GOODBYE.into()), self.enhances(), Closed::Quit);
                }
            },
        }
    }

    fn connect_answered(&mut self, answer: Answer) {
        self.phase = Phase::Commands;
        if answer == Answer::Accept {
            return self.greet();
        }
        let verdict = Verdict::usual(answer, OK, NO_SERVICE);
        if !verdict.is_accepted {
            self.phase = Phase::Refused;
        }
        self.say_verdict(verdict);
    }

    fn path_answered(&mut self, question: QuestionId, verdict: Verdict) {
        let is_accepted = verdict.is_accepted;
        self.fill(question, verdict);
        if !is_accepted {
            self.path_refused();
        }
    }

    fn data_answered(&mut self, question: QuestionId, carriage: Carriage, answer: Answer) {
        let verdict = Verdict::new(answer, GO_AHEAD, REFUSED, Severity::Intermediate);
        if verdict.closes.is_some() {
            return self.fill(question, verdict);
        }
        match carriage {
            Carriage::Dotted if verdict.is_accepted => {
                self.fill(question, verdict);
                self.begin_content(carriage);
            }
            Carriage::Dotted => self.fill(question, verdict),
            // What is said comes behind the chunk, which is on its way.
            Carriage::Chunk { .. } => {
                self.wire.fill(question, None, |_| {});
                self.begin_content(carriage);
                if let Some(saying) = verdict.saying.filter(|_| !verdict.is_accepted) {
                    self.refuse_incoming(saying);
                }
            }
        }
    }

    fn message_answered(&mut self, question: QuestionId, replies: usize, answer: Answer) {
        let with_enhanced = self.enhances();
        let (sayings, closes) = match answer {
            Answer::Replies(of_each) if self.config.protocol == Protocol::Lmtp => each(of_each, replies),
            answer => {
                let Verdict { saying, closes, .. } = Verdict::usual(answer, STORED, REFUSED);
                (alloc::vec![saying; replies], closes)
            }
        };
        if sayings.iter().flatten().any(|saying| !saying.is_refusal()) {
            self.tally.message_accepted();
        }
        self.wire.fill(question, closes, |out| {
            for saying in sayings.iter().flatten() {
                saying.encode(with_enhanced, out);
            }
        });
    }

    fn fill(&mut self, question: QuestionId, Verdict { saying, closes, .. }: Verdict) {
        let with_enhanced = self.enhances();
        self.wire.fill(question, closes, |out| {
            if let Some(saying) = saying {
                saying.encode(with_enhanced, out);
            }
        });
    }

    fn say_verdict(&mut self, Verdict { saying, closes, .. }: Verdict) {
        match (saying, closes) {
            (Some(saying), Some(closed)) => self.wire.say_last(&saying, self.enhances(), closed),
            (Some(saying), None) => self.say(saying),
            (None, Some(closed)) => self.wire.end(closed),
            (None, None) => {}
        }
    }

    /// What the host says in place of a verdict on credentials.
    pub(super) fn auth_ended_by_host(&mut self, answer: Answer) {
        let verdict = Verdict::usual(answer, NOT_PROVED, NOT_PROVED);
        let fits = verdict.saying.as_ref().is_none_or(Saying::is_refusal);
        let saying = if fits { verdict.saying } else { Some(LOCAL_ERROR.into()) };
        self.phase = Phase::Commands;
        self.say_verdict(Verdict { saying, ..verdict });
        self.attempt_failed();
    }

    /// Whether our replies have enhanced codes.
    pub(super) fn enhances(&self) -> bool {
        self.config.offer.enhanced_status_codes
    }
}

/// The replies to each recipient of LMTP.
fn each(replies: Vec<Reply>, count: usize) -> (Vec<Option<Saying>>, Option<Closed>) {
    let mut sayings: Vec<Option<Saying>> = replies
        .into_iter()
        .map(|reply| match reply.severity() {
            Severity::Intermediate => LOCAL_ERROR.into(),
            _ => Saying::Hosts(reply),
        })
        .map(Some)
        .collect();
    sayings.resize(count, Some(LOCAL_ERROR.into()));
    let closes = sayings.iter().flatten().any(Saying::is_last).then_some(Closed::Stopped);
    (sayings, closes)
}
