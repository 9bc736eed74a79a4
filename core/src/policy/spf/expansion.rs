//! What macros stand for (RFC 7208 §7).

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::net::IpAddr;

use super::evaluation::{Scene, Unready};
use crate::dns::Name;
use crate::syntax::spf::{DomainSpec, ExplainString, Macro, MacroLetter, MacroPart, MacroString};

/// What text with macros may grow to. No name is longer than 253 octets, and few mail servers take a reply of more than this.
const LONGEST: usize = 16 * 1024;

impl Scene<'_> {
    /// The domain that a term is about.
    pub(super) fn target(&mut self, spec: Option<&DomainSpec>) -> Result<Name, Unready> {
        let Some(spec) = spec else {
            return Ok(self.domain.clone());
        };
        let text = self.expand(spec.as_macro_string())?;
        Name::read(fit_for_a_name(&text)).ok_or(Unready::Never("its domain is no name that the DNS could have"))
    }

    /// What is told to the sender.
    pub(super) fn explanation(&mut self, text: &ExplainString) -> Result<String, Unready> {
        let text = self.expand(text.as_macro_string())?;
        match text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            true => Ok(text),
            false => Err(Unready::Never("it would not be printable ASCII")),
        }
    }

    fn expand(&mut self, text: &MacroString) -> Result<String, Unready> {
        let mut out = String::new();
        for part in text.parts() {
            match part {
                MacroPart::Literal(text) => out.push_str(text),
                MacroPart::Expand(it) => {
                    let value = self.value(it.letter)?;
                    push_transformed(&value, it, &mut out);
                }
            }
            if out.len() > LONGEST {
                return Err(Unready::Never("its macros make too much text"));
            }
        }
        Ok(out)
    }

    fn value(&mut self, letter: MacroLetter) -> Result<Cow<'_, str>, Unready> {
        let request = self.request;
        Ok(match letter {
            // RFC 8616 §4: a term with a local part outside ASCII matches nothing.
            MacroLetter::Sender | MacroLetter::LocalPart if !request.local_part().is_ascii() => {
                return Err(Unready::Never("the local part is not in ASCII"));
            }
            MacroLetter::Sender => format!("{}@{}", request.local_part(), self.sender_domain()).into(),
            MacroLetter::LocalPart => request.local_part().into(),
            MacroLetter::SenderDomain => self.sender_domain(),
            MacroLetter::Domain => self.domain.as_str().into(),
            MacroLetter::Ip => by_parts(request.client()).into(),
            MacroLetter::ValidatedName => match self.validated_name()? {
                Some(name) => name.as_str().to_string().into(),
                None => "unknown".into(),
            },
            MacroLetter::Version => version(request.client()).into(),
            MacroLetter::Helo => request.hello().into(),
            MacroLetter::ReadableIp => request.client().to_string().into(),
            MacroLetter::Receiver => self.config.receiver.as_deref().unwrap_or("unknown").into(),
            MacroLetter::Timestamp => request.time().unwrap_or(0).to_string().into(),
        })
    }

    /// In A-labels where it has others.
    fn sender_domain(&self) -> Cow<'_, str> {
        let domain = self.request.domain();
        match domain.is_ascii() {
            true => domain.into(),
            false => self.request.domain_name().map_or("".into(), |name| name.as_str().to_string().into()),
        }
    }
}

/// The name under which the DNS has the names of `address` (RFC 1035 §3.5, RFC 3596 §2.5).
pub(super) fn reverse_name(address: IpAddr) -> Option<Name> {
    let parts: Vec<String> = by_parts(address).split('.').rev().map(Into::into).collect();
    Name::read(&format!("{}.{}.arpa", parts.join("."), version(address)))
}

fn version(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "in-addr" } else { "ip6" }
}

/// Of an IPv4 address its numbers, of an IPv6 address its nibbles, with dots between them.
fn by_parts(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let nibbles = address.octets().into_iter().flat_map(|octet| [octet >> 4, octet & 15]);
            let nibbles: Vec<String> = nibbles.map(|nibble| format!("{nibble:X}")).collect();
            nibbles.join(".")
        }
    }
}

/// Appends `value` as `it` wants it.
pub(super) fn push_transformed(value: &str, it: &Macro, out: &mut String) {
    let delimiters = if it.delimiters.is_empty() { "." } else { &it.delimiters };
    let split = |c| delimiters.contains(c);
    let text = match (it.reversed, it.keep) {
        (false, None) if it.delimiters.is_empty() => Cow::Borrowed(value),
        (reversed, keep) => {
            let mut parts: Vec<&str> = value.split(split).collect();
            if reversed {
                parts.reverse();
            }
            let surplus = keep.map_or(0, |keep| parts.len().saturating_sub(keep));
            parts.drain(..surplus);
            parts.join(".").into()
        }
    };
    if it.escaped { push_escaped(&text, out) } else { out.push_str(&text) }
}

/// RFC 3986 §2.3: all but the unreserved characters.
fn push_escaped(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// RFC 7208 §7.3: labels are taken off the left side until there are not more than 253 characters.
fn fit_for_a_name(text: &str) -> &str {
    const LONGEST_NAME: usize = 253;
    let mut text = text.strip_suffix('.').unwrap_or(text);
    while text.len() > LONGEST_NAME {
        match text.split_once('.') {
            Some((_, rest)) => text = rest,
            None => break,
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Memory;
    use crate::policy::spf::{Config, Request};

    /// RFC 7208 section 7.4.
    #[test]
    fn the_examples_of_the_rfc() {
        let v4 = Request::mail_from("192.0.2.3".parse().unwrap(), "mx.example.org", "strong-bad@email.example.com");
        let v6 =
            Request::mail_from("2001:db8::cb01".parse().unwrap(), "mx.example.org", "strong-bad@email.example.com");
        for (request, text, expanded) in [
            (&v4, "%{s}", "strong-bad@email.example.com"),
            (&v4, "%{o}", "email.example.com"),
            (&v4, "%{d}", "email.example.com"),
            (&v4, "%{d4}", "email.example.com"),
            (&v4, "%{d3}", "email.example.com"),
            (&v4, "%{d2}", "example.com"),
            (&v4, "%{d1}", "com"),
            (&v4, "%{dr}", "com.example.email"),
            (&v4, "%{d2r}", "example.email"),
            (&v4, "%{l}", "strong-bad"),
            (&v4, "%{l-}", "strong.bad"),
            (&v4, "%{lr}", "strong-bad"),
            (&v4, "%{lr-}", "bad.strong"),
            (&v4, "%{l1r-}", "strong"),
            (&v4, "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            (&v4, "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            (&v4, "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
            (&v4, "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
            (&v4, "%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
            (
                &v6,
                "%{ir}.%{v}._spf.%{d2}",
                "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com",
            ),
            (&v4, "%{h} %{c} %{r} %{t}", "mx.example.org 192.0.2.3 unknown 0"),
            (&v6, "%{c}", "2001:db8::cb01"),
            (&v4, "%{S}", "strong-bad%40email.example.com"),
        ] {
            let config = Config::default();
            let mut memory = Memory::new(8, 50);
            let domain = request.domain_name().unwrap();
            let mut scene = Scene::new(request, &config, &mut memory, &domain);
            let text = ExplainString::parse(text.as_bytes()).unwrap();
            assert_eq!(scene.explanation(&text).ok().as_deref(), Some(expanded));
        }
    }

    #[test]
    fn names_are_cut_at_the_left() {
        let long = format!("{}{}", "a.".repeat(126), "bc");
        assert_eq!(fit_for_a_name(&long), &long[2..]);
        assert_eq!(fit_for_a_name("a.b."), "a.b");
        assert_eq!(fit_for_a_name(&"a".repeat(300)).len(), 300);
        assert_eq!(reverse_name("192.0.2.3".parse().unwrap()).unwrap().as_str(), "3.2.0.192.in-addr.arpa");
    }
}
