use alloc::boxed::Box;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use base64ct::{Base64, Encoding as _};

use crate::syntax::tag_list::{TagList, is_space};
use crate::{Error, ErrorCode};

/// How a message is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `rsa-sha256` (RFC 6376 §3.3.2).
    RsaSha256,
    /// `ed25519-sha256` (RFC 8463 §3).
    Ed25519Sha256,
}

impl Algorithm {
    /// `rsa-sha256` or `ed25519-sha256`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
        }
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found =
            [Self::RsaSha256, Self::Ed25519Sha256].into_iter().find(|it| text.eq_ignore_ascii_case(it.as_str()));
        found.ok_or_else(|| Error::new(ErrorCode::Usage, "an algorithm is rsa-sha256 or ed25519-sha256"))
    }
}

/// What a message may suffer on its way without a signature failing (RFC 6376 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Nothing.
    Simple,
    /// Changes of white space, and of the case of names of fields.
    Relaxed,
}

impl Form {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Relaxed => "relaxed",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::Simple, Self::Relaxed].into_iter().find(|it| text.eq_ignore_ascii_case(it.as_str()))
    }
}

/// What header and body may suffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Canonicalization {
    /// The header.
    pub header: Form,
    /// The body.
    pub body: Form,
}

impl Default for Canonicalization {
    /// `relaxed/relaxed`, which most signers use.
    fn default() -> Self {
        Self { header: Form::Relaxed, body: Form::Relaxed }
    }
}

impl fmt::Display for Canonicalization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.header.as_str(), self.body.as_str())
    }
}

impl FromStr for Canonicalization {
    type Err = Error;

    /// `relaxed/simple`; without a slash the body is `simple` (RFC 6376 §3.5).
    fn from_str(text: &str) -> Result<Self, Error> {
        let (header, body) = text.split_once('/').unwrap_or((text, "simple"));
        match (Form::read(header), Form::read(body)) {
            (Some(header), Some(body)) => Ok(Self { header, body }),
            _ => Err(Error::new(
                ErrorCode::Usage,
                "a canonicalization is simple or relaxed, with / between header and body",
            )),
        }
    }
}

/// What a `DKIM-Signature` field says (RFC 6376 §3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `a`, as it is written: it may be one that nobody should use.
    pub algorithm: Box<str>,
    /// `b`: the signature itself.
    pub signature: Vec<u8>,
    /// `bh`: the hash of the body.
    pub body_hash: Vec<u8>,
    /// `c`
    pub canonicalization: Canonicalization,
    /// `d`: in whose name it is signed.
    pub domain: Box<str>,
    /// `s`: which of the domain's keys it is.
    pub selector: Box<str>,
    /// `h`: the fields that are signed, in that order.
    pub headers: Vec<Box<str>>,
    /// `i`: for whom within the domain it is signed; the domain itself where it is not said.
    pub identity: Option<Box<str>>,
    /// `l`: how many octets of the body are signed; all where it is not said.
    pub length: Option<u64>,
    /// `t`: when it was signed, in seconds since 1970.
    pub time: Option<u64>,
    /// `x`: until when it holds, in seconds since 1970.
    pub expiry: Option<u64>,
}

impl Signature {
    /// Reads the body of a `DKIM-Signature` field, folded or not.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as a clause without a full stop.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let tags = TagList::read(text).ok_or("the signature is no list of tags")?;
        let needed = |name: &str| tags.value(name).filter(|value| !value.is_empty());
        if needed("v") != Some("1") {
            return Err("the signature is of an unknown version");
        }
        if needed("q")
            .is_some_and(|methods| !methods.split(':').any(|method| method.trim_matches(is_space) == "dns/txt"))
        {
            return Err("the signature wants its key looked up in an unknown way");
        }
        let number = |name: &str| match tags.value(name) {
            None => Ok(None),
            Some(digits)
                if digits.is_empty() || digits.len() > 76 || !digits.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                Err("the signature has a malformed number")
            }
            // RFC 6376 §3.5: what is too large is for ever.
            Some(digits) => Ok(Some(digits.parse().unwrap_or(u64::MAX))),
        };
        let headers: Vec<Box<str>> = needed("h")
            .ok_or("the signature names no fields")?
            .split(':')
            .map(|it| it.trim_matches(is_space).into())
            .collect();
        if !headers.iter().any(|name| name.eq_ignore_ascii_case("from")) {
            return Err("the signature does not cover the From field");
        }
        let canonicalization = match tags.value("c") {
            Some(text) => text.parse().map_err(|_| "the signature has an unknown canonicalization")?,
            None => Canonicalization { header: Form::Simple, body: Form::Simple },
        };
        let (time, expiry) = (number("t")?, number("x")?);
        if let (Some(time), Some(expiry)) = (time, expiry)
            && expiry <= time
        {
            return Err("the signature has expired before it was made");
        }
        Ok(Self {
            algorithm: needed("a").ok_or("the signature has no algorithm")?.into(),
            signature: base64(needed("b").ok_or("the signature lacks the signature itself")?).ok_or(NOT_BASE64)?,
            body_hash: base64(needed("bh").ok_or("the signature has no hash of the body")?).ok_or(NOT_BASE64)?,
            canonicalization,
            domain: needed("d").ok_or("the signature names no domain")?.into(),
            selector: needed("s").ok_or("the signature names no key")?.into(),
            headers,
            identity: tags.value("i").map(Into::into),
            length: number("l")?,
            time,
            expiry,
        })
    }

    /// The field without its value for `b`, to which that has to be appended: folded, without a line end.
    pub fn begin(&self) -> String {
        let mut field = alloc::format!("DKIM-Signature: v=1; a={}; c={};", self.algorithm, self.canonicalization);
        let mut push = |tag: String| {
            field.push_str("\r\n\t");
            field.push_str(&tag);
        };
        push(alloc::format!("d={}; s={};", self.domain, self.selector));
        let numbers = [("t", self.time), ("x", self.expiry), ("l", self.length)];
        for (name, value) in numbers.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            push(alloc::format!("{name}={value};"));
        }
        if let Some(identity) = &self.identity {
            push(alloc::format!("i={identity};"));
        }
        push(folded_list("h=", &self.headers));
        push(alloc::format!("bh={};", Base64::encode_string(&self.body_hash)));
        push("b=".to_string());
        field
    }

    /// The value of `b`, folded, to go behind [`begin`](Self::begin).
    pub fn folded_value(signature: &[u8]) -> String {
        const LINE: usize = 72;
        let text = Base64::encode_string(signature);
        let mut folded = String::new();
        for (place, c) in text.chars().enumerate() {
            if place > 0 && place % LINE == 0 {
                folded.push_str("\r\n\t");
            }
            folded.push(c);
        }
        folded
    }
}

fn folded_list(front: &str, names: &[Box<str>]) -> String {
    const LINE: usize = 72;
    let (mut text, mut width) = (String::from(front), front.len());
    for (place, name) in names.iter().enumerate() {
        if place > 0 {
            text.push(':');
            if width + name.len() > LINE {
                text.push_str("\r\n\t");
                width = 0;
            }
        }
        text.push_str(name);
        width += name.len() + 1;
    }
    text.push(';');
    text
}

const NOT_BASE64: &str = "the signature holds what is no base64";

/// RFC 6376 §2.10: white space may stand within.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let text: String = text.chars().filter(|c| !is_space(*c)).collect();
    Base64::decode_vec(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    /// RFC 8463 appendix A.3.
    const ED25519: &str = " v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; i=@football.example.com;\r\n \
         q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : message-id : from : subject : date;\r\n \
         bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n \
         b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n";

    #[test]
    fn known_answers() {
        let it = Signature::parse(ED25519).unwrap();
        assert_eq!(
            (&*it.algorithm, &*it.domain, &*it.selector),
            ("ed25519-sha256", "football.example.com", "brisbane")
        );
        assert_eq!((it.signature.len(), it.body_hash.len(), it.headers.len()), (64, 32, 8));
        assert_eq!((it.time, it.expiry, it.length), (Some(1_528_637_909), None, None));
        assert_eq!(it.identity.as_deref(), Some("@football.example.com"));
        let written = format!("{}{}", it.begin(), Signature::folded_value(&it.signature));
        assert!(written.split("\r\n").all(|line| line.len() <= 78), "{written}");
        assert_eq!(Signature::parse(written.strip_prefix("DKIM-Signature:").unwrap()), Ok(it));
    }

    #[test]
    fn what_is_none() {
        for (from, to) in [
            ("v=1", "v=2"),
            ("v=1; ", ""),
            ("a=ed25519-sha256;", ""),
            ("relaxed/relaxed", "nowsp"),
            ("h=from", "h=x"),
            ("from : subject : date;", "subject; l=x;"),
            ("dns/txt", "dns"),
            ("bh=2", "bh=!"),
            ("b=/", "b=!"),
            ("d=football.example.com;", ""),
            ("s=brisbane;", "s=;"),
            ("t=1528637909", "t=1528637909; x=1528637909"),
            ("s=brisbane", "s=a; s=b"),
        ] {
            let text = if from == "h=from" { ED25519.replace("from", "x") } else { ED25519.replace(from, to) };
            assert!(Signature::parse(&text).is_err(), "{to}");
        }
    }

    #[test]
    fn forms() {
        for (text, shown) in [("relaxed", "relaxed/simple"), ("Simple/Relaxed", "simple/relaxed")] {
            assert_eq!(text.parse::<Canonicalization>().unwrap().to_string(), shown);
        }
        assert!("relaxed/".parse::<Canonicalization>().is_err());
    }
}
