//! The records of DMARC (RFC 9989 §4.7).

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::tag_list::is_space;

/// A record of DMARC: what a domain wants done with mail in its name that is not authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `p`: what is wanted for the domain itself.
    pub policy: Policy,
    /// `sp`: what is wanted for the domains below it; as for itself where it is not said.
    pub subdomain_policy: Option<Policy>,
    /// `np`: what is wanted for domains below it that don't exist; as for those that do where it is not said.
    pub non_existent_policy: Option<Policy>,
    /// `adkim`: how well a signature has to fit.
    pub dkim_alignment: Alignment,
    /// `aspf`: how well a sender has to fit.
    pub spf_alignment: Alignment,
    /// `t=y`: the owner is trying it out, and wants the next milder thing done.
    pub is_test: bool,
    /// `psd`: whether others register names below it.
    pub psd: Psd,
    /// `rua`: where aggregate reports go, as URIs.
    pub aggregate_reports: Vec<Box<str>>,
    /// `ruf`: where reports of failures go, as URIs.
    pub failure_reports: Vec<Box<str>>,
}

/// What a domain wants done with mail that is not authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Policy {
    /// Nothing.
    None,
    /// To be looked at with suspicion.
    Quarantine,
    /// To be refused.
    Reject,
}

impl Policy {
    /// `none`, `quarantine` or `reject`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::None, Self::Quarantine, Self::Reject].into_iter().find(|it| text.eq_ignore_ascii_case(it.as_str()))
    }
}

/// How well a name has to fit that of the author.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Alignment {
    /// `r`: both are of one organization.
    #[default]
    Relaxed,
    /// `s`: both are the same.
    Strict,
}

/// Whether others register names below a domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Psd {
    /// `y`: they do; it is no organization itself.
    Yes,
    /// `n`: they don't; it is the top of an organization.
    No,
    /// `u`: it is not said.
    #[default]
    Unknown,
}

impl Record {
    /// Whether the text of a TXT record is one of DMARC.
    pub fn is_version_1(text: &[u8]) -> bool {
        let Ok(text) = core::str::from_utf8(text) else { return false };
        tags(text).next().is_some_and(|tag| tag.is_some_and(|(name, value)| is(name, "v") && value == "DMARC1"))
    }

    /// Reads the text of a TXT record. What is malformed in it counts as if it were not there; `None` if it is no record of DMARC,
    /// or one that wants nothing: neither a policy that anybody knows nor reports.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if !Self::is_version_1(text) {
            return None;
        }
        let text = core::str::from_utf8(text).ok()?;
        let value = |wanted: &str| tags(text).flatten().find(|(name, _)| is(name, wanted)).map(|(_, value)| value);
        let policy = |name: &str| value(name).and_then(Policy::read);
        let alignment = |name: &str| match value(name) {
            Some(value) if is(value, "s") => Alignment::Strict,
            _ => Alignment::Relaxed,
        };
        let aggregate_reports = value("rua").map(uris).unwrap_or_default();
        Some(Self {
            // RFC 9989 §4.7: without a policy the reports still make sense.
            policy: policy("p").or((!aggregate_reports.is_empty()).then_some(Policy::None))?,
            subdomain_policy: policy("sp"),
            non_existent_policy: policy("np"),
            dkim_alignment: alignment("adkim"),
            spf_alignment: alignment("aspf"),
            is_test: value("t").is_some_and(|value| is(value, "y")),
            psd: match value("psd") {
                Some(value) if is(value, "y") => Psd::Yes,
                Some(value) if is(value, "n") => Psd::No,
                _ => Psd::Unknown,
            },
            aggregate_reports,
            failure_reports: value("ruf").map(uris).unwrap_or_default(),
        })
    }
}

// RFC 9989 section 4.8
//
//   dmarc-record  = dmarc-version *(dmarc-sep dmarc-tag) [dmarc-sep] *WSP
//   dmarc-version = "v" equals %s"DMARC1"
//   dmarc-sep     = *WSP ";" *WSP
//   dmarc-tag     = 1*ALPHA equals 1*dmarc-value
//   equals        = *WSP "=" *WSP
//   dmarc-value   = %x20-3A / %x3C-7E ; any printing character but semicolon
//   dmarc-urilist = URI *(*WSP "," *WSP URI)

/// Each tag with its value; `None` for what is none.
fn tags(text: &str) -> impl Iterator<Item = Option<(&str, &str)>> {
    text.split(';').filter(|tag| !tag.trim_matches(is_space).is_empty()).map(|tag| {
        let (name, value) = tag.split_once('=')?;
        let (name, value) = (name.trim_matches(is_space), value.trim_matches(is_space));
        let is_plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        (is_plain && !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic())).then_some((name, value))
    })
}

fn uris(text: &str) -> Vec<Box<str>> {
    let is_uri = |uri: &&str| {
        uri.split_once(':').is_some_and(|(scheme, rest)| {
            !scheme.is_empty()
                && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
                && !rest.is_empty()
                && !rest.contains(' ')
        })
    };
    text.split(',').map(|uri| uri.trim_matches(is_space)).filter(is_uri).map(Into::into).collect()
}

fn is(text: &str, wanted: &str) -> bool {
    text.eq_ignore_ascii_case(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(policy: Policy) -> Record {
        Record {
            policy,
            subdomain_policy: None,
            non_existent_policy: None,
            dkim_alignment: Alignment::Relaxed,
            spf_alignment: Alignment::Relaxed,
            is_test: false,
            psd: Psd::Unknown,
            aggregate_reports: Vec::new(),
            failure_reports: Vec::new(),
        }
    }

    #[test]
    fn known_answers() {
        let full = Record {
            subdomain_policy: Some(Policy::Quarantine),
            non_existent_policy: Some(Policy::Reject),
            dkim_alignment: Alignment::Strict,
            spf_alignment: Alignment::Strict,
            is_test: true,
            psd: Psd::No,
            aggregate_reports: ["mailto:a@x.test".into(), "mailto:b@y.test!10m".into()].into(),
            failure_reports: ["mailto:c@x.test".into()].into(),
            ..plain(Policy::Reject)
        };
        let reports = Record { aggregate_reports: ["mailto:a@x.test".into()].into(), ..plain(Policy::None) };
        for (text, record) in [
            ("v=DMARC1; p=none", Some(plain(Policy::None))),
            ("V = DMARC1 ;P=Reject;", Some(plain(Policy::Reject))),
            (
                "v=DMARC1; p=reject; sp=quarantine; np=reject; adkim=s; aspf=S; t=y; psd=n; \
                 rua=mailto:a@x.test, mailto:b@y.test!10m; ruf=mailto:c@x.test; fo=1; pct=50",
                Some(full),
            ),
            ("v=DMARC1; p=quarantine; sp=nonsense; adkim=x; =; garbage; p=none", Some(plain(Policy::Quarantine))),
            ("v=DMARC1; rua=mailto:a@x.test", Some(reports.clone())),
            ("v=DMARC1; p=nonsense; rua=mailto:a@x.test", Some(reports)),
            ("v=DMARC1; p=nonsense; rua=nonsense", None),
            ("v=DMARC1", None),
            ("v=dmarc1; p=none", None),
            ("p=none; v=DMARC1", None),
            ("v=DMARC12; p=none", None),
            ("v=spf1 -all", None),
            ("", None),
        ] {
            assert_eq!(Record::parse(text.as_bytes()), record, "{text}");
        }
        assert_eq!(Record::parse(b"v=DMARC1; p=none\xff"), None);
    }
}
