//! What the caller is told of a message: an exit status, sentences on standard error, or a reply of SMTP.

use okuru::server::Answer;
use okuru::{EnhancedCode, Error, ErrorCode, Outcome, RecipientOutcome, Reply, ReplyCode, State};

use crate::exit::Exit;
use crate::report::complaints;

/// How the program ends after a message.
///
/// | what has become of it | status |
/// |---|---|
/// | accepted for every recipient | 0 |
/// | `unknown` for some, or accepted for some and deferred for others | 74: to call again may send it twice |
/// | else, for those that were not accepted, the greatest of what follows, as [`Exit`] orders them | |
/// | there is no such domain, or it takes no mail | 68 |
/// | the relay refused us, or could not be trusted with our password | 77 |
/// | the relay broke the protocol, or its TLS does not verify | 76 |
/// | a key of the configuration can't be used | 78 |
/// | this program has failed | 70 |
/// | deferred | 75: nobody has got it, to call again is safe |
/// | rejected, since there is no such mailbox (5.1.1, 5.1.3, 5.1.6) | 67 |
/// | rejected, since the message is no message | 65 |
/// | rejected for any other reason | 69 |
pub(crate) fn exit(outcome: &Outcome) -> Exit {
    let has = |state| outcome.recipients.iter().any(|recipient| recipient.state == state);
    if has(State::Unknown) || has(State::Accepted) && has(State::Deferred) {
        return Exit::Doubtful;
    }
    decisive(outcome).map(exit_of).max().unwrap_or_default()
}

fn exit_of(recipient: &RecipientOutcome) -> Exit {
    let by_state = match recipient.state {
        State::Accepted => return Exit::Success,
        State::Unknown => Exit::Doubtful,
        State::Deferred => Exit::Unfinished,
        State::Rejected => recipient.reply.as_ref().and_then(Reply::enhanced).map_or(Exit::Rejected, exit_of_refusal),
    };
    let Some(error) = recipient.error() else {
        return by_state;
    };
    match error.code() {
        // Nothing that a caller can say comes so far.
        ErrorCode::TlsConfiguration | ErrorCode::Usage => Exit::Configuration,
        ErrorCode::DnsNullMx => Exit::NoHost,
        // Nobody has cancelled it.
        ErrorCode::Cancelled => Exit::Software,
        code => Exit::of_cause(code).unwrap_or(by_state),
    }
}

/// RFC 3463 section 3.2, RFC 7505 section 4
fn exit_of_refusal(enhanced: EnhancedCode) -> Exit {
    match (enhanced.subject, enhanced.detail) {
        (1, 1 | 3 | 6) => Exit::NoUser,
        (1, 2 | 10) => Exit::NoHost,
        _ => Exit::Rejected,
    }
}

/// The recipients that decide: not those that were spared on account of the others.
fn decisive(outcome: &Outcome) -> impl Iterator<Item = &RecipientOutcome> + Clone {
    let spared = |recipient: &RecipientOutcome| {
        recipient.error().is_some_and(|error| error.code() == ErrorCode::CancelledAllOrNothing)
    };
    outcome.recipients.iter().filter(move |recipient| !spared(recipient))
}

/// What is said of a message that was not accepted for everybody, a sentence a line.
pub(crate) fn sentences(outcome: &Outcome) -> Vec<String> {
    let mut sentences: Vec<_> =
        complaints(outcome).map(|(whose, error)| format!("{whose}{error} [{}]", error.code())).collect();
    let (accepted, others) = parted(outcome);
    if !sentences.is_empty() && !accepted.is_empty() {
        sentences.push(format!("{} got it; {} did not.", accepted.join(", "), others.join(", ")));
    }
    match exit(outcome) {
        Exit::Success => {}
        Exit::Doubtful => sentences.push("Nothing is kept here, and to send it again may send it twice.".to_owned()),
        _ if outcome.recipients.iter().any(|recipient| recipient.state == State::Deferred) => {
            sentences.push("Nobody got it, and nothing is kept here: send it again later.".to_owned());
        }
        _ => {}
    }
    sentences
}

/// Who got it for certain, and who else was to get it.
fn parted(outcome: &Outcome) -> (Vec<String>, Vec<String>) {
    let (mut accepted, mut others) = (Vec::new(), Vec::new());
    for (recipient, asked) in outcome.recipients.iter().zip(&outcome.envelope.recipients) {
        let side = if recipient.state == State::Accepted { &mut accepted } else { &mut others };
        side.push(asked.path.to_string());
    }
    (accepted, others)
}

/// What a client of `-bs` is told: one reply for all recipients, and that of the worst where they differ.
pub(crate) fn answer(outcome: &Outcome) -> Answer {
    let states: Vec<_> = decisive(outcome).map(|recipient| recipient.state).collect();
    let all = |state| states.iter().all(|it| *it == state);
    if all(State::Accepted) {
        let queued = outcome.queue_id().map_or_else(String::new, |id| format!(", queued as {id}"));
        return Answer::Reply(reply(250, (0, 0), &format!("Ok: the relay has accepted it{queued}")));
    }
    let temporary = !states.iter().all(|state| matches!(state, State::Accepted | State::Rejected));
    let usual = if temporary { (451, 450..=452) } else { (554, 550..=554) };
    if (all(State::Rejected) || all(State::Deferred))
        && let Some(reply) = decisive(outcome).find_map(|recipient| recipient.reply.clone())
        && usual.1.contains(&reply.code().as_u16())
    {
        return Answer::Reply(reply);
    }
    let whys = complaints(outcome).map(|(whose, error)| format!("{whose}{error}"));
    let mut text = whys.collect::<Vec<_>>().join("\n");
    let (accepted, others) = parted(outcome);
    if !accepted.is_empty() {
        text.push_str(&format!("\nAccepted for {}, not for {}", accepted.join(", "), others.join(", ")));
    }
    let enhanced = if states.contains(&State::Unknown) { (4, 2) } else { (4, 0) };
    Answer::Reply(reply(usual.0, enhanced, &text))
}

/// The reply after an error that kept the message from being sent at all.
pub(crate) fn refusal(error: &Error) -> Reply {
    reply(554, (6, 0), &error.to_string())
}

/// The reply where this machine has failed.
pub(crate) fn failure(error: &Error) -> Reply {
    reply(451, (3, 0), &error.to_string())
}

fn reply(code: u16, (subject, detail): (u16, u16), text: &str) -> Reply {
    let class = u8::try_from(code / 100).unwrap_or(4);
    let code = ReplyCode::new(code).expect("only codes are written here");
    Reply::new(code, Some(EnhancedCode { class, subject, detail }), text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use okuru::{Envelope, MailParameters, MessageId, Progress, Recipient};
    use okuru_core::syntax::Mailbox;

    fn outcome(recipients: Vec<RecipientOutcome>) -> Outcome {
        let to = (0..recipients.len()).map(|number| format!("{number}@b.test").parse::<Mailbox>().unwrap());
        let envelope = Envelope {
            reverse_path: okuru::ReversePath::Null,
            parameters: MailParameters::default(),
            recipients: to.map(|mailbox| Recipient { path: mailbox.into(), parameters: Default::default() }).collect(),
        };
        Outcome {
            message: MessageId(0),
            envelope: Arc::new(envelope),
            recipients,
            reply: None,
            error: None,
            progress: Progress::Sent,
            round_trips: 1,
        }
    }

    fn replied(state: State, text: &str) -> RecipientOutcome {
        RecipientOutcome::new(state, Some(Reply::parse(format!("{text}\r\n").as_bytes()).unwrap()), None)
    }

    fn failed(state: State, code: ErrorCode) -> RecipientOutcome {
        RecipientOutcome::new(state, None, Some(Error::new(code, "x")))
    }

    fn accepted() -> RecipientOutcome {
        replied(State::Accepted, "250 2.1.5 Ok")
    }

    /// The first words of the reply.
    fn answered(outcome: &Outcome) -> String {
        match answer(outcome) {
            Answer::Reply(reply) => String::from_utf8_lossy(reply.raw()).into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_outcome_has_its_status_and_its_reply() {
        use State::{Deferred, Rejected, Unknown};
        let no_user = || replied(Rejected, "550 5.1.1 nobody");
        let later = || replied(Deferred, "450 4.2.1 later");
        let lost = || failed(Unknown, ErrorCode::ConnectLost);
        for (recipients, status, reply) in [
            (vec![accepted()], 0, "250 2.0.0 Ok: the relay has accepted it\r\n"),
            (vec![accepted(), accepted()], 0, "250 2.0.0"),
            (vec![no_user()], 67, "550 5.1.1 nobody\r\n"),
            (vec![no_user(), accepted()], 67, "554-5.4.0 <0@b.test>: the server said: 550 5.1.1 nobody"),
            (vec![replied(Rejected, "550 5.1.2 no such domain")], 68, "550 5.1.2"),
            (vec![replied(Rejected, "552 5.3.4 too large")], 69, "552 5.3.4"),
            (vec![replied(Rejected, "550 no")], 69, "550 no\r\n"),
            (vec![replied(Rejected, "530 5.7.0 who?")], 77, "554 5.4.0"),
            (vec![failed(Rejected, ErrorCode::AuthRefused)], 77, "554 5.4.0"),
            (vec![failed(Rejected, ErrorCode::MessageTooLarge)], 69, "554 5.4.0"),
            (vec![failed(Rejected, ErrorCode::MessageBareNewline)], 65, "554 5.4.0"),
            (vec![failed(Rejected, ErrorCode::DnsNoSuchHost)], 68, "554 5.4.0"),
            (vec![failed(Rejected, ErrorCode::DnsNullMx)], 68, "554 5.4.0"),
            (vec![later()], 75, "450 4.2.1 later\r\n"),
            (vec![later(), no_user()], 75, "451-4.4.0"),
            (vec![later(), accepted()], 74, "451-4.4.0"),
            (vec![replied(Deferred, "421 4.3.2 closing")], 75, "451 4.4.0"),
            (vec![failed(Deferred, ErrorCode::ConnectRefused)], 75, "451 4.4.0"),
            (vec![failed(Deferred, ErrorCode::TlsCertificate)], 76, "451 4.4.0"),
            (vec![failed(Deferred, ErrorCode::TlsConfiguration)], 78, "451 4.4.0"),
            (vec![failed(Deferred, ErrorCode::Cancelled)], 70, "451 4.4.0"),
            (vec![failed(Deferred, ErrorCode::CancelledAllOrNothing), no_user()], 67, "550 5.1.1 nobody\r\n"),
            (vec![lost()], 74, "451 4.4.2"),
            (vec![lost(), no_user(), accepted()], 74, "451-4.4.2"),
        ] {
            let outcome = outcome(recipients);
            assert_eq!(exit(&outcome).status(), status, "{outcome:?}");
            let answered = answered(&outcome);
            assert!(answered.starts_with(reply), "{answered}");
            let sentences = sentences(&outcome);
            assert_eq!(sentences.is_empty(), status == 0, "{sentences:?}");
            assert_eq!(status == 74, sentences.iter().any(|it| it.contains("may send it twice")), "{sentences:?}");
        }
    }

    #[test]
    fn the_order_is_that_of_the_help() {
        use Exit::{
            Authentication, BadMessage, Configuration, NoHost, NoUser, Protocol, Rejected, Software, Unfinished,
        };
        let order =
            [Rejected, NoUser, BadMessage, Unfinished, NoHost, Protocol, Authentication, Configuration, Software];
        assert!(order.is_sorted());
        assert_eq!(order.map(Exit::status), [69, 67, 65, 75, 68, 76, 77, 78, 70]);
    }

    #[test]
    fn who_got_it_is_told() {
        let outcome = outcome(vec![accepted(), replied(State::Rejected, "550 5.1.1 nobody")]);
        assert_eq!(sentences(&outcome).last().unwrap(), "<0@b.test> got it; <1@b.test> did not.");
        assert!(answered(&outcome).ends_with("554 5.4.0 Accepted for <0@b.test>, not for <1@b.test>\r\n"));
    }
}
