use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{anychar, none_of};
use nom::combinator::recognize;
use nom::multi::{many0_count, separated_list1};
use nom::sequence::{delimited, preceded, terminated};

use super::Mailbox;
use super::fault::{Fault, Parsed, explain};
use super::mailbox::{is_atext, is_dot_string, mailbox, quote};
use crate::Error;

/// The mailboxes in the body of a field such as To (RFC 5322 section 3.4, RFC 6532) in their order, those in groups among
/// them. Display names, comments and the names of groups are read and let go.
///
/// Leniency, besides that of [`Mailbox`]: what section 4.4 wants receivers to take (routes, empty elements, dots in display
/// names, comments and blanks around each dot and @); a semicolon between addresses, which users of Outlook are used to; an
/// address as a display name without quotes (`a@b.c <a@b.c>`), which Outlook itself writes; brackets there, in which
/// mailing lists put their name.
///
/// # Errors
///
/// `address.syntax` or `address.too_long`, with the element that is no address.
pub fn mailboxes_in(list: &str) -> Result<Vec<Mailbox>, Error> {
    let mut mailboxes = Vec::new();
    let mut group = None;
    let mut rest = list;
    loop {
        rest = cfws(rest).map_err(|fault| about(rest, &fault))?.0;
        let element = rest;
        rest = match rest.chars().next() {
            None => break,
            Some(',') => rest.strip_prefix(',').unwrap_or_default(),
            Some(';') => {
                group = None;
                rest.strip_prefix(';').unwrap_or_default()
            }
            Some(_) => match group_start(rest) {
                Ok(_) if group.is_some() => {
                    return Err(about(rest, &Fault::syntax("begins a group within a group")));
                }
                Ok((rest, _)) => {
                    group = Some(element);
                    rest
                }
                Err(_) => {
                    let (rest, mailbox) = address(rest).map_err(|fault| about(element, &fault))?;
                    mailboxes.push(mailbox);
                    rest
                }
            },
        };
    }
    match group {
        None => Ok(mailboxes),
        Some(group) => Err(about(group, &Fault::syntax("begins a group that does not end"))),
    }
}

/// What is wrong with the element at the front of `rest`.
fn about(rest: &str, fault: &nom::Err<Fault>) -> Error {
    let end = rest.find([',', ';']).unwrap_or(rest.len());
    explain(fault, "address", rest.get(..end).unwrap_or(rest).trim())
}

// RFC 5322 sections 3.4 and 4.4
//
//   address-list =  (address *("," address)) / obs-addr-list
//   address      =  mailbox / group
//   mailbox      =  name-addr / addr-spec
//   name-addr    =  [display-name] angle-addr
//   group        =  display-name ":" [group-list] ";" [CFWS]

/// The name of a group and its colon.
fn group_start(input: &str) -> Parsed<'_, &str> {
    let word = take_while1(|c| is_atext(c) || c == '.');
    let phrase = recognize(many0_count(alt((quoted_string, comment, blank, word))));
    terminated(phrase, tag(":")).parse(input)
}

/// A mailbox, up to a comma, a semicolon or the end.
fn address(input: &str) -> Parsed<'_, Mailbox> {
    let (rest, mailbox) = match terminated(display_name, tag("<")).parse(input) {
        Ok((rest, _)) => angle_addr(rest)?,
        Err(_) => addr_spec(input)?,
    };
    let (after, _) = cfws(rest)?;
    match after.chars().next() {
        None | Some(',' | ';') => Ok((after, mailbox)),
        Some(_) => Err(Fault::unexpected(rest, "has an angle bracket without its partner")),
    }
}

// RFC 5322 sections 3.4 and 4.4
//
//   angle-addr      =  [CFWS] "<" addr-spec ">" [CFWS] / obs-angle-addr
//   obs-angle-addr  =  [CFWS] "<" obs-route addr-spec ">" [CFWS]

/// What stands behind the angle bracket that opens.
fn angle_addr(input: &str) -> Parsed<'_, Mailbox> {
    let (rest, mailbox) = preceded(route, addr_spec).parse(input)?;
    match cfws(rest)?.0.strip_prefix('>') {
        Some(rest) => Ok((rest, mailbox)),
        None => Err(Fault::unexpected(rest, "has no closing angle bracket")),
    }
}

// RFC 5322 sections 3.2.5 and 4.1, RFC 2047 section 2
//
//   display-name = phrase
//   phrase       = 1*word / obs-phrase
//   obs-phrase   = word *(word / "." / CFWS)
//   encoded-word = "=?" charset "?" encoding "?" encoded-text "?="
//
// An encoded word is known as such, since some mailers leave commas and the like in it.

fn display_name(input: &str) -> Parsed<'_, &str> {
    let word = take_while1(|c| !is_blank(c) && !matches!(c, '"' | '(' | ')' | ',' | ':' | ';' | '<' | '>' | '\\'));
    recognize(many0_count(alt((encoded_word, quoted_string, comment, blank, word)))).parse(input)
}

fn encoded_word(input: &str) -> Parsed<'_, &str> {
    let part = || take_while(|c| !is_blank(c) && c != '?');
    recognize((tag("=?"), part(), tag("?"), part(), tag("?"), part(), tag("?="))).parse(input)
}

// RFC 5322 section 4.4
//
//   obs-route       = obs-domain-list ":"
//   obs-domain-list = *(CFWS / ",") "@" domain *("," [CFWS] ["@" domain])

/// A route in front of an address, which nobody follows any more.
fn route(input: &str) -> Parsed<'_, ()> {
    let hop = delimited(cfws, preceded(tag("@"), domain), cfws);
    match terminated(separated_list1(tag(","), hop), tag(":")).parse(input) {
        Ok((rest, _)) => Ok((rest, ())),
        Err(_) => Ok((input, ())),
    }
}

// RFC 5322 sections 3.4.1 and 4.4
//
//   addr-spec      = local-part "@" domain
//   local-part     = dot-atom / quoted-string / obs-local-part
//   obs-local-part = word *("." word)
//   domain         = dot-atom / domain-literal / obs-domain
//   obs-domain     = atom *("." atom)

/// An address, and what may stand behind it.
fn addr_spec(input: &str) -> Parsed<'_, Mailbox> {
    let (input, _) = cfws(input)?;
    let (rest, local_part) = local_part(input)?;
    let (after, _) = cfws(rest)?;
    let Some(after) = after.strip_prefix('@') else {
        let misplaced = !after.is_empty() && !after.starts_with([',', ';', '>']);
        return Err(Fault::unexpected(if misplaced { rest } else { "" }, "has no @"));
    };
    let (rest, domain) = domain(after)?;
    let text = format!("{local_part}@{domain}");
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(Fault::syntax("is not UTF-8"));
    }
    match mailbox(&text) {
        Ok(("", mailbox)) => Ok((rest, mailbox)),
        Ok((left, _)) => Err(Fault::unexpected(left, "is malformed")),
        Err(fault) => Err(fault),
    }
}

/// A local part with quotes if it has to have them.
fn local_part(input: &str) -> Parsed<'_, String> {
    let mut content = String::new();
    let mut rest = input;
    loop {
        if let Ok((behind, word)) = take_while1::<_, _, Fault>(is_atext).parse(rest) {
            content.push_str(word);
            rest = behind;
        } else if let Ok((behind, quoted)) = quoted_string(rest) {
            content.extend(unquoted(quoted));
            rest = behind;
        }
        match delimited(cfws, tag("."), cfws).parse(rest) {
            Ok((behind, dot)) => {
                content.push_str(dot);
                rest = behind;
            }
            Err(_) => break,
        }
    }
    if content.chars().any(char::is_control) {
        return Err(Fault::syntax("holds a control character"));
    }
    let nothing = rest.len() == input.len();
    Ok((rest, if nothing || is_dot_string(&content) { content } else { quote(&content) }))
}

fn domain(input: &str) -> Parsed<'_, String> {
    let (input, _) = cfws(input)?;
    let literal = recognize(delimited(tag("["), take_while(|c| !matches!(c, '[' | ']')), tag("]")));
    let literal = literal.map(|text: &str| text.chars().filter(|&c| !is_blank(c)).collect());
    let name = separated_list1(delimited(cfws, tag("."), cfws), take_while(is_atext));
    alt((literal, name.map(|labels: Vec<&str>| labels.join(".")))).parse(input)
}

// RFC 5322 sections 3.2.1, 3.2.2 and 3.2.4
//
//   quoted-string = [CFWS] DQUOTE *([FWS] qcontent) [FWS] DQUOTE [CFWS]
//   qcontent      = qtext / quoted-pair
//   quoted-pair   = "\" (VCHAR / WSP)
//   CFWS          = (1*([FWS] comment) [FWS]) / FWS
//   comment       = "(" *([FWS] ccontent) [FWS] ")"
//   ccontent      = ctext / quoted-pair / comment

/// A quoted string with its quotes.
fn quoted_string(input: &str) -> Parsed<'_, &str> {
    let pair = recognize(preceded(tag("\\"), anychar));
    let text = recognize(none_of("\"\\"));
    recognize(delimited(tag("\""), many0_count(alt((text, pair))), tag("\""))).parse(input)
}

/// The content of a quoted string; the line ends by which it was folded are none of it.
fn unquoted(quoted: &str) -> impl Iterator<Item = char> {
    let mut escaped = false;
    quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().chars().filter(move |&c| {
        escaped = c == '\\' && !escaped;
        !escaped && !matches!(c, '\r' | '\n')
    })
}

/// Comments and blanks, if there are any.
fn cfws(input: &str) -> Parsed<'_, ()> {
    let mut rest = input;
    loop {
        rest = rest.trim_start_matches(is_blank);
        if !rest.starts_with('(') {
            return Ok((rest, ()));
        }
        rest = comment(rest)?.0;
    }
}

/// A comment with its parentheses. Comments in it are counted, not descended into, so that none is too deep.
fn comment(input: &str) -> Parsed<'_, &str> {
    let mut depth = 0_usize;
    let mut escaped = false;
    for (at, c) in input.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return match input.split_at_checked(at + c.len_utf8()) {
                Some((comment, rest)) if at > 0 => Ok((rest, comment)),
                _ => Err(Fault::unexpected(input, "is malformed")),
            };
        }
    }
    Err(Fault::syntax("has a comment that does not end"))
}

fn blank(input: &str) -> Parsed<'_, &str> {
    take_while1(is_blank).parse(input)
}

/// Line ends stand here only where the field was folded.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    fn parse(list: &str) -> Vec<String> {
        mailboxes_in(list)
            .unwrap_or_else(|error| panic!("{list:?}: {error}"))
            .iter()
            .map(|it| it.as_str().into())
            .collect()
    }

    /// From RFC 5322 appendix A, but for the "@" in a comment.
    #[test]
    fn examples_of_the_rfc() {
        for (list, expected) in [
            ("John Doe <jdoe@machine.example>", &["jdoe@machine.example"][..]),
            (r#""Joe Q. Public" <john.q.public@example.com>"#, &["john.q.public@example.com"]),
            (
                "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
                &["mary@x.test", "jdoe@example.org", "one@y.test"],
            ),
            (
                r#"<boss@nil.test>, "Giant; \"Big\" Box" <sysservices@example.net>"#,
                &["boss@nil.test", "sysservices@example.net"],
            ),
            (
                "A Group:Ed Jones <joe@where.test>,joe@where.test,John <jdoe@one.test>;",
                &["joe@where.test", "joe@where.test", "jdoe@one.test"],
            ),
            ("Undisclosed recipients:;", &[]),
            (r"Pete(A nice \) chap) <pete(his account)@silly.test(his host)>", &["pete@silly.test"]),
            (
                "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n         joe@example.org,\r\n  \
                 John <jdoe@one.test> (my dear friend); (the end of the group)",
                &["c@public.example", "joe@example.org", "jdoe@one.test"],
            ),
            ("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", &[]),
            ("Joe Q. Public <john.q.public@example.com>", &["john.q.public@example.com"]),
            (
                "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
                &["mary@example.net", "jdoe@test.example"],
            ),
        ] {
            assert_eq!(parse(list), expected, "{list}");
        }
    }

    #[test]
    fn known_answers() {
        for (list, expected) in [
            ("", &[][..]),
            (" \r\n\t", &[]),
            (",,", &[]),
            ("a@b", &["a@b"]),
            (" a@b , c@d\r\n", &["a@b", "c@d"]),
            ("a@b; c@d;", &["a@b", "c@d"]),
            ("x: a@b; c@d, y: ; e@f", &["a@b", "c@d", "e@f"]),
            ("\"x, y\": a@b;", &["a@b"]),
            ("Ren\u{e9} <ren\u{e9}@ex\u{e4}mple.test>", &["ren\u{e9}@ex\u{e4}mple.test"]),
            ("=?utf-8?Q?Ren=C3=A9?= <a@b>", &["a@b"]),
            ("Dr =?utf-8?Q?R,_<x@y>;?= =?utf-8?B?eA==?= <a@b>", &["a@b"]),
            ("=?utf-8 <a@b>", &["a@b"]),
            ("a@b <a@b>", &["a@b"]),
            ("[List] Name <a@b>", &["a@b"]),
            ("\"Doe, \\\"J\\\" \\\\\" <a@b>", &["a@b"]),
            ("\"x@y\" <a@b>", &["a@b"]),
            (
                "a@[192.0.2.1], b@[IPv6:2001:db8::1], <c@[192.0.2. 1]>",
                &["a@[192.0.2.1]", "b@[IPv6:2001:db8::1]", "c@[192.0.2.1]"],
            ),
            ("\"a b\"@c, \"a,b;<>\"@c", &["\"a b\"@c", "\"a,b;<>\"@c"]),
            ("\"a\".b@c, \"a b\".c@d", &["a.b@c", "\"a b.c\"@d"]),
            ("\"a\r\n b\"@c", &["\"a b\"@c"]),
            ("a . b @ c . d", &["a.b@c.d"]),
            ("a(x).(y)b(z)@(c(d)\\))c", &["a.b@c"]),
            ("a..b@docomo.ne.jp", &["\"a..b\"@docomo.ne.jp"]),
            ("<@a.b,@c.d:x@y>, <@[192.0.2.1] (z) : v@w>", &["x@y", "v@w"]),
            ("<a@b> (x)\r\n", &["a@b"]),
        ] {
            assert_eq!(parse(list), expected, "{list}");
        }
    }

    #[test]
    fn the_sentence_says_what_is_wrong() {
        for (list, sentence) in [
            ("Doe, John <a@b>", r#"the address "Doe" has no @"#),
            ("a@b, root", r#"the address "root" has no @"#),
            ("Doe (x)", r#"the address "Doe (x)" has no @"#),
            ("Doe <>", r#"the address "Doe <>" has no @"#),
            ("Doe <a@>", r#"the address "Doe <a@>" has no domain"#),
            ("<@b>", r#"the address "<@b>" has no local part"#),
            ("<a@b", r#"the address "<a@b" has no closing angle bracket"#),
            ("a@b>", r#"the address "a@b>" has an angle bracket without its partner"#),
            ("a b@c", r#"the address "a b@c" holds a space"#),
            ("a@b c", r#"the address "a@b c" holds a space"#),
            ("a@b@c", r#"the address "a@b@c" has more than one @"#),
            ("<a@b> c", r#"the address "<a@b> c" holds a space"#),
            ("x: a@b", r#"the address "x: a@b" begins a group that does not end"#),
            ("x: y: a@b;", r#"the address "y: a@b" begins a group within a group"#),
            ("a@b (x", r#"the address "a@b (x" has a comment that does not end"#),
            ("\"x <a@b>", r#"the address "\"x <a@b>" has a quote at the wrong place"#),
            ("a@b..c", r#"the address "a@b..c" has an empty label in its domain"#),
            ("a\u{fffd}@b", "the address \"a\u{fffd}@b\" is not UTF-8"),
            ("\"a\\\tb\"@c", r#"the address "\"a\\\tb\"@c" holds a control character"#),
            (") a@b", r#"the address ") a@b" holds a character that can't stand there without quotes"#),
        ] {
            let error = mailboxes_in(list).expect_err(list);
            assert_eq!((error.code(), error.what()), (ErrorCode::AddressSyntax, sentence));
        }
        let long = format!("{}@b", "a".repeat(65));
        assert_eq!(mailboxes_in(&long).map_err(|error| error.code()), Err(ErrorCode::AddressTooLong));
    }

    #[test]
    fn what_nests_is_not_too_deep_and_takes_no_longer() {
        let deep = format!("a@b {}{}", "(".repeat(100_000), ")".repeat(100_000));
        assert_eq!(parse(&deep), ["a@b"]);
        let quotes = "\"".repeat(100_001);
        assert!(mailboxes_in(&quotes).is_err());
        let many = "a@b,".repeat(10_000);
        assert_eq!(mailboxes_in(&many).map(|all| all.len()), Ok(10_000));
    }

    #[test]
    fn no_cut_panics() {
        let all = r#"x (y): "a\" b"@[1], =?u?q?x?= <@a,@b:c . d@e.f>; é@ü, <a@b"#;
        for (end, _) in all.char_indices() {
            for (start, _) in all.char_indices().take_while(|(start, _)| *start <= end) {
                let piece = &all[start..end];
                if let Ok(mailboxes) = mailboxes_in(piece) {
                    assert!(
                        mailboxes.iter().all(|mailbox| mailbox.as_str().parse().as_ref() == Ok(mailbox)),
                        "{piece}"
                    );
                }
            }
        }
    }
}
