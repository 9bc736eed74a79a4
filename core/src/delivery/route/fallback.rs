//! Whether what failed directly may go by a relay.
//!
//! A relay helps where it is we who are not welcome, or where nobody can be reached from here. It does not help, and is asked
//! for nothing, where the recipient or the message is what is refused; and it must not be used where the message may have
//! been delivered already.

use super::resolution::Verdict;
use crate::client::{Outcome, RecipientOutcome, State};
use crate::error::{Error, ErrorCode, Step};
use crate::syntax::{EnhancedCode, Reply, Severity};

impl Verdict {
    /// Whether a relay may take a message for a domain with this verdict: where it is only our own look-ups that fail.
    pub fn relay_may_help(&self) -> bool {
        matches!(self, Self::Temporary)
    }
}

/// Whether a relay may take the message for this recipient of `outcome`, which was a direct delivery.
///
/// Yes, if the server could not be reached, or refused the connection, or refused us as a sender by policy; see
/// [`relay_may_help`].
pub fn relay_may_take(outcome: &Outcome, recipient: usize) -> bool {
    let Some(it) = outcome.recipients.get(recipient) else {
        return false;
    };
    relay_may_help(it, step(outcome, it))
}

/// The same for one recipient, and the step at which it ended, as far as that is known.
///
/// - `accepted` and `unknown`: never.
/// - An error without a reply: if the server could not be reached, did not answer in time or closed the connection. Not where the
///   connection was not safe enough, since a way round that would not be what the user asked for.
/// - A reply to the opening of the session: any 4yz and 5yz.
/// - A reply to MAIL: 5yz, unless the enhanced code says that it is about something else than policy.
/// - A reply to RCPT: 5yz with an enhanced code that is about policy. Most lists of refused clients are asked at RCPT.
/// - A reply to DATA or the content: 5yz with one that is about who may send from where (SPF, DKIM, reverse DNS; RFC 7372).
/// - 4yz to anything but the opening: no. It is greylisting as a rule, and ends by itself.
pub fn relay_may_help(recipient: &RecipientOutcome, step: Option<Step>) -> bool {
    match (recipient.state, &recipient.reply) {
        (State::Accepted | State::Unknown, _) => false,
        (State::Deferred | State::Rejected, Some(reply)) => is_refusal_of_us(reply, step),
        (State::Deferred, None) => recipient.error().is_some_and(|error| is_unreachable(&error)),
        (State::Rejected, None) => false,
    }
}

fn step(outcome: &Outcome, recipient: &RecipientOutcome) -> Option<Step> {
    if recipient.reply.is_some() && recipient.reply != outcome.reply {
        return Some(Step::Rcpt);
    }
    outcome.error.as_ref().and_then(Error::step)
}

fn is_unreachable(error: &Error) -> bool {
    match error.code() {
        ErrorCode::TimeoutDeadline => false,
        ErrorCode::ProtocolClosed | ErrorCode::DnsTemporary => true,
        code => matches!(code.family(), "connect" | "timeout"),
    }
}

fn is_refusal_of_us(reply: &Reply, step: Option<Step>) -> bool {
    let permanent = reply.severity() == Severity::Permanent;
    let enhanced = reply.enhanced();
    match step {
        Some(Step::Connect | Step::Greeting | Step::Ehlo) => true,
        Some(Step::Mail) => permanent && enhanced.is_none_or(is_policy) && !is_about_the_message(reply),
        Some(Step::Rcpt) => permanent && enhanced.is_some_and(is_policy),
        Some(Step::Data | Step::Content | Step::EndOfContent) => permanent && enhanced.is_some_and(is_sender_policy),
        _ => false,
    }
}

/// RFC 3463 §3.8. Not: that the recipient's list takes mail only from its members (X.7.2), or that the message is not encrypted as it
/// should be (X.7.3 to X.7.7, X.7.30). Details beyond 100 are not registered; those that large providers have made up (5.7.606 and
/// others) say that our address or domain is blocked.
fn is_policy(code: EnhancedCode) -> bool {
    code.subject == 7 && (matches!(code.detail, 0 | 1) || code.detail > 100) || is_sender_policy(code)
}

/// RFC 7372 §3, but for X.7.27: a sender who takes no mail stays so.
fn is_sender_policy(code: EnhancedCode) -> bool {
    code.subject == 7 && matches!(code.detail, 20..=26)
}

/// RFC 5321 §4.2.3: storage, and parameters that are not known.
fn is_about_the_message(reply: &Reply) -> bool {
    matches!(reply.code().as_u16(), 500..=504 | 552 | 555)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::delivery::dialogue::{HELLO, outcome};

    fn both(outcome: &Outcome) -> Vec<bool> {
        (0..2).map(|recipient| relay_may_take(outcome, recipient)).collect()
    }

    #[test]
    fn known_answers() {
        for (replies, error, expected) in [
            // Unreachable.
            (&[][..], Some(ErrorCode::ConnectRefused), [true, true]),
            (&[], Some(ErrorCode::ConnectUnreachable), [true, true]),
            (&[], Some(ErrorCode::TimeoutConnect), [true, true]),
            (&[], Some(ErrorCode::DnsTemporary), [true, true]),
            (&[], Some(ErrorCode::TlsCertificate), [false, false]),
            (&[], Some(ErrorCode::SecurityTlsStripped), [false, false]),
            (&[], Some(ErrorCode::Cancelled), [false, false]),
            (&[], Some(ErrorCode::TimeoutDeadline), [false, false]),
            (&[], None, [true, true]),
            (&HELLO, None, [true, true]),
            // Refused at the connection.
            (&["554 5.7.1 you are on a list\r\n"], None, [true, true]),
            (&["421 4.3.2 later\r\n"], None, [true, true]),
            (&["220 hi\r\n", "550 no\r\n"], None, [true, true]),
        ] {
            let outcome = outcome(replies, error.map(|code| Error::new(code, "it failed")));
            assert_eq!(both(&outcome), expected, "{replies:?} {error:?}");
        }
        for (replies, expected) in [
            // MAIL, both RCPT, DATA.
            ("550 5.7.1 no\r\n503 x\r\n503 x\r\n503 x\r\n", [true, true]),
            ("550 no\r\n503 x\r\n503 x\r\n503 x\r\n", [true, true]),
            ("550 5.1.8 no such domain\r\n503 x\r\n503 x\r\n503 x\r\n", [false, false]),
            ("550 5.7.27 takes no mail\r\n503 x\r\n503 x\r\n503 x\r\n", [false, false]),
            ("552 5.3.4 too large\r\n503 x\r\n503 x\r\n503 x\r\n", [false, false]),
            ("501 syntax\r\n503 x\r\n503 x\r\n503 x\r\n", [false, false]),
            ("450 4.7.1 greylisted\r\n503 x\r\n503 x\r\n503 x\r\n", [false, false]),
            ("250 ok\r\n550 5.7.1 list\r\n550 5.1.1 who\r\n554 x\r\n", [true, false]),
            ("250 ok\r\n550 5.7.606 banned\r\n550 5.7.2 members only\r\n554 x\r\n", [true, false]),
            ("250 ok\r\n450 4.7.1 greylisted\r\n550 who\r\n554 x\r\n", [false, false]),
            ("250 ok\r\n250 ok\r\n250 ok\r\n554 5.7.1 virus\r\n", [false, false]),
            ("250 ok\r\n250 ok\r\n250 ok\r\n550 5.7.25 no reverse DNS\r\n", [true, true]),
        ] {
            let outcome = outcome(&[HELLO[0], HELLO[1], replies], None);
            assert_eq!(both(&outcome), expected, "{replies}");
            assert!(!relay_may_take(&outcome, 2));
        }
        for (end, expected) in [
            ("250 2.0.0 ok\r\n", [false, true]),
            ("550 5.7.23 SPF\r\n", [true, true]),
            ("550 5.7.1 spam\r\n", [false, true]),
            ("", [false, true]),
        ] {
            let envelope = "250 ok\r\n250 ok\r\n550 5.7.1 list\r\n354 go\r\n";
            let replies = [HELLO[0], HELLO[1], envelope, end];
            let replies = if end.is_empty() { &replies[..3] } else { &replies };
            assert_eq!(both(&outcome(replies, None)), expected, "{end}");
        }
    }

    #[test]
    fn only_our_own_look_ups_are_a_reason() {
        assert!(Verdict::Temporary.relay_may_help());
        for verdict in
            [Verdict::NullMx, Verdict::NoSuchDomain, Verdict::Loop, Verdict::Invalid, Verdict::Hosts([].into())]
        {
            assert!(!verdict.relay_may_help());
        }
    }
}
