//! Signing (RFC 6376 §5).

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::hashes::{BodyHash, header_hash};
use super::key::SigningKey;
use super::message::Message;
use crate::dns::Name;
use crate::syntax::dkim::{Canonicalization, Signature};
use crate::syntax::{Domain, Header};
use crate::{Error, ErrorCode};

/// What is signed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningOptions {
    /// What the message may suffer on its way.
    pub canonicalization: Canonicalization,
    /// The names of the fields that are signed, each as often as it is there. From is always among them.
    pub headers: Vec<String>,
    /// Whether each field is signed once more than it is there, so that nobody can add one.
    pub over_sign: bool,
    /// For how many seconds the signature holds; for ever where it is not said.
    pub lifetime: Option<u64>,
}

impl Default for SigningOptions {
    /// `relaxed/relaxed`, the fields of RFC 6376 §5.4.1 and those of MIME, over-signed, for ever.
    fn default() -> Self {
        let headers = USUAL.iter().map(|name| (*name).to_owned()).collect();
        Self { canonicalization: Canonicalization::default(), headers, over_sign: true, lifetime: None }
    }
}

/// What readers see, and what decides how the body is read.
const USUAL: [&str; 13] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];

/// A key, in whose name it signs, and how.
#[derive(Clone, Debug)]
pub struct Signer {
    key: Arc<SigningKey>,
    domain: Box<str>,
    selector: Box<str>,
    options: Arc<SigningOptions>,
}

impl Signer {
    /// Signs in the name of `domain`, with the key whose record is at `SELECTOR._domainkey.DOMAIN`.
    ///
    /// # Errors
    ///
    /// `usage` if that is no name that the DNS could have, or an option makes no sense.
    pub fn new(key: SigningKey, domain: &Domain, selector: &str, options: SigningOptions) -> Result<Self, Error> {
        let domain = Name::try_from(domain).map_err(|error| usage(error.what().to_owned()))?;
        // RFC 6376 §3.1: a selector is made of sub-domains.
        let selector = selector.parse::<Domain>().ok().filter(|it| it.is_ascii() && !it.is_literal());
        let selector = selector.ok_or_else(|| usage("a selector is made of letters, digits and hyphens".into()))?;
        if Name::read(&alloc::format!("{selector}._domainkey.{domain}")).is_none() {
            return Err(usage("selector and domain are too long together".into()));
        }
        let is_name = |name: &String| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && !b":;".contains(&byte))
        };
        if !options.headers.iter().all(is_name) {
            return Err(usage("the fields to be signed must be named by what field names are made of".into()));
        }
        let (domain, selector) = (domain.as_str().into(), selector.as_str().into());
        Ok(Self { key: key.into(), domain, selector, options: options.into() })
    }

    /// Begins to sign a message.
    pub fn begin(&self) -> Signing {
        const MOST_HEADER: usize = 16 * 1024 * 1024;
        let body = BodyHash::new(self.options.canonicalization.body, None);
        Signing { signer: self.clone(), message: Message::new(MOST_HEADER), body }
    }

    fn names(&self, header: &[u8]) -> Vec<Box<str>> {
        let mut names: Vec<Box<str>> = Vec::new();
        let mut done: Vec<&str> = Vec::new();
        for name in self.options.headers.iter().map(String::as_str).chain(["From"]) {
            if done.iter().any(|it| it.eq_ignore_ascii_case(name)) {
                continue;
            }
            done.push(name);
            let there = Header::of(header).fields().filter(|field| field.is(name)).count();
            let count = there + usize::from(self.options.over_sign);
            names.extend(core::iter::repeat_n(Box::<str>::from(name.to_ascii_lowercase()), count));
        }
        names
    }
}

/// A message that is being signed.
#[derive(Clone, Debug)]
pub struct Signing {
    signer: Signer,
    message: Message,
    body: BodyHash,
}

impl Signing {
    /// Takes the next piece of the message, header first.
    pub fn feed(&mut self, piece: &[u8]) {
        let body = self.message.feed(piece);
        self.body.feed(body);
    }

    /// The `DKIM-Signature` field, to go before the message: folded, with CR LF at its end. `time` is in seconds since 1970; without it the
    /// signature does not say when it was made, and holds for ever.
    ///
    /// # Errors
    ///
    /// `message.no_sender` if there is no From field, which has to be signed. `usage` if the key can't sign.
    pub fn finish(self, time: Option<u64>) -> Result<String, Error> {
        let Self { signer, message, body } = self;
        let header = message.header();
        if message.is_too_large() || !Header::of(header).fields().any(|field| field.is("From")) {
            return Err(Error::new(ErrorCode::MessageNoSender, "a message without a From field can't be signed"));
        }
        let form = signer.options.canonicalization.header;
        let expiry = signer.options.lifetime.and_then(|lifetime| time?.checked_add(lifetime.max(1)));
        let unsigned = Signature {
            algorithm: signer.key.algorithm().as_str().into(),
            signature: Vec::new(),
            // No length was given that the body could fall short of.
            body_hash: body.finish().unwrap_or_default().into(),
            canonicalization: signer.options.canonicalization,
            domain: signer.domain.clone(),
            selector: signer.selector.clone(),
            headers: signer.names(header),
            identity: None,
            length: None,
            time,
            expiry,
        };
        let mut field = unsigned.begin();
        let hash = header_hash(header, &unsigned.headers, form, field.as_bytes(), None);
        field.push_str(&Signature::folded_value(&signer.key.sign(&hash)?));
        field.push_str("\r\n");
        Ok(field)
    }
}

fn usage(what: String) -> Error {
    Error::new(ErrorCode::Usage, what)
}
