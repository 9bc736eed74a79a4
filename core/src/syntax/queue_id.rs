//! The queue id, in the words of the servers that are common today.

use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_until, take_while1};
use nom::character::complete::{digit1, space0, space1};
use nom::combinator::{eof, map_opt, opt, recognize, rest, verify};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

/// The id in the text of one line, without its enhanced code.
pub(super) fn find(text: &[u8]) -> Option<&str> {
    let text = core::str::from_utf8(text).ok()?.trim_ascii();
    let forms = (postfix, exim, sendmail, qmail, exchange, google, dovecot, haraka, amazon);
    alt(forms).parse(text).ok().map(|(_, id)| id)
}

type Found<'a> = IResult<&'a str, &'a str>;

/// Postfix: `Ok: queued as 4XkzQ83Yfxz1Z`, also handed on by a content filter:
/// `from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4XkzQ83Yfxz1Z`.
fn postfix(text: &str) -> Found<'_> {
    preceded((take_until("queued as "), tag("queued as ")), terminated(id, eof)).parse(text)
}

/// Exim: `OK id=1tBcDe-00000001Xyz-0aBc`.
fn exim(text: &str) -> Found<'_> {
    preceded(tag("OK id="), terminated(id, eof)).parse(text)
}

/// Sendmail: `4AH0xM1b012345 Message accepted for delivery`. OpenSMTPD: `1a2b3c4d Message accepted for delivery`.
fn sendmail(text: &str) -> Found<'_> {
    terminated(id, (space1, tag("Message accepted for delivery"))).parse(text)
}

/// qmail: `ok 1731801600 qp 12345`. The time and the process number make the id together.
fn qmail(text: &str) -> Found<'_> {
    preceded(tag("ok "), terminated(recognize((digit1, tag(" qp "), digit1)), eof)).parse(text)
}

/// Exchange: `<id@host> [InternalId=12345, Hostname=mail.example] 1234 bytes in 0.1, 10 KB/sec Queued mail for delivery`.
/// Old ones say just `<id@host> Queued mail for delivery`: the message id is all there is.
fn exchange(text: &str) -> Found<'_> {
    let message_id = delimited(tag("<"), take_while1(|c: char| is_id(c) && c != '>'), (tag(">"), space0));
    let internal_id = delimited(tag("[InternalId="), digit1, (take_until("]"), tag("]"), space0));
    let found = (message_id, opt(internal_id), verify(rest, |rest: &str| rest.ends_with("Queued mail for delivery")));
    nom::combinator::map(found, |(message_id, internal_id, _)| internal_id.unwrap_or(message_id)).parse(text)
}

/// Gmail: `OK  1731801600 d9443c01a7336-211d0f36b4csm12345ad.10 - gsmtp`.
fn google(text: &str) -> Found<'_> {
    delimited((tag("OK"), space1, digit1, space1), id, (tag(" - gsmtp"), eof)).parse(text)
}

/// Dovecot, over LMTP: `<user@example.com> 8KLfBxk2ZGX+HwAAuVP1Ag Saved`.
fn dovecot(text: &str) -> Found<'_> {
    let recipient = (tag("<"), take_until("> "), tag("> "));
    delimited(recipient, id, (tag(" Saved"), eof)).parse(text)
}

/// Haraka: `Message Queued (8E2B7D5C-3A4F-4C11-9D0E-5B6A7C8D9E0F.1)`. hMailServer puts seconds in such brackets.
fn haraka(text: &str) -> Found<'_> {
    let uuid =
        verify(take_while1(|c: char| c.is_ascii_hexdigit() || c == '-' || c == '.'), |id: &str| id.contains('-'));
    delimited(tag_no_case("Message Queued ("), uuid, (tag(")"), eof)).parse(text)
}

/// Amazon SES: `Ok 0102018f0a1b2c3d-12345678-9abc-def0-1234-56789abcdef0-000000`.
fn amazon(text: &str) -> Found<'_> {
    let hexadecimal = take_while1(|c: char| c.is_ascii_hexdigit() || c == '-');
    let id = map_opt(terminated(hexadecimal, eof), |id: &str| (id.len() >= 32 && id.contains('-')).then_some(id));
    preceded(tag("Ok "), id).parse(text)
}

/// One word, not longer than any server makes it.
fn id(text: &str) -> Found<'_> {
    const LONGEST: usize = 128;
    verify(take_while1(is_id), |id: &str| id.len() <= LONGEST).parse(text)
}

fn is_id(c: char) -> bool {
    c.is_ascii_graphic()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for (text, id) in [
            ("Ok: queued as 4XkzQ83Yfxz1Z", "4XkzQ83Yfxz1Z"),
            (" Ok: queued as 4XkzQ83Yfxz1Z ", "4XkzQ83Yfxz1Z"),
            ("from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 9F2C41234", "9F2C41234"),
            ("OK id=1tBcDe-00000001Xyz-0aBc", "1tBcDe-00000001Xyz-0aBc"),
            ("4AH0xM1b012345 Message accepted for delivery", "4AH0xM1b012345"),
            ("1a2b3c4d Message accepted for delivery", "1a2b3c4d"),
            ("ok 1731801600 qp 12345", "1731801600 qp 12345"),
            (
                "<a@b.example> [InternalId=8585216, Hostname=m.example] 9 bytes in 0.1, 7 KB/sec Queued mail for delivery",
                "8585216",
            ),
            ("<a@b.example> Queued mail for delivery", "a@b.example"),
            ("OK  1731801600 d9443c01a7336-211d0f36b4csm12345ad.10 - gsmtp", "d9443c01a7336-211d0f36b4csm12345ad.10"),
            ("<user@example.com> 8KLfBxk2ZGX+HwAAuVP1Ag Saved", "8KLfBxk2ZGX+HwAAuVP1Ag"),
            ("Message Queued (8E2B7D5C-3A4F-4C11-9D0E-5B6A7C8D9E0F.1)", "8E2B7D5C-3A4F-4C11-9D0E-5B6A7C8D9E0F.1"),
            (
                "Ok 0102018f0a1b2c3d-12345678-9abc-def0-1234-56789abcdef0-000000",
                "0102018f0a1b2c3d-12345678-9abc-def0-1234-56789abcdef0-000000",
            ),
        ] {
            assert_eq!(find(text.as_bytes()), Some(id), "{text}");
        }
    }

    #[test]
    fn nothing_is_guessed() {
        for text in [
            "",
            "Ok",
            "OK: message queued",
            "Queued (0.045 seconds)",
            "Message Queued (0.045)",
            "Ok: queued as ",
            "Ok: queued as one of many",
            "Message accepted for delivery",
            "Ok deadbeef",
            "ok 1731801600 qp ",
            "<user@example.com> Saved",
            "Recipient ok",
        ] {
            assert_eq!(find(text.as_bytes()), None, "{text}");
        }
        assert_eq!(find(b"Ok: queued as \xff"), None);
    }
}
