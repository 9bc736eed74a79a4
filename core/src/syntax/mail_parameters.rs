use alloc::format;
use alloc::vec::Vec;
use core::str::FromStr;

use super::parameter::{push, set, set_flag};
use super::{DeliverBy, EnvelopeId, Hold, HoldInterval, Mailbox, Parameter, Ret, decimal, quoting, xtext};
use crate::{Error, ErrorCode};

/// The parameters of MAIL (RFC 5321 section 4.1.1.2). The default is none.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MailParameters {
    /// SIZE (RFC 1870): octets of the content in its form with CRLF, dots that were added not counted.
    pub size: Option<u64>,
    /// BODY (RFC 6152, RFC 3030).
    pub body: Option<BodyType>,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// RET (RFC 3461).
    pub ret: Option<Ret>,
    /// ENVID (RFC 3461).
    pub envid: Option<EnvelopeId>,
    /// AUTH (RFC 4954 section 5).
    pub auth: Option<AuthParameter>,
    /// REQUIRETLS (RFC 8689).
    pub requiretls: bool,
    /// BY (RFC 2852).
    pub deliver_by: Option<DeliverBy>,
    /// HOLDFOR or HOLDUNTIL (RFC 4865).
    pub hold: Option<Hold>,
    /// MT-PRIORITY (RFC 6710).
    pub mt_priority: Option<MtPriority>,
    /// Those that have no field here. [`MailParameters::add`] keeps each keyword to one.
    pub other: Vec<Parameter>,
}

impl MailParameters {
    /// Sets the field that `parameter` stands for, or puts it among the others.
    ///
    /// # Errors
    ///
    /// `usage` if the parameter can't have that value, or is there already.
    pub fn add(&mut self, parameter: Parameter) -> Result<(), Error> {
        match parameter.keyword() {
            "SIZE" => set(&mut self.size, &parameter, parse_size),
            "BODY" => set(&mut self.body, &parameter, |value| value.parse().ok()),
            "SMTPUTF8" => set_flag(&mut self.smtputf8, &parameter),
            "RET" => set(&mut self.ret, &parameter, |value| value.parse().ok()),
            "ENVID" => set(&mut self.envid, &parameter, |value| EnvelopeId::decode(value).ok()),
            "AUTH" => set(&mut self.auth, &parameter, AuthParameter::decode),
            "REQUIRETLS" => set_flag(&mut self.requiretls, &parameter),
            "BY" => set(&mut self.deliver_by, &parameter, |value| value.parse().ok()),
            "HOLDFOR" => set(&mut self.hold, &parameter, |value| {
                decimal::parse(value).and_then(|seconds| HoldInterval::new(seconds).ok()).map(Hold::For)
            }),
            "HOLDUNTIL" => set(&mut self.hold, &parameter, |value| value.parse().ok().map(Hold::Until)),
            "MT-PRIORITY" => set(&mut self.mt_priority, &parameter, |value| value.parse().ok()),
            _ => push(&mut self.other, parameter),
        }
    }

    /// Appends each parameter behind a space; nothing if there are none.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.declared().encode(out);
        self.encode_rest(out);
    }

    /// What is declared of the content.
    pub(super) fn declared(&self) -> ContentDeclaration {
        ContentDeclaration { size: self.size, body: self.body, smtputf8: self.smtputf8 }
    }

    /// As [`encode`](Self::encode), without what is declared of the content.
    pub(super) fn encode_rest(&self, out: &mut Vec<u8>) {
        if let Some(ret) = self.ret {
            out.extend_from_slice(b" RET=");
            out.extend_from_slice(ret.as_str().as_bytes());
        }
        if let Some(envid) = &self.envid {
            out.extend_from_slice(b" ENVID=");
            envid.encode(out);
        }
        if let Some(auth) = &self.auth {
            out.extend_from_slice(b" AUTH=");
            xtext::encode(auth.mailbox().map_or("<>", Mailbox::as_str), out);
        }
        if self.requiretls {
            out.extend_from_slice(b" REQUIRETLS");
        }
        if let Some(deliver_by) = self.deliver_by {
            out.extend_from_slice(b" BY=");
            deliver_by.encode(out);
        }
        match &self.hold {
            None => {}
            Some(Hold::For(interval)) => {
                out.extend_from_slice(b" HOLDFOR=");
                decimal::push(interval.seconds().into(), out);
            }
            Some(Hold::Until(moment)) => {
                out.extend_from_slice(b" HOLDUNTIL=");
                out.extend_from_slice(moment.as_str().as_bytes());
            }
        }
        if let Some(MtPriority(priority)) = self.mt_priority {
            out.extend_from_slice(if priority < 0 { b" MT-PRIORITY=-" } else { b" MT-PRIORITY=" });
            decimal::push(priority.unsigned_abs().into(), out);
        }
        for parameter in &self.other {
            parameter.encode(out);
        }
    }
}

/// What MAIL declares of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ContentDeclaration {
    /// SIZE (RFC 1870).
    pub size: Option<u64>,
    /// BODY (RFC 6152, RFC 3030).
    pub body: Option<BodyType>,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
}

impl ContentDeclaration {
    /// Appends each parameter behind a space; nothing if there are none.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        if let Some(size) = self.size {
            out.extend_from_slice(b" SIZE=");
            decimal::push(size, out);
        }
        if let Some(body) = self.body {
            out.extend_from_slice(b" BODY=");
            out.extend_from_slice(body.as_str().as_bytes());
        }
        if self.smtputf8 {
            out.extend_from_slice(b" SMTPUTF8");
        }
    }
}

// RFC 1870 section 5: size-value = 1*20DIGIT
fn parse_size(value: &str) -> Option<u64> {
    if value.len() <= 20 { decimal::parse(value) } else { None }
}

/// What bytes the content is made of (RFC 6152 section 3, RFC 3030 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyType {
    /// Lines of ASCII.
    SevenBit,
    /// Lines of any bytes but NUL.
    EightBitMime,
    /// Any bytes; by BDAT only.
    BinaryMime,
}

impl BodyType {
    /// The value as it goes out.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
        }
    }
}

impl FromStr for BodyType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::SevenBit, Self::EightBitMime, Self::BinaryMime]
            .into_iter()
            .find(|body| body.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| {
                let what = format!("{} is none of 7BIT, 8BITMIME and BINARYMIME", quoting::Text(text));
                Error::new(ErrorCode::Usage, what)
            })
    }
}

/// Who first submitted the message, as far as it is known (RFC 4954 section 5).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AuthParameter {
    /// `<>`: it is not known, or not trusted.
    Unknown,
    /// Somebody who was authenticated.
    Mailbox(Mailbox),
}

impl AuthParameter {
    /// The mailbox, if it is known.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Unknown => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    fn decode(value: &str) -> Option<Self> {
        match xtext::decode(value)?.as_str() {
            "<>" => Some(Self::Unknown),
            mailbox => mailbox.parse().ok().map(Self::Mailbox),
        }
    }
}

/// How urgent the message is: -9 to 9 (RFC 6710 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MtPriority(i8);

impl MtPriority {
    /// A priority, if it is from -9 to 9.
    pub const fn new(priority: i8) -> Option<Self> {
        match priority {
            -9..=9 => Some(Self(priority)),
            _ => None,
        }
    }

    /// The priority as a number.
    pub const fn as_i8(self) -> i8 {
        self.0
    }
}

impl FromStr for MtPriority {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // priority-value = (["-"] NZDIGIT) / "0"
        match text.as_bytes() {
            b"0" | [b'1'..=b'9'] | [b'-', b'1'..=b'9'] => text.parse().ok().and_then(Self::new),
            _ => None,
        }
        .ok_or_else(|| Error::new(ErrorCode::Usage, format!("{} is no priority from -9 to 9", quoting::Text(text))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::parameter::parse_each;

    fn parse(text: &str) -> Result<MailParameters, Error> {
        let mut parameters = MailParameters::default();
        parse_each(text, |parameter| parameters.add(parameter))?;
        Ok(parameters)
    }

    fn encode(parameters: &MailParameters) -> alloc::string::String {
        let mut out = Vec::new();
        parameters.encode(&mut out);
        alloc::string::String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_there_and_back() {
        for text in [
            "",
            " SIZE=0",
            " SIZE=18446744073709551615",
            " BODY=7BIT",
            " BODY=8BITMIME",
            " BODY=BINARYMIME",
            " SMTPUTF8",
            " RET=FULL",
            " RET=HDRS",
            " ENVID=QQ+20314159",
            " AUTH=<>",
            " AUTH=e+3Dmc2@example.com",
            " AUTH=jos+C3+A9@example.com",
            " REQUIRETLS",
            " BY=120;RT",
            " BY=-30;N",
            " HOLDFOR=86400",
            " HOLDUNTIL=2030-01-31T12:00:00Z",
            " MT-PRIORITY=-9",
            " MT-PRIORITY=0",
            " MT-PRIORITY=9",
            " XVERP",
            " X-A=b X-C",
            " SIZE=1 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a AUTH=<> REQUIRETLS BY=1;R HOLDFOR=1 MT-PRIORITY=1 X=y",
        ] {
            let parameters = parse(text).unwrap();
            assert_eq!(encode(&parameters), text);
            assert_eq!(parameters == MailParameters::default(), text.is_empty());
            assert_eq!(encode(&parse(&text.to_lowercase()).unwrap()).to_lowercase(), text.to_lowercase());
        }
        assert_eq!(parse("  SIZE=1   REQUIRETLS ").unwrap(), parse("SIZE=1 REQUIRETLS").unwrap());
        assert_eq!(parse("SIZE=99999999999999999999").unwrap().size, Some(u64::MAX));
    }

    #[test]
    fn what_they_can_not_be() {
        for text in [
            "SIZE",
            "SIZE=",
            "SIZE=-1",
            "SIZE=1k",
            "SIZE=100000000000000000000",
            "BODY=9BIT",
            "SMTPUTF8=1",
            "RET=ALL",
            "ENVID=+",
            "AUTH=a",
            "AUTH=",
            "AUTH=<a@b>",
            "AUTH=a@b+0D+0A",
            "REQUIRETLS=NO",
            "BY=0;R",
            "HOLDFOR=0",
            "HOLDFOR=1000000000",
            "HOLDUNTIL=tomorrow",
            "MT-PRIORITY=10",
            "MT-PRIORITY=-10",
            "MT-PRIORITY=+1",
            "MT-PRIORITY=-0",
            "MT-PRIORITY=00",
            "SIZE=1 SIZE=1",
            "size=1 SIZE=2",
            "SMTPUTF8 SMTPUTF8",
            "HOLDFOR=1 HOLDUNTIL=2030-01-31T12:00:00Z",
            "X=1 x=2",
            "SIZE=1\tBODY=7BIT",
            "X=1\r\nRSET",
            "X=\0",
            "=1",
        ] {
            assert_eq!(parse(text).map_err(|error| error.code()), Err(ErrorCode::Usage), "{text:?}");
        }
    }

    #[test]
    fn the_error_names_the_parameter() {
        assert_eq!(parse("BODY=9BIT").unwrap_err().what(), r#"the parameter "BODY=9BIT" can't have this value"#);
        assert_eq!(parse("RET").unwrap_err().what(), r#"the parameter "RET" needs a value"#);
        assert_eq!(parse("X x").unwrap_err().what(), r#"the parameter "X" is there twice"#);
    }

    #[test]
    fn priorities() {
        assert_eq!(MtPriority::new(-9).map(MtPriority::as_i8), Some(-9));
        assert_eq!((MtPriority::new(-10), MtPriority::new(10)), (None, None));
    }
}
