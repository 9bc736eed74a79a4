//! There and back, and the examples of the RFCs.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::dns::{Answer, Records};
use crate::syntax::AuthenticationResults;

/// RFC 8463 appendix A.3, with its two signatures.
const EXAMPLE: &str = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; i=@football.example.com;\r\n \
q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : message-id : from : subject : date;\r\n \
bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n \
b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n\
From: Joe SixPack <joe@football.example.com>\r\n\
To: Suzie Q <suzie@shopping.example.net>\r\n\
Subject: Is dinner ready?\r\n\
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n\
Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\
\r\n\
Hi.\r\n\
\r\n\
We lost the game.  Are you hungry yet?\r\n\
\r\n\
Joe.\r\n";

const EXAMPLE_KEY: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

const MESSAGE: &str =
    "From: ann@example.org\r\nTo: bob@example.net\r\nSubject:  two\r\n  lines \r\n\r\nHello  there \r\n\r\n\r\n";

fn verify(config: VerifierConfig, message: &[u8], key: &str, pieces: usize) -> Verdict {
    let mut verifier = Verifier::new(config);
    for piece in message.chunks(pieces) {
        verifier.feed(piece);
    }
    verifier.finish();
    loop {
        match verifier.poll(Duration::ZERO) {
            Output::Resolve(query) => {
                let texts = key.split('\n').map(|text| text.as_bytes().to_vec()).collect();
                let records = if key.is_empty() { Records::NxDomain } else { Records::Texts(texts) };
                assert!(query.name.as_str().contains("._domainkey."));
                verifier.dns_answer(query.id, Answer::new(records));
            }
            Output::Done(verdict) => return *verdict,
            Output::Wait { .. } => panic!("it waits for nothing"),
        }
    }
}

fn result(message: &str, key: &str) -> (DkimResult, String) {
    let verdict = verify(VerifierConfig::default(), message.as_bytes(), key, 1000);
    let first = verdict.signatures.first().map(|it| it.reason.clone());
    (verdict.result(), first.unwrap_or_default())
}

fn key() -> SigningKey {
    SigningKey::from_ed25519_seed(&[7; 32])
}

fn sign(options: SigningOptions, message: &str, pieces: usize) -> String {
    let signer = Signer::new(key(), &"example.org".parse().unwrap(), "sel", options).unwrap();
    let mut signing = signer.begin();
    for piece in message.as_bytes().chunks(pieces) {
        signing.feed(piece);
    }
    signing.finish(Some(1_700_000_000)).unwrap() + message
}

#[test]
fn the_example_of_rfc_8463() {
    for pieces in [1, 7, 10_000] {
        let verdict = verify(VerifierConfig::default(), EXAMPLE.as_bytes(), EXAMPLE_KEY, pieces);
        assert_eq!(verdict.result(), DkimResult::Pass, "{verdict:?}");
        let field = verdict.authentication_results(AuthenticationResults::new("us.test"));
        let expected = "Authentication-Results: us.test;\r\n\tdkim=pass header.d=football.example.com header.s=brisbane \
                        header.a=ed25519-sha256 header.b=\"/gCrinpc\"\r\n";
        assert_eq!(alloc::string::ToString::to_string(&field), expected);
    }
    let line_feeds = EXAMPLE.replace("\r\n", "\n");
    assert_eq!(result(&line_feeds, EXAMPLE_KEY).0, DkimResult::Pass);
}

#[test]
fn there_and_back_in_each_form() {
    for form in ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"] {
        for message in
            [MESSAGE, "From: a@b\r\n\r\n", "From: a@b", "From: a@b\n\nx\n", "From: a@b\r\nFrom: c@d\r\n\r\n \t \r\nx"]
        {
            let options = SigningOptions { canonicalization: form.parse().unwrap(), ..SigningOptions::default() };
            for pieces in [1, 3, 1000] {
                let signed = sign(options.clone(), message, pieces);
                let (found, reason) = result(&signed, &key().record());
                assert_eq!(found, DkimResult::Pass, "{form} {reason}\n{signed}");
            }
        }
    }
}

#[test]
fn what_is_changed_is_seen() {
    let signed = sign(SigningOptions::default(), MESSAGE, 1000);
    let record = key().record();
    for (from, to, expected) in [
        ("two", "TWO", "the header has been changed, or another key has signed it"),
        ("Hello", "hello", "the body has been changed"),
        ("there \r\n", "there\r\n", "the message is as it was signed"),
        ("Subject:  two", "subject : two", "the message is as it was signed"),
        // Over-signing.
        ("To: bob", "Subject: another\r\nTo: bob", "the header has been changed, or another key has signed it"),
        ("To: bob", "Cc: another@x\r\nTo: bob", "the header has been changed, or another key has signed it"),
        ("To: bob", "X-Other: x\r\nTo: bob", "the message is as it was signed"),
        ("t=1700000000", "t=1700000001", "the header has been changed, or another key has signed it"),
    ] {
        let changed = signed.replace(from, to);
        assert!(changed != signed);
        assert_eq!(result(&changed, &record).1, expected, "{to}");
    }
    let bare = SigningOptions { over_sign: false, ..SigningOptions::default() };
    let changed = sign(bare, MESSAGE, 1000).replace("To: bob", "Cc: another@x\r\nTo: bob");
    assert_eq!(result(&changed, &record).0, DkimResult::Pass);
}

#[test]
fn what_is_not_taken() {
    let signed = sign(SigningOptions::default(), MESSAGE, 1000);
    let record = key().record();
    let long = "x:".repeat(1200);
    for (from, to, expected) in [
        ("a=ed25519-sha256", "a=rsa-sha1", DkimResult::Policy),
        ("a=ed25519-sha256", "a=dsa-sha256", DkimResult::Neutral),
        ("a=ed25519-sha256", "a=rsa-sha256", DkimResult::PermError),
        ("d=example.org", "d=[192.0.2.1]", DkimResult::Neutral),
        ("d=example.org", "d=example.org; i=x@example.net", DkimResult::Neutral),
        ("d=example.org", "d=example.org; l=3", DkimResult::Policy),
        ("d=example.org", "d=example.org; x=1700000001", DkimResult::Fail),
        ("s=sel", "s=..", DkimResult::Neutral),
        ("h=from", &alloc::format!("h={long}from"), DkimResult::Neutral),
        ("v=1", "v=3", DkimResult::Neutral),
        ("DKIM-Signature", "X-Signature", DkimResult::None),
    ] {
        let changed = signed.replace(from, to);
        let config = VerifierConfig { time: Some(1_700_000_002), ..VerifierConfig::default() };
        let verdict = verify(config, changed.as_bytes(), &record, 1000);
        assert_eq!(verdict.result(), expected, "{to} {verdict:?}");
    }
    for (key, expected) in [
        ("", DkimResult::PermError),
        ("v=DKIM1; k=ed25519; p=", DkimResult::PermError),
        ("v=DKIM1; k=ed25519; p=AQID", DkimResult::PermError),
        ("v=DKIM1; k=rsa; p=AQID", DkimResult::PermError),
        (EXAMPLE_KEY, DkimResult::Fail),
        (&alloc::format!("nonsense\n{record}"), DkimResult::Pass),
    ] {
        assert_eq!(result(&signed, key).0, expected, "{key}");
    }
}

#[test]
fn partial_bodies_where_they_are_wanted() {
    // Made by hand, since we never sign so.
    let config = VerifierConfig { partial_body: true, ..VerifierConfig::default() };
    let signed = sign(SigningOptions::default(), MESSAGE, 1000).replace("d=example.org", "d=example.org; l=99");
    let verdict = verify(config, signed.as_bytes(), &key().record(), 1000);
    assert_eq!(verdict.signatures[0].reason, "the body has been changed");
}

#[test]
fn keys_that_can_t_be_had() {
    let signed = sign(SigningOptions::default(), MESSAGE, 1000);
    let mut verifier = Verifier::new(VerifierConfig::default());
    verifier.feed(signed.as_bytes());
    let Output::Resolve(query) = verifier.poll(Duration::ZERO) else { panic!("{verifier:?}") };
    assert_eq!(query.name.as_str(), "sel._domainkey.example.org");
    verifier.finish();
    assert_eq!(verifier.poll(Duration::ZERO), Output::Wait { deadline: Duration::from_secs(20) });
    let mut late = verifier.clone();
    late.deadline_passed(Duration::from_secs(20));
    verifier.dns_answer(query.id, Answer::new(Records::Failed));
    for mut verifier in [verifier, late] {
        let Output::Done(verdict) = verifier.poll(Duration::ZERO) else { panic!("{verifier:?}") };
        assert_eq!(verdict.result(), DkimResult::TempError);
    }
}

#[test]
fn what_can_t_be_signed() {
    let new = |selector: &str, headers: &[&str]| {
        let headers = headers.iter().map(|name| String::from(*name)).collect();
        Signer::new(key(), &"example.org".parse().unwrap(), selector, SigningOptions { headers, ..Default::default() })
    };
    assert!(new("a.b-c", &["To"]).is_ok());
    for (selector, headers) in
        [("", &["To"][..]), ("a b", &["To"]), ("a;b", &["To"]), ("a", &["T o"]), ("a", &["To:"]), ("a", &[""])]
    {
        assert!(new(selector, headers).is_err(), "{selector} {headers:?}");
    }
    let mut signing = new("a", &["To"]).unwrap().begin();
    signing.feed(b"To: b\r\n\r\nx");
    assert_eq!(signing.finish(None).unwrap_err().code(), crate::ErrorCode::MessageNoSender);
    for text in ["", "nonsense", "-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----"] {
        assert!(SigningKey::from_pem(text).is_err() && SigningKey::from_der(text.as_bytes()).is_err());
    }
    assert_eq!(alloc::format!("{:?}", key()), "SigningKey { algorithm: Ed25519Sha256, .. }");
}

#[test]
fn hostile_headers_are_bounded() {
    let many: Vec<u8> = b"DKIM-Signature: v=1; a=rsa-sha256; d=a.test; s=b; h=from; bh=AAAA; b=AAAA\r\n".repeat(50);
    let verdict = verify(VerifierConfig::default(), &many, "p=AQID", 1000);
    assert_eq!(verdict.signatures.len(), 10);
    let config = VerifierConfig { header: 100, ..VerifierConfig::default() };
    let verdict = verify(config, &many, "p=AQID", 1000);
    assert_eq!(verdict.signatures[0].reason, "the header is too large");
}
