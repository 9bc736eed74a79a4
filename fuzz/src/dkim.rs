//! DKIM: messages with signatures of any kind, and keys of any kind.
//!
//! - A body has the same form whatever the pieces in which it comes; that form is its own.
//! - A signature that is read is read again from what it is written as.
//! - What is signed verifies, in any form and whatever the pieces, and no longer if the body is another one.
//! - A verifier comes to its end, with as many verdicts as are looked at, and what it tells breaks no header.

use std::time::Duration;

use arbitrary::Unstructured;
use okuru_core::dns::{Answer, Records};
use okuru_core::policy::dkim::{
    DkimResult, Output, Signer, SigningKey, SigningOptions, Verdict, Verifier, VerifierConfig,
};
use okuru_core::syntax::AuthenticationResults;
use okuru_core::syntax::dkim::{CanonicalBody, Form, KeyRecord, Signature};

use crate::bytes::{blob, byte, flag, pick, pieces, rest};

/// A form, pieces, a key, signatures that are made up, and a message.
pub fn run(data: &[u8]) {
    let mut from = Unstructured::new(data);
    let form = pick(&mut from, &["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"]);
    let sizes = [byte(&mut from), byte(&mut from)];
    let is_signed = flag(&mut from);
    let record = if flag(&mut from) { key().record().into_bytes() } else { blob(&mut from).to_vec() };
    let _ = KeyRecord::parse(&record);
    let mut made_up = Vec::new();
    for _ in 0..byte(&mut from) % 3 {
        let value = blob(&mut from);
        if let Some(signature) = std::str::from_utf8(value).ok().and_then(|text| Signature::parse(text).ok()) {
            let written = signature.begin() + &Signature::folded_value(&signature.signature);
            let again = written.strip_prefix("DKIM-Signature:").map(Signature::parse);
            assert_eq!(again, Some(Ok(signature)), "{written:?}");
        }
        made_up.extend_from_slice(b"DKIM-Signature: v=1; a=ed25519-sha256; d=d.test; s=s; h=from; ");
        made_up.extend_from_slice(value);
        made_up.extend_from_slice(b"\r\n");
    }
    let content = rest(&mut from);
    for form in [Form::Simple, Form::Relaxed] {
        let whole = canonical(&[content], form);
        assert_eq!(canonical(&pieces(content, &sizes), form), whole);
        assert_eq!(canonical(&[&whole], form), whole);
    }
    if !is_signed {
        look_at(&verify(&[&made_up, content].concat(), &sizes, &record));
        return;
    }
    let message = [b"From: a@d.test\r\n", content].concat();
    let options = SigningOptions { canonicalization: form.parse().expect("it is one"), ..SigningOptions::default() };
    let signer = Signer::new(key(), &"d.test".parse().expect("it is a domain"), "s", options).expect("it can sign");
    let mut signing = signer.begin();
    pieces(&message, &sizes).into_iter().for_each(|piece| signing.feed(piece));
    let field = signing.finish(None).expect("there is a From field");
    let signed = [field.as_bytes(), &message].concat();
    let verdict = verify(&signed, &[sizes[1]], key().record().as_bytes());
    assert_eq!(verdict.signatures[0].result, DkimResult::Pass, "{}", signed.escape_ascii());
    look_at(&verdict);
}

fn key() -> SigningKey {
    SigningKey::from_ed25519_seed(&[5; 32])
}

fn canonical(pieces: &[&[u8]], form: Form) -> Vec<u8> {
    let (mut body, mut all) = (CanonicalBody::new(form), Vec::new());
    let mut out = |bytes: &[u8]| all.extend_from_slice(bytes);
    pieces.iter().for_each(|piece| body.feed(piece, &mut out));
    body.finish(&mut out);
    all
}

fn verify(message: &[u8], sizes: &[u8], record: &[u8]) -> Verdict {
    let mut verifier = Verifier::new(VerifierConfig { partial_body: true, time: Some(5), ..VerifierConfig::default() });
    pieces(message, sizes).into_iter().for_each(|piece| verifier.feed(piece));
    verifier.finish();
    for _ in 0..100 {
        match verifier.poll(Duration::ZERO) {
            Output::Resolve(query) => verifier.dns_answer(query.id, Answer::new(Records::Texts(vec![record.to_vec()]))),
            Output::Done(verdict) => return *verdict,
            Output::Wait { .. } => panic!("it waits for nothing"),
        }
    }
    panic!("it does not end");
}

fn look_at(verdict: &Verdict) {
    assert!(verdict.signatures.len() <= VerifierConfig::default().signatures);
    let field = verdict.authentication_results(AuthenticationResults::new("us.test")).to_string();
    let field = field.strip_suffix("\r\n").expect("it ends a line").replace("\r\n\t", "");
    assert!(!field.chars().any(char::is_control), "{field:?}");
}
