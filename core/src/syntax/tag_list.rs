//! Tags with values, as the records of DKIM and DMARC and the signatures of DKIM have them.

use alloc::vec::Vec;

use nom::bytes::complete::{tag, take_while, take_while1};
use nom::combinator::{all_consuming, opt};
use nom::multi::separated_list0;
use nom::sequence::{separated_pair, terminated};
use nom::{IResult, Parser};

/// Tags with values, in their order. Space around either is not part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TagList<'a>(Vec<(&'a str, &'a str)>);

impl<'a> TagList<'a> {
    /// Reads all of `text`; `None` if it is no list, or a tag stands there twice.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let (_, pairs) = all_consuming(tag_list).parse(text).ok()?;
        let mut names: Vec<&str> = pairs.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        let is_unique = names.windows(2).all(|pair| pair.first() != pair.last());
        is_unique.then_some(Self(pairs))
    }

    /// Its tags, in their order.
    pub(crate) fn tags(&self) -> &[(&'a str, &'a str)] {
        &self.0
    }

    /// The value of a tag, if it is there.
    pub(crate) fn value(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(it, _)| *it == name).map(|(_, value)| *value)
    }
}

// RFC 6376 section 3.2
//
//   tag-list  =  tag-spec *( ";" tag-spec ) [ ";" ]
//   tag-spec  =  [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS]
//   tag-name  =  ALPHA *ALNUMPUNC
//   tag-value =  [ tval *( 1*(WSP / FWS) tval ) ]
//   tval      =  1*VALCHAR
//   VALCHAR   =  %x21-3A / %x3C-7E
//   ALNUMPUNC =  ALPHA / DIGIT / "_"
//
// RFC 8616 section 5 and RFC 6532 let UTF-8 into values.

fn tag_list(input: &str) -> IResult<&str, Vec<(&str, &str)>> {
    terminated(separated_list0(tag(";"), tag_spec), (opt(tag(";")), space)).parse(input)
}

fn tag_spec(input: &str) -> IResult<&str, (&str, &str)> {
    let name = take_while1(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let (rest, _) = space(input)?;
    let (rest, (name, value)) =
        separated_pair(name, (space, tag("=")), take_while(|c: char| c != ';' && (!c.is_control() || is_space(c))))
            .parse(rest)?;
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Alpha)));
    }
    Ok((rest, (name, value.trim_matches(is_space))))
}

fn space(input: &str) -> IResult<&str, &str> {
    take_while(is_space).parse(input)
}

/// FWS has been unfolded, or not.
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for (text, tags) in [
            ("v=DMARC1;p=none", &[("v", "DMARC1"), ("p", "none")][..]),
            (" v = 1 ;\r\n\tb = ab\r\n cd == ; ", &[("v", "1"), ("b", "ab\r\n cd ==")]),
            ("p=", &[("p", "")]),
            ("", &[]),
            ("i=jos\u{e9}@x", &[("i", "jos\u{e9}@x")]),
        ] {
            let list = TagList::read(text).unwrap();
            assert_eq!(list.tags(), tags, "{text}");
        }
        for text in ["v", "v=1;;", "=1", "v=1;v=2", "1v=1", "v=1; x", "v=\0", "v w=1"] {
            assert_eq!(TagList::read(text), None, "{text}");
        }
        assert_eq!(TagList::read("a=1;B=2").unwrap().value("b"), None);
    }
}
