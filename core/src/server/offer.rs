//! What is offered at a moment, and whether a command keeps to it.

use alloc::format;
use alloc::vec::Vec;

use super::config::{Config, Offer, Protocol, Role, Tls};
use super::peer::TlsInfo;
use super::words::{BINARY_NEEDS_BDAT, NEEDS_SMTPUTF8, TOO_LARGE, UNKNOWN_PARAMETER, Words};
use crate::sasl::Mechanism;
use crate::syntax::{BodyType, ForwardPath, MailParameters, RcptParameters, ReversePath};

impl Offer {
    /// What of it is true: nothing for who has said HELO, and nothing without what it needs.
    pub(super) fn at_this_moment(self, extended: bool, tls: bool) -> Self {
        if !extended {
            return Self { enhanced_status_codes: self.enhanced_status_codes, ..Self::nothing() };
        }
        Self {
            binarymime: self.binarymime && self.chunking,
            smtputf8: self.smtputf8 && self.eight_bit_mime,
            requiretls: self.requiretls && tls,
            ..self
        }
    }

    /// Whether MAIL keeps to what is offered.
    pub(super) fn check_mail(
        &self,
        path: &ReversePath,
        parameters: &MailParameters,
        auth: bool,
        largest: u64,
    ) -> Result<(), Words> {
        let MailParameters {
            size,
            body,
            smtputf8,
            ret,
            envid,
            auth: auth_parameter,
            requiretls,
            deliver_by,
            hold,
            mt_priority,
            other,
        } = parameters;
        let body_is_offered = match body {
            None => true,
            Some(BodyType::SevenBit | BodyType::EightBitMime) => self.eight_bit_mime,
            Some(BodyType::BinaryMime) => self.binarymime,
        };
        let is_offered = body_is_offered
            && (size.is_none() || self.size)
            && (!smtputf8 || self.smtputf8)
            && (ret.is_none() && envid.is_none() || self.dsn)
            && (auth_parameter.is_none() || auth)
            && (!requiretls || self.requiretls)
            && deliver_by.is_none()
            && hold.is_none()
            && mt_priority.is_none()
            && other.is_empty();
        if !is_offered {
            return Err(UNKNOWN_PARAMETER);
        }
        if !smtputf8 && !path.is_ascii() {
            return Err(NEEDS_SMTPUTF8);
        }
        if size.is_some_and(|size| size > largest) { Err(TOO_LARGE) } else { Ok(()) }
    }

    /// Whether RCPT keeps to what is offered, and to what MAIL has declared.
    pub(super) fn check_rcpt(
        &self,
        path: &ForwardPath,
        parameters: &RcptParameters,
        mail: &MailParameters,
    ) -> Result<(), Words> {
        let RcptParameters { notify, orcpt, other } = parameters;
        if (notify.is_some() || orcpt.is_some()) && !self.dsn || !other.is_empty() {
            return Err(UNKNOWN_PARAMETER);
        }
        if path.is_ascii() || mail.smtputf8 { Ok(()) } else { Err(NEEDS_SMTPUTF8) }
    }
}

/// Whether DATA can carry what MAIL has declared (RFC 3030 §3).
pub(super) fn check_data(mail: &MailParameters) -> Result<(), Words> {
    if mail.body == Some(BodyType::BinaryMime) { Err(BINARY_NEEDS_BDAT) } else { Ok(()) }
}

/// The mechanisms that make sense at this moment.
pub(super) fn mechanisms<'a>(config: &'a Config, tls: Option<&'a TlsInfo>) -> impl Iterator<Item = Mechanism> + 'a {
    let authentication = config.authentication.as_ref();
    let all = authentication.map_or(&[][..], |authentication| &authentication.mechanisms);
    let plaintext = authentication.is_some_and(|authentication| authentication.dangerously_allow_plaintext);
    all.iter().copied().filter(move |mechanism| match mechanism {
        Mechanism::External => tls.is_some_and(|tls| tls.client_verified),
        mechanism if mechanism.binds_channel() => tls.is_some_and(|tls| !tls.channel_bindings.is_empty()),
        mechanism if mechanism.sends_secret() => tls.is_some() || plaintext,
        _ => true,
    })
}

/// The reply to EHLO or LHLO (RFC 5321 §4.1.1.1).
pub(super) fn encode(config: &Config, offer: &Offer, tls: Option<&TlsInfo>, authenticated: bool) -> Vec<u8> {
    let mut keywords = Vec::new();
    let mut add = |is_offered: bool, keyword: &str| {
        if is_offered {
            keywords.push(keyword.into());
        }
    };
    let bounds = &config.bounds;
    add(offer.pipelining, "PIPELINING");
    add(offer.size, &format!("SIZE {}", bounds.message));
    add(offer.eight_bit_mime, "8BITMIME");
    add(offer.smtputf8, "SMTPUTF8");
    add(offer.chunking, "CHUNKING");
    add(offer.binarymime, "BINARYMIME");
    add(offer.dsn, "DSN");
    add(offer.enhanced_status_codes, "ENHANCEDSTATUSCODES");
    add(tls.is_none() && matches!(config.tls, Tls::Offered | Tls::Required), "STARTTLS");
    let names: Vec<&str> = mechanisms(config, tls).map(Mechanism::name).collect();
    // Nothing is said of AUTH where STARTTLS has to come first.
    let may_authenticate = !authenticated && !names.is_empty() && (tls.is_some() || config.tls != Tls::Required);
    add(may_authenticate, &format!("AUTH {}", names.join(" ")));
    add(offer.requiretls, "REQUIRETLS");
    // RFC 9422 §4 has six digits for each.
    let limit = |most: u32| most.min(999_999);
    let domains = bounds.recipient_domains.map(limit);
    let domains = domains.map_or_else(Default::default, |most| format!(" RCPTDOMAINMAX={most}"));
    let (mails, recipients) = (limit(bounds.messages), limit(bounds.recipients));
    add(offer.limits, &format!("LIMITS MAILMAX={mails} RCPTMAX={recipients}{domains}"));
    let mut reply: Vec<u8> = Vec::new();
    let mut line = config.name.as_str();
    for next in keywords.iter().map(|keyword: &alloc::string::String| keyword.as_str()).map(Some).chain([None]) {
        reply.extend_from_slice(if next.is_some() { b"250-" } else { b"250 " });
        reply.extend_from_slice(line.as_bytes());
        reply.extend_from_slice(b"\r\n");
        line = next.unwrap_or_default();
    }
    reply
}

/// How a message came, for the `with` clause of a Received field (RFC 3848, RFC 6531 §4.3).
pub(super) fn with(protocol: Protocol, extended: bool, utf8: bool, tls: bool, authenticated: bool) -> &'static str {
    match (protocol, extended, utf8, tls, authenticated) {
        (Protocol::Smtp, false, ..) => "SMTP",
        (Protocol::Smtp, _, false, false, false) => "ESMTP",
        (Protocol::Smtp, _, false, false, true) => "ESMTPA",
        (Protocol::Smtp, _, false, true, false) => "ESMTPS",
        (Protocol::Smtp, _, false, true, true) => "ESMTPSA",
        (Protocol::Smtp, _, true, false, false) => "UTF8SMTP",
        (Protocol::Smtp, _, true, false, true) => "UTF8SMTPA",
        (Protocol::Smtp, _, true, true, false) => "UTF8SMTPS",
        (Protocol::Smtp, _, true, true, true) => "UTF8SMTPSA",
        (Protocol::Lmtp, _, false, false, false) => "LMTP",
        (Protocol::Lmtp, _, false, false, true) => "LMTPA",
        (Protocol::Lmtp, _, false, true, false) => "LMTPS",
        (Protocol::Lmtp, _, false, true, true) => "LMTPSA",
        (Protocol::Lmtp, _, true, false, false) => "UTF8LMTP",
        (Protocol::Lmtp, _, true, false, true) => "UTF8LMTPA",
        (Protocol::Lmtp, _, true, true, false) => "UTF8LMTPS",
        (Protocol::Lmtp, _, true, true, true) => "UTF8LMTPSA",
    }
}

/// Whether MAIL is taken from such a client (RFC 6409 §4.3).
pub(super) fn may_send(role: Role, may_relay: bool) -> bool {
    role == Role::Mx || may_relay
}
