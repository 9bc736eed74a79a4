//! What has become of a recipient.

use crate::client::{RecipientOutcome, State};
use crate::delivery::route::Resolution;
use crate::error::{Error, ErrorCode};
use crate::syntax::{Domain, EnhancedCode, MessageDate, Notify, Reply, Severity};

/// What has become of a recipient, to be told to the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The place in the envelope's list of recipients.
    pub recipient: usize,
    /// What has become of it.
    pub action: Action,
    /// Why.
    pub status: EnhancedCode,
    /// The server that decided, if one did (RFC 3464 §2.3.5).
    pub remote_mta: Option<Domain>,
    /// What it said.
    pub reply: Option<Reply>,
    /// Why, where no reply says it.
    pub error: Option<Error>,
    /// When it was tried last.
    pub last_attempt: Option<MessageDate>,
}

/// What has become of a recipient (RFC 3464 §2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nobody goes on trying.
    Failed,
    /// It has not been delivered yet.
    Delayed {
        /// Up to when it will be tried, if that is known.
        until: Option<MessageDate>,
    },
    /// It went to a server that does not report (RFC 3461 §5.2.2).
    Relayed,
    /// It is in the mailbox.
    Delivered,
}

impl Action {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed { .. } => "delayed",
            Self::Relayed => "relayed",
            Self::Delivered => "delivered",
        }
    }

    /// Whether a sender who has asked for this wants to hear of it. Who asks for nothing hears of failure and delay (RFC 3461 §4.1).
    pub(super) fn is_wanted(self, notify: Option<Notify>) -> bool {
        match self {
            Self::Failed => notify.is_none_or(Notify::failure),
            Self::Delayed { .. } => notify.is_none_or(Notify::delay),
            Self::Relayed | Self::Delivered => notify.is_some_and(Notify::success),
        }
    }
}

impl Fate {
    /// Nothing but this is known.
    pub fn new(recipient: usize, action: Action, status: EnhancedCode) -> Self {
        Self { recipient, action, status, remote_mta: None, reply: None, error: None, last_attempt: None }
    }

    /// What the outcome of a recipient comes to; `remote_mta` is the server to which it was sent. A recipient who is `deferred` has failed
    /// once nobody tries any more: the caller says that by [`Action::Failed`].
    ///
    /// `None` if the action does not go with the outcome. Of a recipient who is `unknown` nothing can be said: it may have been delivered, and whoever
    /// reads that it failed sends it again (RFC 1047).
    pub fn of(
        recipient: usize,
        action: Action,
        outcome: &RecipientOutcome,
        remote_mta: Option<Domain>,
    ) -> Option<Self> {
        match (action, outcome.state) {
            (Action::Failed, State::Rejected | State::Deferred)
            | (Action::Delayed { .. }, State::Deferred)
            | (Action::Relayed | Action::Delivered, State::Accepted) => {}
            _ => return None,
        }
        let (reply, error) = (outcome.reply.clone(), outcome.error());
        let status = match (&reply, &error, outcome.state) {
            (Some(reply), _, _) => status_of_reply(reply),
            (None, Some(error), State::Rejected) => EnhancedCode { class: 5, ..status_of_error(error) },
            (None, Some(error), _) => EnhancedCode { class: 4, ..status_of_error(error) },
            (None, None, State::Accepted) => EnhancedCode { class: 2, subject: 0, detail: 0 },
            (None, None, _) => EnhancedCode { class: 4, subject: 0, detail: 0 },
        };
        // What a reply says is not said again.
        let error = error.filter(|_| reply.is_none());
        Some(Self { remote_mta, reply, error, ..Self::new(recipient, action, status) })
    }

    /// There was no server to send it to. `None` if there was, or if the action does not go with it.
    pub fn unrouted(recipient: usize, action: Action, resolution: &Resolution) -> Option<Self> {
        let fits = match action {
            Action::Failed => true,
            Action::Delayed { .. } => !resolution.is_permanent_failure(),
            Action::Relayed | Action::Delivered => false,
        };
        let error = Some(resolution.error().filter(|_| fits)?);
        Some(Self { error, ..Self::new(recipient, action, resolution.enhanced?) })
    }
}

fn status_of_reply(reply: &Reply) -> EnhancedCode {
    let class = match reply.severity() {
        Severity::Completion => 2,
        Severity::Permanent => 5,
        Severity::Intermediate | Severity::Transient => 4,
    };
    reply.enhanced().unwrap_or(EnhancedCode { class, subject: 0, detail: 0 })
}

/// Subject and detail (RFC 3463 §3) for an error that no reply has explained.
fn status_of_error(error: &Error) -> EnhancedCode {
    let (subject, detail) = match error.code() {
        ErrorCode::DnsNoSuchHost => (1, 2),
        ErrorCode::AddressSyntax | ErrorCode::AddressTooLong => (1, 3),
        ErrorCode::DnsNullMx => (1, 10),
        ErrorCode::MessageTooLarge => (3, 4),
        ErrorCode::TimeoutConnect | ErrorCode::ConnectRefused | ErrorCode::ConnectUnreachable => (4, 1),
        ErrorCode::DnsTemporary => (4, 3),
        ErrorCode::DnsNoServer => (4, 4),
        ErrorCode::DnsLoop => (4, 6),
        ErrorCode::TimeoutDeadline => (4, 7),
        ErrorCode::MessageNeeds8bitmime | ErrorCode::MessageNeedsBinarymime => (6, 3),
        ErrorCode::AddressNeedsSmtputf8 | ErrorCode::MessageNeedsSmtputf8 => (6, 7),
        ErrorCode::SecurityTlsRequired => (7, 30),
        code => match code.family() {
            "connect" | "timeout" => (4, 2),
            "protocol" => (5, 0),
            "limit" => (5, 3),
            "message" => (6, 0),
            "security" | "tls" | "auth" => (7, 0),
            _ => (0, 0),
        },
    };
    EnhancedCode { class: 4, subject, detail }
}
