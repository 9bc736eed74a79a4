//! What a sender asks about delivery status notifications (RFC 3461, RFC 6533).

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::{Mailbox, quoting, xtext};
use crate::{Error, ErrorCode};

/// How much of the message comes back with a failure (RFC 3461 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// All of it.
    Full,
    /// Its header.
    Hdrs,
}

impl Ret {
    /// The value as it goes out.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Hdrs => "HDRS",
        }
    }
}

impl FromStr for Ret {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::Full, Self::Hdrs]
            .into_iter()
            .find(|ret| ret.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| usage(text, "is neither FULL nor HDRS"))
    }
}

/// The sender's own name for the transaction, which comes back in notifications (RFC 3461 section 4.4).
///
/// Printable ASCII and spaces, at most 100 octets as xtext.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EnvelopeId(Box<str>);

impl EnvelopeId {
    /// The name, not encoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Appends it as xtext.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        xtext::encode(&self.0, out);
    }

    pub(super) fn decode(value: &str) -> Result<Self, Error> {
        xtext::decode(value).ok_or_else(|| usage(value, "is not xtext"))?.parse()
    }
}

impl FromStr for EnvelopeId {
    type Err = Error;

    /// From text that is not encoded.
    fn from_str(text: &str) -> Result<Self, Error> {
        const LONGEST: usize = 100;
        if text.is_empty() || !is_printable_ascii(text) {
            Err(usage(text, "is no envelope id, which is printable ASCII"))
        } else if xtext::encoded_length(text) > LONGEST {
            Err(usage(text, "is no envelope id, since it has more than 100 octets as xtext"))
        } else {
            Ok(Self(text.into()))
        }
    }
}

impl fmt::Display for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When the sender wants to hear of a recipient (RFC 3461 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Notify {
    success: bool,
    failure: bool,
    delay: bool,
}

// RFC 3461 section 4.1
//
//   notify-esmtp-value   = "NEVER" / 1#notify-list-element
//   notify-list-element  = "SUCCESS" / "FAILURE" / "DELAY"

impl Notify {
    /// In no case.
    pub const NEVER: Self = Self::on(false, false, false);

    /// In each of these cases; with none of them it is [`Notify::NEVER`].
    pub const fn on(success: bool, failure: bool, delay: bool) -> Self {
        Self { success, failure, delay }
    }

    /// Whether in no case.
    pub fn is_never(self) -> bool {
        self == Self::NEVER
    }

    /// Whether on delivery.
    pub fn success(self) -> bool {
        self.success
    }

    /// Whether on failure.
    pub fn failure(self) -> bool {
        self.failure
    }

    /// Whether on delay.
    pub fn delay(self) -> bool {
        self.delay
    }

    /// The value as it goes out.
    pub const fn as_str(self) -> &'static str {
        match (self.success, self.failure, self.delay) {
            (false, false, false) => "NEVER",
            (true, false, false) => "SUCCESS",
            (false, true, false) => "FAILURE",
            (false, false, true) => "DELAY",
            (true, true, false) => "SUCCESS,FAILURE",
            (true, false, true) => "SUCCESS,DELAY",
            (false, true, true) => "FAILURE,DELAY",
            (true, true, true) => "SUCCESS,FAILURE,DELAY",
        }
    }
}

impl FromStr for Notify {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.eq_ignore_ascii_case("NEVER") {
            return Ok(Self::NEVER);
        }
        let mut notify = Self::NEVER;
        for element in text.split(',') {
            match element {
                _ if element.eq_ignore_ascii_case("SUCCESS") => notify.success = true,
                _ if element.eq_ignore_ascii_case("FAILURE") => notify.failure = true,
                _ if element.eq_ignore_ascii_case("DELAY") => notify.delay = true,
                _ => return Err(usage(text, "is neither NEVER nor a list of SUCCESS, FAILURE and DELAY")),
            }
        }
        Ok(notify)
    }
}

/// The address to which the message was first sent (RFC 3461 section 4.2, RFC 6533 section 3).
///
/// Of the type `utf-8` it is any text without control characters, of any other type printable ASCII. Encoded it has at most
/// 500 octets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OriginalRecipient {
    address_type: Box<str>,
    address: Box<str>,
}

// RFC 3461 section 4.2, RFC 6533 section 3
//
//   original-recipient-address = addr-type ";" xtext
//   addr-type                  = atom
//   utf-8-type-addr            = "utf-8;" ( utf-8-addr-xtext / utf-8-addr-unitext )

impl OriginalRecipient {
    /// An address, not encoded, of a type: `rfc822`, `utf-8`, `x400`, ...
    ///
    /// # Errors
    ///
    /// `usage` if the type is no atom, or the address can't be of that type, or both are too long.
    pub fn new(address_type: &str, address: &str) -> Result<Self, Error> {
        const LONGEST: usize = 500;
        let unicode = is_utf8_type(address_type);
        let allowed = if unicode { !quoting::has_control(address) } else { is_printable_ascii(address) };
        let encoded = if unicode { xtext::encoded_unicode_length(address) } else { xtext::encoded_length(address) };
        if !is_atom(address_type) {
            Err(usage(address_type, "is no type of address"))
        } else if address.is_empty() || !allowed {
            Err(usage(address, "can't be an original recipient of that type"))
        } else if address_type.len() + 1 + encoded > LONGEST {
            Err(usage(address, "is too long for an original recipient"))
        } else {
            Ok(Self { address_type: address_type.into(), address: address.into() })
        }
    }

    /// The type as it was written.
    pub fn address_type(&self) -> &str {
        &self.address_type
    }

    /// The address, not encoded.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Type and address as they stand in a notification (RFC 3464 section 2.3.1): not encoded, but for what is outside ASCII
    /// unless `unicode` is set, as in one of the type `message/global-delivery-status` (RFC 6533 section 3).
    pub fn in_notification(&self, unicode: bool) -> String {
        in_notification(&self.address_type, &self.address, unicode)
    }

    /// Appends the type, a semicolon and the address encoded.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.address_type.as_bytes());
        out.push(b';');
        if is_utf8_type(&self.address_type) {
            xtext::encode_unicode(&self.address, out);
        } else {
            xtext::encode(&self.address, out);
        }
    }

    pub(super) fn decode(value: &str) -> Result<Self, Error> {
        let Some((address_type, encoded)) = value.split_once(';') else {
            return Err(usage(value, "has no type of address"));
        };
        let address: Option<String> =
            if is_utf8_type(address_type) { xtext::decode_unicode(encoded) } else { xtext::decode(encoded) };
        Self::new(address_type, &address.ok_or_else(|| usage(value, "is not xtext"))?)
    }
}

impl TryFrom<&Mailbox> for OriginalRecipient {
    type Error = Error;

    /// The mailbox as type `rfc822`, or `utf-8` if it is outside ASCII.
    fn try_from(mailbox: &Mailbox) -> Result<Self, Error> {
        Self::new(if mailbox.is_ascii() { "rfc822" } else { "utf-8" }, mailbox.as_str())
    }
}

/// A mailbox as it stands in a notification (RFC 3464 section 2.3.2): of the type `rfc822`, or `utf-8` if it is outside ASCII.
/// There its backslashes are taken literally only if `unicode` is set (RFC 6533 section 3).
pub(crate) fn recipient_in_notification(address: &str, unicode: bool) -> String {
    in_notification(if address.is_ascii() { "rfc822" } else { "utf-8" }, address, unicode)
}

fn in_notification(address_type: &str, address: &str, unicode: bool) -> String {
    if unicode || !is_utf8_type(address_type) {
        return format!("{address_type}; {address}");
    }
    let mut encoded = Vec::new();
    xtext::encode_unicode(address, &mut encoded);
    format!("{address_type}; {}", String::from_utf8_lossy(&encoded))
}

fn is_utf8_type(address_type: &str) -> bool {
    address_type.eq_ignore_ascii_case("utf-8")
}

/// RFC 5322 section 3.2.3, without the equals sign, which no value of a parameter can hold.
fn is_atom(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/?^_`{|}~".contains(&byte))
}

fn is_printable_ascii(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn usage(text: &str, why: &str) -> Error {
    Error::new(ErrorCode::Usage, format!("{} {why}", quoting::Text(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelope_ids() {
        for (text, value) in [("QQ314159", "QQ314159"), ("a b+c=d", "a+20b+2Bc+3Dd")] {
            let id: EnvelopeId = text.parse().unwrap();
            let mut out = Vec::new();
            id.encode(&mut out);
            assert_eq!(out, value.as_bytes());
            assert_eq!(EnvelopeId::decode(value), Ok(id));
        }
        assert!("a".repeat(100).parse::<EnvelopeId>().is_ok());
        for text in ["", "a\r\nb", "a\0", "é", "\t", &"a".repeat(101), &"+".repeat(34)] {
            assert!(text.parse::<EnvelopeId>().is_err(), "{text:?}");
        }
        for value in ["", "+0D+0A", "+", "+C3+A9"] {
            assert!(EnvelopeId::decode(value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn notify_there_and_back() {
        for success in [false, true] {
            for failure in [false, true] {
                for delay in [false, true] {
                    let notify = Notify::on(success, failure, delay);
                    assert_eq!(notify.as_str().to_lowercase().parse(), Ok(notify));
                    assert_eq!((notify.success(), notify.failure(), notify.delay()), (success, failure, delay));
                    assert_eq!(notify.is_never(), notify.as_str() == "NEVER");
                }
            }
        }
        for text in ["", "NEVER,SUCCESS", "SUCCESS,", ",", "SUCCESS;DELAY", "SUCCESS DELAY", "ALWAYS"] {
            assert!(text.parse::<Notify>().is_err(), "{text}");
        }
    }

    #[test]
    fn original_recipients() {
        for (address_type, address, value) in [
            ("rfc822", "user@example.com", "rfc822;user@example.com"),
            ("rfc822", "a+b@example.com", "rfc822;a+2Bb@example.com"),
            ("RFC822", "\"a b\"@example.com", "RFC822;\"a+20b\"@example.com"),
            ("utf-8", "josé@exämple.test", r"utf-8;jos\x{E9}@ex\x{E4}mple.test"),
            ("x400", "/G=A/S=B;C", "x400;/G+3DA/S+3DB;C"),
        ] {
            let recipient = OriginalRecipient::new(address_type, address).unwrap();
            let mut out = Vec::new();
            recipient.encode(&mut out);
            assert_eq!(out, value.as_bytes());
            assert_eq!(OriginalRecipient::decode(value), Ok(recipient));
        }
        assert_eq!(OriginalRecipient::decode("utf-8;josé@x").unwrap().address(), "josé@x");
        let mailbox: Mailbox = "josé@example.com".parse().unwrap();
        assert_eq!(OriginalRecipient::try_from(&mailbox).unwrap().address_type(), "utf-8");
    }

    #[test]
    fn in_a_notification() {
        for (value, ascii, unicode) in [
            ("rfc822;a+2Bb@example.com", "rfc822; a+b@example.com", "rfc822; a+b@example.com"),
            ("x400;/G+3DA/", "x400; /G=A/", "x400; /G=A/"),
            (r"utf-8;jos\x{E9}@x", r"utf-8; jos\x{E9}@x", "utf-8; josé@x"),
        ] {
            let recipient = OriginalRecipient::decode(value).unwrap();
            assert_eq!(recipient.in_notification(false), ascii);
            assert_eq!(recipient.in_notification(true), unicode);
        }
        assert_eq!(recipient_in_notification("a@b", false), "rfc822; a@b");
        assert_eq!(recipient_in_notification("é@b", false), r"utf-8; \x{E9}@b");
        assert_eq!(recipient_in_notification("é@b", true), "utf-8; é@b");
    }

    #[test]
    fn what_is_no_original_recipient() {
        for (address_type, address) in [
            ("", "a"),
            ("rfc 822", "a"),
            ("rfc822\r\n", "a"),
            ("a=b", "a"),
            ("rfc822", ""),
            ("rfc822", "a\r\nRSET"),
            ("rfc822", "é"),
            ("utf-8", "a\nb"),
            ("utf-8", "a\0b"),
            ("rfc822", &"a".repeat(494)),
        ] {
            assert!(OriginalRecipient::new(address_type, address).is_err(), "{address_type:?} {address:?}");
        }
        for value in ["", "a@b", ";a@b", "rfc822;", "rfc822;a+0D+0Ab", r"utf-8;\x{0A}", "rfc822;+", "rfc822;é"] {
            assert!(OriginalRecipient::decode(value).is_err(), "{value:?}");
        }
    }
}
