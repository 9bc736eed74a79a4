//! What a refusing reply is about, beyond its first digit.

use alloc::string::String;

use crate::client::{Outcome, RecipientOutcome, State};
use crate::error::Step;
use crate::syntax::{Reply, Severity};

/// Whether the server says that it is too much at a time: 421, or a 4yz that says so in its enhanced code or its words.
///
/// RFC 3463: X.3.2 the system is not accepting messages, X.4.5 congestion; X.7.28 is the registry's mail flood.
pub(super) fn is_too_much(reply: &Reply) -> bool {
    if reply.severity() != Severity::Transient {
        return false;
    }
    if reply.code() == 421 {
        return true;
    }
    let enhanced = reply.enhanced().map(|code| (code.subject, code.detail));
    if matches!(enhanced, Some((3, 2) | (4, 5) | (7, 28))) {
        return true;
    }
    let text = words(reply);
    // "Too many recipients" is about the message.
    let too_many = text.contains("too many") && !text.contains("recipients");
    too_many || ["rate limit", "ratelimit", "throttl", "too fast", "slow down"].iter().any(|word| text.contains(word))
}

/// Whether the server wants to see the sender come back (RFC 6647): 450 or 451 to RCPT or the content, and no other reason
/// that is known.
pub(super) fn is_greylisting(recipient: &RecipientOutcome) -> bool {
    let Some(reply) = recipient.reply.as_ref().filter(|_| recipient.state == State::Deferred) else {
        return false;
    };
    if !matches!(reply.code().as_u16(), 450 | 451) || is_too_much(reply) {
        return false;
    }
    let text = words(reply);
    let says_so =
        ["greylist", "graylist", "grey list", "gray list", "try again later"].iter().any(|it| text.contains(it));
    says_so || matches!(reply.enhanced().map(|code| (code.subject, code.detail)), Some((7, 1)))
}

/// Whether the sender was refused by policy, before the content (X.7.X): another sender may be let through.
pub(super) fn is_by_policy(outcome: &Outcome, recipient: &RecipientOutcome) -> bool {
    let after_content =
        matches!(outcome.error.as_ref().and_then(crate::Error::step), Some(Step::Content | Step::EndOfContent));
    let policy = recipient.reply.as_ref().and_then(Reply::enhanced).is_some_and(|code| code.subject == 7);
    recipient.state == State::Rejected && policy && !after_content
}

fn words(reply: &Reply) -> String {
    reply.text().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_is_told_from_other_reasons() {
        for (reply, expected) in [
            ("421 4.7.0 Try again later, closing connection", true),
            ("450 4.7.1 Error: too many connections from 192.0.2.1", true),
            ("451 4.7.500 Server busy. Please try again later: throttled", true),
            ("450 4.2.1 The user you are trying to contact is receiving mail too fast", true),
            ("450-4.7.28 Our system has detected an unusual rate\r\n450 4.7.28 of mail", true),
            ("452 4.3.2 Please slow down", true),
            ("452 4.5.3 Too many recipients", false),
            ("450 4.2.0 Greylisted, try again in 300 seconds", false),
            ("451 4.3.0 Temporary lookup failure", false),
            ("550 5.7.1 Too many connections", false),
            ("250 2.0.0 Too many", false),
        ] {
            let reply = Reply::parse(alloc::format!("{reply}\r\n").as_bytes()).unwrap();
            assert_eq!(is_too_much(&reply), expected, "{reply}");
        }
    }
}
