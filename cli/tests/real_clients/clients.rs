//! smtplib, curl and swaks.

use std::process::Command;

use crate::{PASSWORD, Stage, USER, beside, message, run_client};

#[track_caller]
fn assert_arrived(stage: &Stage, sent: &[u8], protocol: &str) {
    let (content, told) = stage.arrived();
    assert_eq!(told["protocol"], protocol);
    assert_eq!(told["reverse_path"], "ann@example.com");
    assert_eq!(told["recipients"][0]["address"], "bob@example.org");
    assert!(content == sent, "{}", String::from_utf8_lossy(&content));
    if protocol.ends_with('A') {
        assert_eq!(told["user"], USER);
    }
}

fn smtplib(arguments: &[&str]) {
    run_client(Command::new("python3").arg(beside("smtplib_client.py")).args(arguments));
}

#[test]
fn smtplib_in_clear() {
    let stage = Stage::new(&[]);
    let file = stage.file(&message());
    smtplib(&["plain", &stage.port(), &file, "--option", "body=8bitmime"]);
    assert_arrived(&stage, &message(), "ESMTP");
    let stage = Stage::new(&["--offer", "none"]);
    let file = stage.file(&message());
    smtplib(&["plain", &stage.port(), &file]);
    assert_arrived(&stage, &message(), "ESMTP");
}

#[test]
fn smtplib_with_tls_and_a_login() {
    let stage = Stage::with_login();
    let file = stage.file(&message());
    let login = ["--ca", stage.ca(), "--login", USER, PASSWORD];
    smtplib(&[&["starttls", &stage.port(), &file], &login[..]].concat());
    assert_arrived(&stage, &message(), "ESMTPSA");
    smtplib(&[&["ssl", &stage.tls_port(), &file], &login[..]].concat());
    assert_arrived(&stage, &message(), "ESMTPSA");
}

#[test]
fn smtplib_by_lmtp() {
    let stage = Stage::new(&["--lmtp"]);
    let file = stage.file(&message());
    smtplib(&["lmtp", &stage.port(), &file]);
    assert_arrived(&stage, &message(), "LMTP");
}

fn curl(url: &str, file: &str, arguments: &[&str]) {
    let envelope = ["--mail-from", "ann@example.com", "--mail-rcpt", "bob@example.org"];
    let usual = ["--silent", "--show-error", "--max-time", "60", "--url", url, "--upload-file", file];
    run_client(Command::new("curl").args(usual).args(envelope).args(arguments));
}

#[test]
fn curl_in_clear_and_with_tls() {
    let stage = Stage::new(&[]);
    let file = stage.file(&message());
    curl(&format!("smtp://127.0.0.1:{}", stage.port()), &file, &[]);
    assert_arrived(&stage, &message(), "ESMTP");
    let stage = Stage::with_login();
    let file = stage.file(&message());
    let user = format!("{USER}:{PASSWORD}");
    let login = ["--ssl-reqd", "--cacert", stage.ca(), "--user", &user];
    for mechanism in ["*", "PLAIN", "LOGIN", "CRAM-MD5"] {
        let auth = format!("AUTH={mechanism}");
        let arguments = [&login[..], &["--login-options", &auth]].concat();
        curl(&format!("smtp://127.0.0.1:{}", stage.port()), &file, &arguments);
        assert_arrived(&stage, &message(), "ESMTPSA");
    }
    curl(&format!("smtps://127.0.0.1:{}", stage.tls_port()), &file, &login);
    assert_arrived(&stage, &message(), "ESMTPSA");
}

fn swaks(stage: &Stage, sent: &[u8], arguments: &[&str]) {
    // It makes CR LF of LF, and adds one at the end.
    let text = String::from_utf8(sent.to_vec()).unwrap().replace("\r\n", "\n");
    let file = format!("@{}", stage.file(text.strip_suffix('\n').unwrap().as_bytes()));
    let port = stage.port();
    let envelope = ["--server", "127.0.0.1", "--port", &port, "--from", "ann@example.com", "--to", "bob@example.org"];
    run_client(Command::new("swaks").args(envelope).args(["--timeout", "60", "--data", &file]).args(arguments));
}

#[test]
fn swaks_in_clear_and_with_tls() {
    let stage = Stage::new(&[]);
    swaks(&stage, &message(), &[]);
    assert_arrived(&stage, &message(), "ESMTP");
    let stage = Stage::with_login();
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5"] {
        let login = ["--auth", mechanism, "--auth-user", USER, "--auth-password", PASSWORD];
        swaks(&stage, &message(), &[&["--tls", "--tls-verify", "--tls-ca-path", stage.ca()], &login[..]].concat());
        assert_arrived(&stage, &message(), "ESMTPSA");
    }
}
