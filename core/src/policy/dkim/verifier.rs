//! Verifying (RFC 6376 §6).

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::hashes::{BodyHash, header_hash};
use super::key::{KeyFault, verify};
use super::message::Message;
use super::result::DkimResult;
use crate::dns::{self, Answer, Memory, Name, QueryId, QueryKind, Records};
use crate::syntax::dkim::{Algorithm, Form, KeyRecord, KeyType, Signature};
use crate::syntax::{AuthenticationResults, Domain, Header};

/// What the host is to do next.
pub type Output = dns::Output<Verdict>;

/// What is taken, and how much is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierConfig {
    /// What the time is, in seconds since 1970; without it no signature has expired.
    pub time: Option<u64>,
    /// Whether a signature is taken that leaves a part of the body unsigned (`l`). Anybody could have appended anything.
    pub partial_body: bool,
    /// How many signatures are looked at, from the top.
    pub signatures: usize,
    /// How large the header may be, in octets.
    pub header: usize,
    /// How long the look-ups may take.
    pub timeout: Duration,
}

impl Default for VerifierConfig {
    /// No time, whole bodies only, 10 signatures, 1 MiB, 20 seconds.
    fn default() -> Self {
        Self { time: None, partial_body: false, signatures: 10, header: 1 << 20, timeout: Duration::from_secs(20) }
    }
}

/// What the signatures of a message came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Each, from the top.
    pub signatures: Vec<SignatureVerdict>,
}

impl Verdict {
    /// [`DkimResult::Pass`] if any signature holds, or what the first one came to.
    pub fn result(&self) -> DkimResult {
        let passes = self.signatures.iter().any(|it| it.result == DkimResult::Pass);
        let first = self.signatures.first().map_or(DkimResult::None, |it| it.result);
        if passes { DkimResult::Pass } else { first }
    }

    /// Adds the results to an `Authentication-Results` field (RFC 8601 §2.7.1, RFC 6008).
    pub fn authentication_results(&self, mut field: AuthenticationResults) -> AuthenticationResults {
        if self.signatures.is_empty() {
            return field.result("dkim", DkimResult::None.as_str());
        }
        for it in &self.signatures {
            field = field.result("dkim", it.result.as_str());
            if it.result != DkimResult::Pass {
                field = field.reason(&it.reason);
            }
            for (name, value) in [("d", &it.domain), ("s", &it.selector), ("a", &it.algorithm), ("b", &it.beginning)] {
                if !value.is_empty() {
                    field = field.property("header", name, value);
                }
            }
        }
        field
    }
}

/// What a signature came to, and why. Its parts are empty where the signature can't be read; they come from whoever has written it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureVerdict {
    /// The result.
    pub result: DkimResult,
    /// Why, as a clause without a full stop.
    pub reason: String,
    /// `d`: in whose name it is signed.
    pub domain: String,
    /// `s`: which of the domain's keys it is.
    pub selector: String,
    /// `a`
    pub algorithm: String,
    /// The first characters of the signature, which tell it from others (RFC 6008).
    pub beginning: String,
    /// Whether the domain says that it is only trying it out (`t=y`).
    pub is_test: bool,
}

/// A message whose signatures are verified: [`feed`](Self::feed) it piece by piece, then [`finish`](Self::finish); meanwhile and afterwards it
/// is driven as a [`spf::Check`](crate::policy::spf::Check) is.
#[derive(Clone, Debug)]
pub struct Verifier {
    config: VerifierConfig,
    message: Message,
    /// `None` until the header has come.
    candidates: Option<Vec<Candidate>>,
    bodies: Vec<((Form, Option<u64>), BodyHash)>,
    hashes: Option<Vec<Option<[u8; 32]>>>,
    memory: Memory,
    deadline: Option<Duration>,
    is_late: bool,
    verdict: Option<Box<Verdict>>,
}

dns::inquiry!(Verifier => Verdict);

/// A signature.
#[derive(Clone, Debug)]
struct Candidate {
    told: SignatureVerdict,
    /// `None` if nothing more has to be found out.
    check: Option<Check>,
}

/// What there is still to be compared.
#[derive(Clone, Debug)]
struct Check {
    signature: Signature,
    algorithm: Algorithm,
    /// Where its key is.
    key_name: Name,
    domain: Name,
    header_hash: [u8; 32],
    /// The place of the hash of the body.
    body: usize,
}

/// More names of fields than any signer has need of.
const MOST_NAMES: usize = 1000;

impl Verifier {
    /// For a message of which nothing has come yet.
    pub fn new(config: VerifierConfig) -> Self {
        const ALIASES: usize = 8;
        Self {
            message: Message::new(config.header),
            memory: Memory::new(ALIASES, config.signatures.saturating_mul(ALIASES)),
            config,
            candidates: None,
            bodies: Vec::new(),
            hashes: None,
            deadline: None,
            is_late: false,
            verdict: None,
        }
    }

    /// Takes the next piece of the message, header first.
    pub fn feed(&mut self, piece: &[u8]) {
        if self.hashes.is_some() {
            return;
        }
        let body = self.message.feed(piece);
        if self.message.has_header() && self.candidates.is_none() {
            self.read_signatures();
        }
        for (_, hash) in &mut self.bodies {
            hash.feed(body);
        }
    }

    /// That was all of the message.
    pub fn finish(&mut self) {
        if self.candidates.is_none() {
            self.read_signatures();
        }
        if self.hashes.is_none() {
            self.hashes = Some(core::mem::take(&mut self.bodies).into_iter().map(|(_, hash)| hash.finish()).collect());
        }
        self.proceed();
    }

    /// What to do next. To be called until it says [`Output::Wait`] or [`Output::Done`].
    pub fn poll(&mut self, now: Duration) -> Output {
        if let Some(query) = self.memory.next_query() {
            return Output::Resolve(query);
        }
        if let Some(verdict) = &self.verdict {
            return Output::Done(verdict.clone());
        }
        let deadline = *self.deadline.get_or_insert_with(|| now.saturating_add(self.config.timeout));
        Output::Wait { deadline }
    }

    /// Here is what came of a look-up. What nobody has asked for, or has had already, is ignored.
    pub fn dns_answer(&mut self, id: QueryId, answer: Answer) {
        self.memory.answered(id, answer);
        self.proceed();
    }

    /// The moment has come that [`Output::Wait`] named: what has not been answered has failed.
    pub fn deadline_passed(&mut self, now: Duration) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.is_late = true;
            self.proceed();
        }
    }

    fn read_signatures(&mut self) {
        let header = self.message.header();
        if self.message.is_too_large() {
            let told = SignatureVerdict::new(DkimResult::Neutral, "the header is too large");
            self.candidates = Some([Candidate { told, check: None }].into());
            return;
        }
        let mut candidates = Vec::new();
        let fields = Header::of(header).fields().filter(|field| field.is("DKIM-Signature"));
        for field in fields.take(self.config.signatures) {
            let bytes = header.get(field.range()).unwrap_or_default();
            let text = core::str::from_utf8(field.body()).map_err(|_| "the signature is not UTF-8");
            candidates.push(match text.and_then(Signature::parse) {
                Err(why) => Candidate { told: SignatureVerdict::new(DkimResult::Neutral, why), check: None },
                Ok(signature) => {
                    let mut told = SignatureVerdict::of(&signature);
                    let check =
                        match prepare(signature, header, bytes, field.range().start, &self.config, &mut self.bodies) {
                            Ok(check) => {
                                let _ = self.memory.ask(&check.key_name, QueryKind::Txt);
                                Some(check)
                            }
                            Err((result, why)) => {
                                (told.result, told.reason) = (result, why.into());
                                None
                            }
                        };
                    Candidate { told, check }
                }
            });
        }
        self.candidates = Some(candidates);
    }

    fn proceed(&mut self) {
        let (Some(candidates), Some(hashes)) = (&mut self.candidates, &self.hashes) else { return };
        if self.verdict.is_some() {
            return;
        }
        let mut signatures = Vec::new();
        for Candidate { told, check } in candidates {
            let mut told = told.clone();
            if let Some(check) = check {
                let records = match self.memory.ask(&check.key_name, QueryKind::Txt) {
                    Some(records) => Some(records),
                    None if self.is_late => None,
                    None => return,
                };
                let hash = hashes.get(check.body).copied().flatten();
                let (result, why) =
                    check.compare(records.as_deref().unwrap_or(&Records::Failed), hash, &mut told.is_test);
                (told.result, told.reason) = (result, why.into());
            }
            signatures.push(told);
        }
        self.verdict = Some(Box::new(Verdict { signatures }));
    }
}

/// What can be said of a signature without its key and the body.
fn prepare(
    signature: Signature,
    header: &[u8],
    field: &[u8],
    place: usize,
    config: &VerifierConfig,
    bodies: &mut Vec<((Form, Option<u64>), BodyHash)>,
) -> Result<Check, (DkimResult, &'static str)> {
    let algorithm = match signature.algorithm.parse::<Algorithm>() {
        Ok(algorithm) => algorithm,
        // RFC 8301 §3.1.
        Err(_) if signature.algorithm.eq_ignore_ascii_case("rsa-sha1") => {
            return Err((DkimResult::Policy, "SHA-1 is not safe any longer"));
        }
        Err(_) => return Err((DkimResult::Neutral, "the algorithm is not known")),
    };
    if signature.headers.len() > MOST_NAMES {
        return Err((DkimResult::Neutral, "the signature names too many fields"));
    }
    if signature.length.is_some() && !config.partial_body {
        return Err((DkimResult::Policy, "the signature leaves a part of the body to whoever changes it"));
    }
    if let (Some(time), Some(expiry)) = (config.time, signature.expiry)
        && expiry < time
    {
        return Err((DkimResult::Fail, "the signature has expired"));
    }
    // RFC 8616 §5: U-labels stand for A-labels.
    let name_of = |text: &str| Name::try_from(&text.parse::<Domain>().ok()?).ok();
    let domain = name_of(&signature.domain).ok_or((DkimResult::Neutral, "the signature names no domain"))?;
    if let Some(identity) = &signature.identity {
        let below = identity.rsplit_once('@').and_then(|(_, domain)| name_of(domain));
        if !below.is_some_and(|below| below.is_within(&domain)) {
            return Err((DkimResult::Neutral, "the signature is for somebody outside of its domain"));
        }
    }
    let key_name = Name::read(&format!("{}._domainkey.{domain}", signature.selector));
    let key_name = key_name.ok_or((DkimResult::Neutral, "the signature names a key that can't be there"))?;
    let wanted = (signature.canonicalization.body, signature.length);
    let body = bodies.iter().position(|(it, _)| *it == wanted).unwrap_or_else(|| {
        bodies.push((wanted, BodyHash::new(wanted.0, wanted.1)));
        bodies.len() - 1
    });
    let header_hash = header_hash(header, &signature.headers, signature.canonicalization.header, field, Some(place));
    Ok(Check { signature, algorithm, key_name, domain, header_hash, body })
}

impl Check {
    fn compare(&self, records: &Records, body: Option<[u8; 32]>, is_test: &mut bool) -> (DkimResult, &'static str) {
        let texts = match records {
            Records::Texts(texts) => texts,
            Records::Failed => return (DkimResult::TempError, "the key can't be looked up for now"),
            _ => return (DkimResult::PermError, "there is no key"),
        };
        // RFC 6376 §3.6.2.2 leaves open what more than one means: the first that can be read is taken.
        let mut found = Err("there is no key");
        for text in texts {
            found = KeyRecord::parse(text);
            if found.is_ok() {
                break;
            }
        }
        let record = match found {
            Ok(record) => record,
            Err(why) => return (DkimResult::PermError, why),
        };
        *is_test = record.is_test;
        if record.key.is_empty() {
            return (DkimResult::PermError, "the key has been revoked");
        }
        let key_type = match self.algorithm {
            Algorithm::RsaSha256 => KeyType::Rsa,
            Algorithm::Ed25519Sha256 => KeyType::Ed25519,
        };
        if record.key_type != key_type {
            return (DkimResult::PermError, "the key is not for this algorithm");
        }
        let identity = self.signature.identity.as_deref().and_then(|identity| identity.rsplit_once('@'));
        if record.is_strict && identity.is_some_and(|(_, domain)| !domain.eq_ignore_ascii_case(self.domain.as_str())) {
            return (DkimResult::PermError, "the key is not for what is below its domain");
        }
        if body.is_none_or(|hash| hash[..] != self.signature.body_hash[..]) {
            return (DkimResult::Fail, "the body has been changed");
        }
        match verify(&record, &self.header_hash, &self.signature.signature) {
            Ok(true) => (DkimResult::Pass, "the message is as it was signed"),
            Ok(false) => (DkimResult::Fail, "the header has been changed, or another key has signed it"),
            Err(KeyFault::Malformed) => (DkimResult::PermError, "the key can't be read"),
            Err(KeyFault::Weak) => (DkimResult::Policy, "the key is too small to be safe"),
        }
    }
}

impl SignatureVerdict {
    fn new(result: DkimResult, reason: &'static str) -> Self {
        let empty = String::new;
        Self {
            result,
            reason: reason.into(),
            domain: empty(),
            selector: empty(),
            algorithm: empty(),
            beginning: empty(),
            is_test: false,
        }
    }

    fn of(signature: &Signature) -> Self {
        let beginning: String = Signature::folded_value(&signature.signature).chars().take(8).collect();
        let printable = |text: &str| text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        Self {
            domain: printable(&signature.domain),
            selector: printable(&signature.selector),
            algorithm: printable(&signature.algorithm),
            beginning,
            ..Self::new(DkimResult::Neutral, "nobody has looked yet")
        }
    }
}
