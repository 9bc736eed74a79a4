//! Addresses as programs on this host write them: a name without a domain is one of this host.

use std::collections::{BTreeMap, HashSet};

use okuru_core::syntax::{Domain, Mailbox, mailboxes_in};
use okuru_core::{Error, ErrorCode};

/// What names on this host stand for.
#[derive(Debug)]
pub(crate) struct Addresses {
    domain: Domain,
    /// Whom mail for a name on this host is for, by the name in lower case.
    aliases: BTreeMap<String, Vec<Mailbox>>,
}

impl Addresses {
    /// Names without a domain are of this one.
    pub(crate) fn of(domain: Domain) -> Self {
        Self { domain, aliases: BTreeMap::new() }
    }

    /// Mail for this name goes to all of these addresses.
    ///
    /// # Errors
    ///
    /// If one of them is no address.
    pub(crate) fn alias(mut self, name: &str, addresses: &[String]) -> Result<Self, Error> {
        let mut mailboxes = Vec::new();
        for list in addresses {
            mailboxes.extend(self.list(list)?);
        }
        self.aliases.insert(name.to_lowercase(), mailboxes);
        Ok(self)
    }

    pub(crate) fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The addresses of a list.
    pub(crate) fn list(&self, list: &str) -> Result<Vec<Mailbox>, Error> {
        let mut text = list.to_owned();
        for at in unqualified(list.as_bytes()).into_iter().rev() {
            text.insert_str(at, &format!("@{}", self.domain));
        }
        let mailboxes = mailboxes_in(&text)?;
        match mailboxes.is_empty() {
            true => Err(Error::new(ErrorCode::AddressSyntax, format!("{list:?} holds no address"))),
            false => Ok(mailboxes),
        }
    }

    /// Whom mail for these is for in the end, each once.
    pub(crate) fn expand(&self, mailboxes: Vec<Mailbox>) -> Vec<Mailbox> {
        let mut expanded: Vec<_> = mailboxes
            .into_iter()
            .flat_map(|mailbox| match self.aliases.get(&mailbox.local_part().to_lowercase()) {
                Some(others) if mailbox.domain().eq_ignore_ascii_case(self.domain.as_str()) => others.clone(),
                _ => vec![mailbox],
            })
            .collect();
        let mut seen = HashSet::new();
        expanded
            .retain(|mailbox| seen.insert((mailbox.local_part().to_owned(), mailbox.domain().to_ascii_lowercase())));
        expanded
    }
}

/// Where in a list of addresses (RFC 5322 section 3.4) a domain is missing: behind each name that stands alone, or alone in angle
/// brackets. Nowhere, if quotes or brackets do not close; what reads the list then says so.
pub(crate) fn unqualified(list: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let mut element = Element::default();
    let mut at = 0;
    while let Some(&byte) = list.get(at) {
        let rest = list.get(at..).unwrap_or_default();
        let length = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => Some(1),
            b'(' => enclosed(rest, b'(', b')'),
            b'[' => enclosed(rest, b'[', b']'),
            b'"' => enclosed(rest, b'"', b'"'),
            b'<' => enclosed(rest, b'<', b'>'),
            _ => Some(1),
        };
        let Some(length) = length else {
            return Vec::new();
        };
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b'(' => {}
            b',' | b';' => places.extend(std::mem::take(&mut element).end_of_name()),
            // What stands before is the name of a group, or a route.
            b':' => element = Element::default(),
            b'<' => {
                let inner = rest.get(1..length - 1).unwrap_or_default();
                let is_route = inner.trim_ascii_start().starts_with(b"@");
                if !is_route && !element.has_angle {
                    places.extend(unqualified(inner).into_iter().map(|place| at + 1 + place));
                }
                element.has_angle = true;
            }
            b'@' => element.has_at = true,
            _ => element.word(at, at + length),
        }
        at += length;
    }
    places.extend(element.end_of_name());
    places
}

/// What has been read of an element of the list.
#[derive(Default)]
struct Element {
    has_at: bool,
    has_angle: bool,
    /// How many words, not counting those that touch.
    words: usize,
    /// Where the last one ended.
    end: usize,
}

impl Element {
    fn word(&mut self, start: usize, end: usize) {
        self.words += usize::from(self.words == 0 || start != self.end);
        self.end = end;
    }

    /// Where its domain is missing, if it is but a name.
    fn end_of_name(self) -> Option<usize> {
        (self.words == 1 && !self.has_at && !self.has_angle).then_some(self.end)
    }
}

/// How far that reaches what opens at the front. Comments nest; in all of them a backslash quotes, and in angle brackets quotes do.
fn enclosed(text: &[u8], open: u8, close: u8) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\\' => at += 1,
            b'"' if open == b'<' => at += enclosed(text.get(at..)?, b'"', b'"')? - 1,
            _ if byte == close && depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ if byte == open && (depth == 0 || open == b'(') => depth += 1,
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(mailboxes: &[Mailbox]) -> Vec<&str> {
        mailboxes.iter().map(Mailbox::as_str).collect()
    }

    fn here() -> Addresses {
        Addresses::of("here.test".parse().unwrap())
    }

    #[test]
    fn names_get_the_domain() {
        for (list, addresses) in [
            ("bob", &["bob@here.test"][..]),
            ("bob@b.test", &["bob@b.test"]),
            ("root (Cron Daemon)", &["root@here.test"]),
            ("(a, b <c> \" \\) (d)) bob", &["bob@here.test"]),
            ("Bob Smith <bob>", &["bob@here.test"]),
            ("\"Smith, Bob\" < bob > (x)", &["bob@here.test"]),
            ("bob, Carl <carl@c.test>, dora", &["bob@here.test", "carl@c.test", "dora@here.test"]),
            ("friends: bob, carl@c.test;, dora", &["bob@here.test", "carl@c.test", "dora@here.test"]),
            ("\"bob\"", &["bob@here.test"]),
            ("\"b b\"", &["\"b b\"@here.test"]),
            ("b.b", &["b.b@here.test"]),
            ("<@r.test:bob@b.test>", &["bob@b.test"]),
            ("bob@[192.0.2.1]", &["bob@[192.0.2.1]"]),
            ("-t", &["-t@here.test"]),
            ("postmaster", &["postmaster@here.test"]),
            ("jürgen", &["jürgen@here.test"]),
            (",bob,\r\n ,carl,", &["bob@here.test", "carl@here.test"]),
        ] {
            assert_eq!(texts(&here().list(list).unwrap()), addresses, "{list}");
        }
    }

    #[test]
    fn what_is_no_address_stays_none() {
        for list in [
            "",
            " ",
            "()",
            "Bob Smith",
            "bob <",
            "bob (",
            "\"bob",
            "<bob> <carl>",
            "<>",
            "a@b\r\nDATA",
            "bob@",
            "@b",
            "\\",
        ] {
            assert!(here().list(list).is_err(), "{list}");
        }
    }

    /// Every list of a few characters: what is a list of addresses already is left as it is.
    #[test]
    fn what_has_domains_is_left_alone() {
        const CHARACTERS: [char; 14] = ['a', 'é', '.', '@', '<', '>', '(', ')', ',', ';', ':', '"', '\\', ' '];
        let mut lists = vec![String::new()];
        for _ in 0..5 {
            let longer = |list: &String| CHARACTERS.map(|character| format!("{list}{character}"));
            lists = lists.iter().flat_map(longer).collect();
            for list in &lists {
                let places = unqualified(list.as_bytes());
                assert!(places.iter().all(|&place| list.is_char_boundary(place)), "{list}");
                if mailboxes_in(list).is_ok() {
                    assert!(places.is_empty(), "{list}");
                }
            }
        }
    }

    #[test]
    fn aliases() {
        let addresses = here().alias("Root", &["ann@a.test, bob".to_owned(), "carl@c.test".to_owned()]).unwrap();
        let expand = |list: &str| {
            let expanded = addresses.expand(addresses.list(list).unwrap());
            expanded.iter().map(Mailbox::to_string).collect::<Vec<_>>()
        };
        assert_eq!(expand("root"), ["ann@a.test", "bob@here.test", "carl@c.test"]);
        assert_eq!(expand("ROOT@Here.Test, bob"), ["ann@a.test", "bob@here.test", "carl@c.test"]);
        assert_eq!(expand("root@elsewhere.test, dora, dora@HERE.test"), ["root@elsewhere.test", "dora@here.test"]);
        assert!(here().alias("root", &[String::new()]).is_err());
    }
}
