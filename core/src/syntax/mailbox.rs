use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while};
use nom::character::complete::satisfy;
use nom::multi::fold_many0;
use nom::sequence::{delimited, preceded};

use super::Domain;
use super::domain::domain;
use super::fault::{Fault, Parsed, error, parse_all};
use crate::{Error, ErrorCode};

/// A mailbox (RFC 5321 section 4.1.2, RFC 6531 section 3.3): `user@example.com`.
///
/// It is held in the form in which it goes out, with quotes only where the local part needs them. So `"user"@example.com`
/// equals `user@example.com`; otherwise equality is that of the bytes.
///
/// The local part has at most 64 octets (with its quotes), the domain 255, the whole 254, which makes a path of 256
/// (RFC 5321 section 4.5.3.1).
///
/// Leniency, besides that of [`Domain`]: dots at the edge of an unquoted local part or next to each other, which a mobile
/// carrier in Japan gave to its users (`a..b@docomo.ne.jp`). They go out quoted, `"a..b"@docomo.ne.jp`, which is the
/// correct form of the same mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mailbox {
    text: Box<str>,
    /// Where the @ stands that divides it: a quoted local part may hold others.
    at: usize,
    /// Found once, since it is asked for with each message.
    is_ascii: bool,
}

impl Mailbox {
    /// The whole mailbox, in the form in which it goes out.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands before the @, with quotes if it has to have them.
    pub fn local_part(&self) -> &str {
        self.text.get(..self.at).unwrap_or_default()
    }

    /// What stands behind the @: a domain name, or an address literal in brackets.
    pub fn domain(&self) -> &str {
        self.text.get(self.at + 1..).unwrap_or_default()
    }

    /// Whether it can go to a server without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.is_ascii
    }

    /// The same mailbox for a server without SMTPUTF8: its domain with A-labels. One in ASCII is not changed.
    ///
    /// # Errors
    ///
    /// `address.needs_smtputf8` if the local part is outside ASCII, since nobody but its own domain may rewrite it
    /// (RFC 6531 section 3.2); `address.syntax` if IDNA does not allow the domain; `address.too_long`.
    pub fn to_ascii(&self) -> Result<Self, Error> {
        if self.is_ascii() {
            return Ok(self.clone());
        }
        if !self.local_part().is_ascii() {
            let why = "has a local part that is not in ASCII";
            return Err(error(ErrorCode::AddressNeedsSmtputf8, "address", &self.text, why));
        }
        let domain = self.domain().parse::<Domain>()?.to_ascii()?;
        alloc::format!("{}@{domain}", self.local_part()).parse()
    }
}

impl FromStr for Mailbox {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse_all("address", text, mailbox)
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// RFC 5321 section 4.1.2
//
//   Mailbox    = Local-part "@" ( Domain / address-literal )
//   Local-part = Dot-string / Quoted-string

/// A mailbox at the front of `input`.
pub(super) fn mailbox(input: &str) -> Parsed<'_, Mailbox> {
    let (rest, local_part) = local_part(input)?;
    let at = local_part.len();
    let (rest, domain) = match rest.strip_prefix('@') {
        Some(rest) => domain(rest)?,
        None => return Err(Fault::unexpected(rest, "has no @")),
    };
    if at == 0 {
        return Err(Fault::syntax("has no local part"));
    }
    if at > LONGEST_LOCAL_PART {
        return Err(Fault::too_long("has a local part of more than 64 octets"));
    }
    let length = at + 1 + domain.len();
    if length > LONGEST_MAILBOX {
        return Err(Fault::too_long("has more than 254 octets"));
    }
    let text = match local_part {
        // It is canonical, and stands in the input in one piece.
        Cow::Borrowed(_) => input.get(..length).unwrap_or_default().into(),
        Cow::Owned(mut text) => {
            text.reserve_exact(1 + domain.len());
            text.push('@');
            text.push_str(domain);
            text.into_boxed_str()
        }
    };
    Ok((rest, Mailbox { is_ascii: text.is_ascii(), text, at }))
}

/// RFC 5321 section 4.5.3.1.1.
const LONGEST_LOCAL_PART: usize = 64;
/// RFC 5321 section 4.5.3.1.3, without the angle brackets.
const LONGEST_MAILBOX: usize = 254;

/// A local part in its canonical form.
fn local_part(input: &str) -> Parsed<'_, Cow<'_, str>> {
    if input.starts_with('"') {
        let (rest, content) = quoted_string(input)?;
        return Ok((rest, Cow::Owned(if is_dot_string(&content) { content } else { quote(&content) })));
    }
    let (rest, text) = take_while(|c| is_atext(c) || c == '.').parse(input)?;
    let text =
        if text.is_empty() || has_atoms_between_dots(text) { Cow::Borrowed(text) } else { Cow::Owned(quote(text)) };
    Ok((rest, text))
}

// RFC 5321 section 4.1.2, RFC 5322 section 3.2.3, RFC 6531 section 3.3
//
//   Dot-string = Atom *("." Atom)
//   Atom       = 1*atext
//   atext      = ALPHA / DIGIT / "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "/" / "=" / "?" / "^" / "_" /
//                "`" / "{" / "|" / "}" / "~" / UTF8-non-ascii

pub(super) fn is_dot_string(text: &str) -> bool {
    text.chars().all(|c| is_atext(c) || c == '.') && has_atoms_between_dots(text)
}

fn has_atoms_between_dots(text: &str) -> bool {
    text.as_bytes().split(|byte| *byte == b'.').all(|atom| !atom.is_empty())
}

pub(super) fn is_atext(c: char) -> bool {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' => true,
        '!' | '#' | '$' | '%' | '&' | '\'' | '*' | '+' | '-' | '/' => true,
        '=' | '?' | '^' | '_' | '`' | '{' | '|' | '}' | '~' => true,
        _ => is_utf8_non_ascii(c),
    }
}

/// C1 controls are left out: a terminal may take them for commands, and nobody has them in a name.
fn is_utf8_non_ascii(c: char) -> bool {
    !c.is_ascii() && !c.is_control()
}

// RFC 5321 section 4.1.2, RFC 6531 section 3.3
//
//   Quoted-string   = DQUOTE *QcontentSMTP DQUOTE
//   QcontentSMTP    = qtextSMTP / quoted-pairSMTP
//   quoted-pairSMTP = %d92 %d32-126
//   qtextSMTP       = %d32-33 / %d35-91 / %d93-126 / UTF8-non-ascii

/// The content of a quoted string.
fn quoted_string(input: &str) -> Parsed<'_, String> {
    let qtext = satisfy(|c| matches!(c, ' '..='!' | '#'..='[' | ']'..='~') || is_utf8_non_ascii(c));
    let quoted_pair = preceded(tag("\\"), satisfy(|c| matches!(c, ' '..='~')));
    let content = fold_many0(alt((qtext, quoted_pair)), String::new, |mut content, c| {
        content.push(c);
        content
    });
    delimited(tag("\""), content, tag("\""))
        .parse(input)
        .map_err(|_: nom::Err<Fault>| Fault::syntax("has a quoted local part that does not end"))
}

/// `content` as a quoted string with as little quoting as possible, as section 4.1.2 asks of senders.
pub(super) fn quote(content: &str) -> String {
    let mut text = String::with_capacity(content.len() + 4);
    text.push('"');
    for c in content.chars() {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for (text, local_part, domain) in [
            ("user@example.com", "user", "example.com"),
            ("User.Name+tag@Example.COM", "User.Name+tag", "Example.COM"),
            ("user@example.com.", "user", "example.com"),
            ("!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~", "example.com"),
            ("user@[192.0.2.1]", "user", "[192.0.2.1]"),
            ("user@[IPv6:2001:db8::1]", "user", "[IPv6:2001:db8::1]"),
            ("root@localhost", "root", "localhost"),
            ("josé@exämple.test", "josé", "exämple.test"),
            ("用户@例え.テスト", "用户", "例え.テスト"),
            (r#""user"@example.com"#, "user", "example.com"),
            (r#""a.b\c"@example.com"#, "a.bc", "example.com"),
            (r#""a b"@example.com"#, r#""a b""#, "example.com"),
            (r#""a\ b"@example.com"#, r#""a b""#, "example.com"),
            (r#""a@b"@example.com"#, r#""a@b""#, "example.com"),
            (r#""a>\"\\,"@example.com"#, r#""a>\"\\,""#, "example.com"),
            (r#"""@example.com"#, r#""""#, "example.com"),
            (r#"" "@example.com"#, r#"" ""#, "example.com"),
            (r#""jos é"@example.com"#, r#""jos é""#, "example.com"),
            ("a..b@docomo.ne.jp", r#""a..b""#, "docomo.ne.jp"),
            ("a.@docomo.ne.jp", r#""a.""#, "docomo.ne.jp"),
            (".a@docomo.ne.jp", r#"".a""#, "docomo.ne.jp"),
        ] {
            let mailbox: Mailbox = text.parse().unwrap();
            assert_eq!((mailbox.local_part(), mailbox.domain()), (local_part, domain), "{text}");
            assert_eq!(mailbox.as_str(), alloc::format!("{local_part}@{domain}"));
            assert_eq!(mailbox.as_str().parse(), Ok(mailbox));
        }
    }

    #[test]
    fn the_sentence_says_what_is_wrong() {
        for (text, sentence) in [
            ("", r#"the address "" is empty"#),
            ("user", r#"the address "user" has no @"#),
            ("user@", r#"the address "user@" has no domain"#),
            ("@example.com", r#"the address "@example.com" has no local part"#),
            (" user@example.com", r#"the address " user@example.com" begins or ends with a space"#),
            ("user@example.com ", r#"the address "user@example.com " begins or ends with a space"#),
            ("a b@example.com", r#"the address "a b@example.com" holds a space"#),
            ("a@b c", r#"the address "a@b c" holds a space"#),
            ("a@b\r\nRCPT TO:<c@d>", r#"the address "a@b\r\nRCPT TO:<c@d>" holds a control character"#),
            ("a@b@c", r#"the address "a@b@c" has more than one @"#),
            ("a@b..c", r#"the address "a@b..c" has an empty label in its domain"#),
            ("a@-b", r#"the address "a@-b" has a hyphen at the edge of a label"#),
            ("a@[192.0.2]", r#"the address "a@[192.0.2]" has a malformed address literal"#),
            ("a\"b@c", r#"the address "a\"b@c" has a quote at the wrong place"#),
            ("\"ab@c", r#"the address "\"ab@c" has a quoted local part that does not end"#),
            ("a,b@c", r#"the address "a,b@c" holds a character that can't stand there without quotes"#),
            ("<a@b>", r#"the address "<a@b>" holds a character that can't stand there without quotes"#),
        ] {
            let error = text.parse::<Mailbox>().unwrap_err();
            assert_eq!((error.code(), error.what()), (ErrorCode::AddressSyntax, sentence));
        }
    }

    #[test]
    fn no_control_character_gets_in() {
        for control in (0..0xa0_u8).map(char::from).filter(|c| c.is_control()) {
            for text in [
                alloc::format!("a{control}b@example.com"),
                alloc::format!("a@exam{control}ple.com"),
                alloc::format!("\"a{control}b\"@example.com"),
                alloc::format!("\"a\\{control}b\"@example.com"),
                alloc::format!("a@[tag:{control}]"),
                alloc::format!("{control}a@b"),
                alloc::format!("a@b{control}"),
            ] {
                assert!(text.parse::<Mailbox>().is_err(), "{text:?}");
                assert!(mailbox(&text).is_err() || mailbox(&text).is_ok_and(|(rest, _)| rest.starts_with(control)));
            }
        }
    }

    #[test]
    fn lengths() {
        let local = "a".repeat(64);
        let domain = alloc::format!("{}.{}.{}", "a".repeat(63), "a".repeat(63), "a".repeat(61));
        assert_eq!(alloc::format!("{local}@{domain}").parse::<Mailbox>().unwrap().as_str().len(), 254);
        for text in [
            alloc::format!("a{local}@example.com"),
            alloc::format!("{local}@{domain}.a"),
            alloc::format!("{}@example.com", "é".repeat(33)),
            // 64 octets without quotes.
            alloc::format!("{}..@example.com", "a".repeat(62)),
        ] {
            assert_eq!(text.parse::<Mailbox>().unwrap_err().code(), ErrorCode::AddressTooLong, "{text}");
        }
    }

    #[test]
    fn to_ascii() {
        let mailbox: Mailbox = "josé@example.com".parse().unwrap();
        assert_eq!(mailbox.to_ascii().unwrap_err().code(), ErrorCode::AddressNeedsSmtputf8);
        let mailbox: Mailbox = "A.B@Example.com".parse().unwrap();
        assert_eq!(mailbox.to_ascii(), Ok(mailbox));
    }

    #[cfg(feature = "idna")]
    #[test]
    fn to_ascii_by_idna() {
        for (text, ascii) in [
            ("jose@exämple.test", Some("jose@xn--exmple-cua.test")),
            ("\"a b\"@Exämple.test", Some("\"a b\"@xn--exmple-cua.test")),
            ("jose@a\u{ff20}b.test", None),
        ] {
            let mailbox: Mailbox = text.parse().unwrap();
            assert!(!mailbox.is_ascii());
            assert_eq!(mailbox.to_ascii().ok().as_ref().map(Mailbox::as_str), ascii, "{text}");
        }
    }
}
