//! What `okuru dkim` does, with the key of RFC 8463 in a real name server.

use std::io::Write as _;

use serde_json::json;
use tempfile::NamedTempFile;

use crate::knot::Knot;
use crate::program::{Run, command, run};

/// RFC 8463 A.2, in PKCS#8.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
const RECORD: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n";
const MESSAGE: &str = "From: ann@mailer.test\nTo: bob@two.test\nSubject: hello\n\nHello!\n";

fn dkim(arguments: &[&str], input: &str) -> Run {
    run(&mut command(&[&["dkim"], arguments].concat()), input.as_bytes())
}

fn key() -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(KEY.as_bytes()).unwrap();
    file
}

fn sign(arguments: &[&str]) -> Run {
    let key = key();
    let path = key.path().to_str().unwrap();
    dkim(&[&["sign", "--selector", "brisbane", "--domain", "mailer.test", "--key", path], arguments].concat(), MESSAGE)
}

fn verify(arguments: &[&str], message: &str) -> Run {
    let knot = Knot::shared();
    dkim(&[&["verify", "--dns", &knot.address], arguments].concat(), message)
}

#[test]
fn there_and_back() {
    for arguments in
        [&[][..], &["--canonicalization", "simple/relaxed", "--headers", "from,x-other", "--lifetime", "1d"]]
    {
        let signed = sign(arguments);
        assert_eq!((signed.status, signed.stderr.as_str()), (0, ""), "{signed:?}");
        assert!(signed.stdout.starts_with("DKIM-Signature: v=1; a=ed25519-sha256; c="), "{signed:?}");
        // The line ends of the message, in the field as well.
        assert!(signed.stdout.ends_with(MESSAGE) && !signed.stdout.contains('\r'), "{signed:?}");
        let verified = verify(&["--json"], &signed.stdout);
        assert_eq!(verified.status, 0, "{verified:?}");
        let told = &verified.json()[0];
        assert_eq!(told["result"], "pass");
        assert_eq!(
            told["signatures"],
            json!([{"result": "pass", "reason": "the message is as it was signed", "domain": "mailer.test",
                "selector": "brisbane", "algorithm": "ed25519-sha256", "test": false}])
        );
    }
}

#[test]
fn what_does_not_hold() {
    let signed = sign(&[]).stdout;
    for (message, status, first) in [
        (signed.replace("hello", "bye"), 69, "fail"),
        (signed.replace("s=brisbane", "s=sydney"), 69, "permerror"),
        (signed.replace("d=mailer.test", "d=x.broken"), 75, "temperror"),
        (MESSAGE.to_owned(), 69, "none"),
    ] {
        let verified = verify(&["--receiver", "us.test"], &message);
        assert_eq!((verified.status, verified.stdout.lines().next()), (status, Some(first)), "{verified:?}");
        assert!(verified.stdout.contains(&format!("Authentication-Results: us.test;\n\tdkim={first}")), "{verified:?}");
    }
}

#[test]
fn keys() {
    let key = key();
    let run = dkim(&["record", "--key", key.path().to_str().unwrap()], "");
    assert_eq!((run.status, run.stdout.as_str()), (0, RECORD));
    sign(&["--algorithm", "rsa-sha256"]).assert_failed(64, "usage");
    dkim(&["record", "--key", "/nowhere"], "").assert_failed(64, "usage");
    assert_eq!(sign(&["--canonicalization", "nowsp"]).status, 64);
    assert_eq!(sign(&["--headers", "fr:om"]).status, 64);
}
