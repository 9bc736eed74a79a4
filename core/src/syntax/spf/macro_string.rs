use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{take_while, take_while1};
use nom::character::complete::{anychar, char};
use nom::combinator::{map, opt, value};
use nom::multi::many0;
use nom::sequence::preceded;

use super::fault::{Fault, Parsed, Why};

/// Text with macros in it (RFC 7208 §7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacroString {
    parts: Box<[MacroPart]>,
    /// Whether `%{...}`, `%%`, `%_` or `%-` is its end.
    ends_in_expand: bool,
}

/// A piece of a [`MacroString`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MacroPart {
    /// What it says. `%%`, `%_` and `%-` are among it, as `%`, a space and `%20`.
    Literal(Box<str>),
    /// `%{...}`
    Expand(Macro),
}

/// `%{...}`: a value, and what is made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Macro {
    /// Which value.
    pub letter: MacroLetter,
    /// Whether the letter is a capital: all but the unreserved characters of URIs is percent-encoded then.
    pub escaped: bool,
    /// How many parts are kept, counted from the right; at least one. `None` keeps all.
    pub keep: Option<usize>,
    /// Whether the parts are put in reverse order first.
    pub reversed: bool,
    /// What separates the parts; a dot if it is empty.
    pub delimiters: Box<str>,
}

/// Which value a macro stands for (RFC 7208 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MacroLetter {
    /// `s`: the sender.
    Sender,
    /// `l`: the local part of the sender.
    LocalPart,
    /// `o`: the domain of the sender.
    SenderDomain,
    /// `d`: the domain whose record it is.
    Domain,
    /// `i`: the address of the client, by parts.
    Ip,
    /// `p`: the validated name of the client.
    ValidatedName,
    /// `v`: `in-addr` or `ip6`.
    Version,
    /// `h`: what the client has said in HELO or EHLO.
    Helo,
    /// `c`: the address of the client, for people. Only in explanations, as those that follow.
    ReadableIp,
    /// `r`: the name of the host that makes the check.
    Receiver,
    /// `t`: the time, in seconds since 1970.
    Timestamp,
}

impl MacroLetter {
    const ALL: [(char, Self); 11] = [
        ('s', Self::Sender),
        ('l', Self::LocalPart),
        ('o', Self::SenderDomain),
        ('d', Self::Domain),
        ('i', Self::Ip),
        ('p', Self::ValidatedName),
        ('v', Self::Version),
        ('h', Self::Helo),
        ('c', Self::ReadableIp),
        ('r', Self::Receiver),
        ('t', Self::Timestamp),
    ];

    /// Whether it may stand in explanations only.
    pub fn is_for_explanations(self) -> bool {
        matches!(self, Self::ReadableIp | Self::Receiver | Self::Timestamp)
    }

    fn of(letter: char) -> Option<Self> {
        Self::ALL.iter().find(|(it, _)| *it == letter.to_ascii_lowercase()).map(|(_, letter)| *letter)
    }
}

impl MacroString {
    /// Its pieces, in their order.
    pub fn parts(&self) -> &[MacroPart] {
        &self.parts
    }

    /// The macros in it.
    pub fn macros(&self) -> impl Iterator<Item = &Macro> {
        self.parts.iter().filter_map(|part| match part {
            MacroPart::Expand(it) => Some(it),
            MacroPart::Literal(_) => None,
        })
    }

    fn of(pieces: Vec<Piece>) -> Self {
        let ends_in_expand = !matches!(pieces.last(), None | Some(Piece::Plain(_)));
        let mut parts = Vec::new();
        let mut literal = String::new();
        for piece in pieces {
            match piece {
                Piece::Plain(text) | Piece::Escape(text) => literal.push_str(&text),
                Piece::Expand(it) => {
                    if !literal.is_empty() {
                        parts.push(MacroPart::Literal(core::mem::take(&mut literal).into()));
                    }
                    parts.push(MacroPart::Expand(it));
                }
            }
        }
        if !literal.is_empty() {
            parts.push(MacroPart::Literal(literal.into()));
        }
        Self { parts: parts.into(), ends_in_expand }
    }
}

impl fmt::Display for MacroString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            MacroPart::Literal(text) => text.chars().try_for_each(|c| match c {
                '%' => f.write_str("%%"),
                ' ' => f.write_str("%_"),
                c => f.write_char(c),
            }),
            MacroPart::Expand(it) => write!(f, "{it}"),
        })
    }
}

impl fmt::Display for Macro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = MacroLetter::ALL.iter().find(|(_, it)| *it == self.letter).map_or('d', |(letter, _)| *letter);
        write!(f, "%{{{}", if self.escaped { letter.to_ascii_uppercase() } else { letter })?;
        if let Some(keep) = self.keep {
            write!(f, "{keep}")?;
        }
        write!(f, "{}{}}}", if self.reversed { "r" } else { "" }, self.delimiters)
    }
}

/// Text with macros that is to become the name of a domain (RFC 7208 §7.1): it ends in a macro or a top-level label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainSpec(MacroString);

impl DomainSpec {
    /// The text.
    pub fn as_macro_string(&self) -> &MacroString {
        &self.0
    }
}

impl fmt::Display for DomainSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the TXT record that an `exp` modifier leads to says (RFC 7208 §6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainString(MacroString);

impl ExplainString {
    /// Reads the text of a TXT record.
    ///
    /// # Errors
    ///
    /// If it is not in ASCII, or a macro in it is malformed.
    pub fn parse(text: &[u8]) -> Result<Self, Fault> {
        let fault = |why| Fault::new(text, why);
        let text = core::str::from_utf8(text).map_err(|_| fault(NOT_ASCII))?;
        let read = macro_string(text, true).map(Self);
        read.map_err(fault)
    }

    /// The text.
    pub fn as_macro_string(&self) -> &MacroString {
        &self.0
    }
}

pub(super) const NOT_ASCII: Why = Why("holds a character that is not printable ASCII");

// RFC 7208 section 7.1
//
//   domain-spec      = macro-string domain-end
//   domain-end       = ( "." toplabel [ "." ] ) / macro-expand
//   toplabel         = ( *alphanum ALPHA *alphanum ) / ( 1*alphanum "-" *( alphanum / "-" ) alphanum )
//                      ; LDH rule plus additional TLD restrictions (see Section 2 of RFC 3696)
//   alphanum         = ALPHA / DIGIT
//   explain-string   = *( macro-string / SP )
//   macro-string     = *( macro-expand / macro-literal )
//   macro-expand     = ( "%{" macro-letter transformers *delimiter "}" ) / "%%" / "%_" / "%-"
//   macro-literal    = %x21-24 / %x26-7E ; visible characters except "%"
//   macro-letter     = "s" / "l" / "o" / "d" / "i" / "p" / "h" / "c" / "r" / "t" / "v"
//   transformers     = *DIGIT [ "r" ]
//   delimiter        = "." / "-" / "+" / "," / "/" / "_" / "="

/// Reads all of `text`; with spaces, as an explanation has them.
pub(super) fn macro_string(text: &str, spaces: bool) -> Result<MacroString, Why> {
    let literal = take_while1(move |c| matches!(c, '!'..='$' | '&'..='~') || spaces && c == ' ');
    let plain = map(literal, |text: &str| Piece::Plain(text.into()));
    let (rest, pieces) = many0(alt((plain, macro_expand))).parse(text)?;
    if rest.is_empty() { Ok(MacroString::of(pieces)) } else { Err(NOT_ASCII) }
}

/// Reads all of `text`, of which no other reading is possible.
pub(super) fn domain_spec(text: &str) -> Result<DomainSpec, Why> {
    if text.is_empty() {
        return Err(Why("has an empty domain"));
    }
    let text = macro_string(text, false)?;
    if text.macros().any(|it| it.letter.is_for_explanations()) {
        return Err(Why("has a macro that only an explanation may have"));
    }
    if !text.ends_in_expand {
        let end = match text.parts.last() {
            Some(MacroPart::Literal(end)) => end.strip_suffix('.').unwrap_or(end),
            _ => "",
        };
        match end.rsplit_once('.') {
            Some((_, label)) if is_toplabel(label) => {}
            Some((_, label)) if !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err(Why("ends in a number; addresses go by ip4: and ip6:"));
            }
            Some(_) => return Err(Why("does not end in a top-level domain or a macro")),
            None => return Err(Why("has a domain of one label only")),
        }
    }
    Ok(DomainSpec(text))
}

fn is_toplabel(label: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && edge(label.bytes().next())
        && edge(label.bytes().last())
        && !label.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a macro string is read in.
#[derive(Clone)]
enum Piece {
    Plain(Box<str>),
    /// `%%`, `%_` or `%-`
    Escape(Box<str>),
    Expand(Macro),
}

fn macro_expand(input: &str) -> Parsed<'_, Piece> {
    let escape = |sign, text: &'static str| value(Piece::Escape(text.into()), char(sign));
    let (behind, _) = char('%').parse(input)?;
    alt((
        escape('%', "%"),
        escape('_', " "),
        escape('-', "%20"),
        map(preceded(char('{'), within_braces), Piece::Expand),
    ))
    .parse(behind)
    .map_err(|error: nom::Err<Why>| match error {
        nom::Err::Failure(why) => why.final_one(),
        _ => Why("has a % that begins no macro").final_one(),
    })
}

fn within_braces(input: &str) -> Parsed<'_, Macro> {
    let unknown = || Why("has a macro of an unknown letter").final_one();
    let (rest, first) = anychar::<_, Why>(input).map_err(|_| unknown())?;
    let letter = MacroLetter::of(first).ok_or_else(unknown)?;
    let (rest, digits) = take_while(|c: char| c.is_ascii_digit()).parse(rest)?;
    let keep = match digits {
        "" => None,
        // More than there can be is all.
        digits => Some(digits.parse().unwrap_or(usize::MAX)),
    };
    if keep == Some(0) {
        return Err(Why("has a macro that keeps no part of its value").final_one());
    }
    let (rest, reversed) = opt(alt((char('r'), char('R')))).parse(rest)?;
    let (rest, delimiters) = take_while(|c| ".-+,/_=".contains(c)).parse(rest)?;
    let (rest, _) = char::<_, Why>('}').parse(rest).map_err(|_| Why("has a malformed macro").final_one())?;
    let delimiters = delimiters.into();
    Ok((rest, Macro { letter, escaped: first.is_ascii_uppercase(), keep, reversed: reversed.is_some(), delimiters }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn known_answers() {
        for (text, canonical) in [
            ("example.com", "example.com"),
            ("example.com.", "example.com."),
            ("%{d}", "%{d}"),
            ("%{S12R-+}", "%{S12r-+}"),
            ("%{ir}.%{v}._spf.%{d2}", "%{ir}.%{v}._spf.%{d2}"),
            ("a%%b%_c%-d.test", "a%%b%_c%%20d.test"),
            ("foo:bar/baz.example.com", "foo:bar/baz.example.com"),
            ("a..b.1-2", "a..b.1-2"),
            ("x%%", "x%%"),
        ] {
            let spec = domain_spec(text);
            assert_eq!(spec.as_ref().map(ToString::to_string), Ok(canonical.to_string()), "{text}");
            if !text.ends_with('%') {
                let again = domain_spec(canonical).unwrap();
                assert_eq!(again.0.parts, spec.unwrap().0.parts);
            }
        }
        let parts = domain_spec("a.%{L2r-/}%{h}").unwrap().0.parts;
        let first = Macro {
            letter: MacroLetter::LocalPart,
            escaped: true,
            keep: Some(2),
            reversed: true,
            delimiters: "-/".into(),
        };
        let second =
            Macro { letter: MacroLetter::Helo, escaped: false, keep: None, reversed: false, delimiters: "".into() };
        assert_eq!(*parts, [MacroPart::Literal("a.".into()), MacroPart::Expand(first), MacroPart::Expand(second)]);
        let endless = domain_spec("%{d99999999999999999999999}").unwrap();
        assert_eq!(endless.0.macros().next().unwrap().keep, Some(usize::MAX));
    }

    #[test]
    fn what_is_no_domain() {
        for text in [
            "",
            "museum",
            "museum.",
            "example.-com",
            "example.com-",
            "111.222.33.44",
            "abc.123",
            "example.com:8080",
            "example.com/24",
            "%{d}com",
            "%{d}.",
            "%(d}",
            "a%",
            "a%.b",
            "%{a}",
            "%{}",
            "%{",
            "%{d0}",
            "%{dr2}",
            "%{d;}",
            "%{d",
            "%{c}",
            "%{r}.test",
            "%{T}.test",
            "a b.test",
            "a\0.test",
            "\u{e4}.test",
        ] {
            assert!(domain_spec(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn explanations_hold_more() {
        let it = ExplainString::parse(b"See http://x.test/?s=%{S}&ip=%{c} at %{t}, %%").unwrap();
        assert_eq!(it.as_macro_string().macros().count(), 3);
        assert_eq!(ExplainString::parse(b"").unwrap().as_macro_string().parts(), []);
        for text in [&b"\xef\xbb\xbfx"[..], b"%{x}", b"100%", b"a\r\nb"] {
            let fault = ExplainString::parse(text).unwrap_err();
            assert!(!fault.to_string().chars().any(char::is_control), "{fault}");
        }
    }
}
