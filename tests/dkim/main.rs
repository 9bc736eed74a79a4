//! DKIM of the core against dkimpy and OpenDKIM, in both directions.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use okuru_core::dns::{Answer, Records};
use okuru_core::policy::dkim::{
    DkimResult, Output, Signer, SigningKey, SigningOptions, Verdict, Verifier, VerifierConfig,
};
use serde_json::json;

#[path = "../python/mod.rs"]
mod python;

use python::Script;

const FORMS: [&str; 4] = ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"];
const SEED: [u8; 32] = [9; 32];
const KEY_NAME: &str = "sel._domainkey.example.org";

const MESSAGES: [&str; 5] = [
    "From: ann@example.org\r\nTo: bob@example.net\r\nSubject: hello\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n\r\nHello!\r\n",
    "Received: from a\r\n\tby b;  x\r\nFROM:  \"A  B\"\r\n  <ann@example.org> \r\nSubject: two\r\n\tlines  \r\nCc:\r\nX-Y: z\r\n\r\n a \t b \r\n\r\n\r\nc\r\n\r\n \r\n\r\n",
    "From: ann@example.org\r\nSubject: no body\r\n\r\n",
    "From: ann@example.org\r\nSubject: twice\r\nSubject: again\r\nMIME-Version: 1.0\r\n\r\n.\r\n..dots\r\nFrom here\r\n",
    "From: ann@example.org\r\nSubject: gr\u{fc}n\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nsch\u{f6}n \u{2026}\r\nno end",
];

/// A new RSA key of OpenSSL's making, in PKCS#8.
fn rsa_key() -> &'static (PathBuf, String) {
    static MADE: OnceLock<(PathBuf, String)> = OnceLock::new();
    MADE.get_or_init(make_rsa_key)
}

fn make_rsa_key() -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dkim-rsa.pem");
    let made = Command::new("openssl").args(["genrsa", "-out"]).arg(&path).arg("2048").stderr(Stdio::null()).status();
    assert!(made.expect("OpenSSL is there").success());
    let pem = std::fs::read_to_string(&path).unwrap();
    (path, pem)
}

fn keys() -> [SigningKey; 2] {
    [SigningKey::from_pem(&rsa_key().1).unwrap(), SigningKey::from_ed25519_seed(&SEED)]
}

fn sign(key: &SigningKey, form: &str, message: &str) -> String {
    let options = SigningOptions { canonicalization: form.parse().unwrap(), ..SigningOptions::default() };
    let signer = Signer::new(key.clone(), &"example.org".parse().unwrap(), "sel", options).unwrap();
    let mut signing = signer.begin();
    for piece in message.as_bytes().chunks(5) {
        signing.feed(piece);
    }
    signing.finish(Some(1_790_000_000)).unwrap() + message
}

fn verify(message: &str, record: &str) -> Verdict {
    let mut verifier = Verifier::new(VerifierConfig::default());
    message.as_bytes().chunks(5).for_each(|piece| verifier.feed(piece));
    verifier.finish();
    loop {
        match verifier.poll(Duration::ZERO) {
            Output::Resolve(query) => {
                assert_eq!(query.name.as_str(), KEY_NAME);
                let records = Records::Texts(vec![record.as_bytes().to_vec()]);
                verifier.dns_answer(query.id, Answer::new(records));
            }
            Output::Done(verdict) => return *verdict,
            Output::Wait { .. } => panic!("it waits for nothing"),
        }
    }
}

#[test]
fn dkimpy_takes_what_we_sign_and_sees_what_is_changed() {
    let mut dkimpy = Script::start("dkim/dkimpy_runs.py");
    for key in keys() {
        for form in FORMS {
            for message in MESSAGES {
                let signed = sign(&key, form, message);
                assert_eq!(verify(&signed, &key.record()).result(), DkimResult::Pass);
                let records = json!({ KEY_NAME: key.record() });
                let told = dkimpy.ask(&json!({ "message": signed, "records": records }));
                assert_eq!(told, json!([true]), "{form}\n{signed}");
                let changed = signed.replace("Subject: ", "Subject: x");
                assert_eq!(verify(&changed, &key.record()).result(), DkimResult::Fail);
                assert_eq!(dkimpy.ask(&json!({ "message": changed, "records": records })), json!([false]));
            }
        }
    }
}

#[test]
fn we_take_what_dkimpy_signs_and_see_what_is_changed() {
    let mut dkimpy = Script::start("dkim/dkimpy_runs.py");
    let seed = base64::engine::general_purpose::STANDARD.encode(SEED);
    let pem = &rsa_key().1;
    for (text, key, algorithm) in [
        (pem, SigningKey::from_pem(pem).unwrap(), "rsa-sha256"),
        (&seed, SigningKey::from_ed25519_seed(&SEED), "ed25519-sha256"),
    ] {
        for form in FORMS {
            for message in MESSAGES {
                let task = json!({ "message": message, "key": text, "algorithm": algorithm, "canonicalization": form });
                let signed = dkimpy.ask(&task).as_str().unwrap().to_owned() + message;
                let verdict = verify(&signed, &key.record());
                assert_eq!(verdict.result(), DkimResult::Pass, "{form} {verdict:?}\n{signed}");
                let changed = signed.replacen("\r\n\r\n", "\r\n\r\nMore. ", 1);
                assert_eq!(verify(&changed, &key.record()).signatures[0].reason, "the body has been changed");
            }
        }
    }
}

/// OpenDKIM's test mode is that of a milter, which is not told of all the white space behind a colon; and it gives up on a body without a
/// line end.
fn opendkim_can_read(message: &str) -> bool {
    !message.contains(":  ") && !message.contains(":\r\n") && message.ends_with("\r\n")
}

/// Runs OpenDKIM on a message in a file, with this configuration; gives what it says.
fn opendkim(name: &str, message: &str, configuration: &str) -> String {
    let path = |end: &str| Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("opendkim-{name}.{end}"));
    std::fs::write(path("eml"), message).unwrap();
    std::fs::write(path("conf"), configuration).unwrap();
    let mut command = Command::new("opendkim");
    // Twice as loud: with the outcome of each signature.
    command.arg("-x").arg(path("conf")).arg("-t").arg(path("eml")).arg("-vv");
    let output = command.output().expect("OpenDKIM is there; tests/servers/install brings it");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn opendkim_takes_what_we_sign_and_sees_what_is_changed() {
    let keys_file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("opendkim-keys");
    let rsa = SigningKey::from_pem(&rsa_key().1).unwrap();
    std::fs::write(&keys_file, format!("{KEY_NAME} {}\n", rsa.record())).unwrap();
    let configuration = format!("Mode v\nTestPublicKeys {}\n", keys_file.display());
    for form in FORMS {
        for message in MESSAGES.into_iter().filter(|message| opendkim_can_read(message)) {
            let signed = sign(&rsa, form, message);
            let told = opendkim("verify", &signed, &configuration);
            assert!(told.contains("dkim=pass (2048-bit key) header.d=example.org"), "{form}\n{told}\n{signed}");
            let told = opendkim("verify", &signed.replace("Subject: ", "Subject: x"), &configuration);
            assert!(told.contains("dkim=fail"), "{told}");
        }
    }
}

#[test]
fn we_take_what_opendkim_signs() {
    let (path, pem) = rsa_key();
    let record = SigningKey::from_pem(pem).unwrap().record();
    for form in FORMS {
        for message in MESSAGES.into_iter().filter(|message| opendkim_can_read(message)) {
            let configuration = format!(
                "Mode s\nDomain example.org\nSelector sel\nKeyFile {}\nCanonicalization {form}\nOversignHeaders From\n\
                 RequireSafeKeys no\nSubDomains no\n",
                path.display()
            );
            let told = opendkim("sign", message, &configuration);
            let value = told.split_once("hvalue='").and_then(|(_, rest)| rest.split_once('\''));
            let (value, _) = value.unwrap_or_else(|| panic!("{told}"));
            let signed = format!("DKIM-Signature: {}\r\n{message}", value.replace('\n', "\r\n"));
            let verdict = verify(&signed, &record);
            assert_eq!(verdict.result(), DkimResult::Pass, "{form} {verdict:?}\n{signed}");
            let changed = signed.replace("Subject: ", "Subject: x");
            assert_eq!(verify(&changed, &record).result(), DkimResult::Fail);
        }
    }
}
