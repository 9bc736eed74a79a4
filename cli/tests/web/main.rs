//! The page of `okuru sink --web`, read in a real browser.
//!
//! Chromium is there once `tests/servers/install` has run; Node.js with npm has to be there already.

#[path = "../support/sink.rs"]
mod started_sink;

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use started_sink::Sink;

const MESSAGE: &str = "From: Ann <ann@example.com>\r\n\
    To: bob@example.org\r\n\
    Subject: A letter with everything\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=outer\r\n\
    \r\n\
    --outer\r\n\
    Content-Type: multipart/alternative; boundary=inner\r\n\
    \r\n\
    --inner\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    \r\n\
    plain <b>words</b>, 送る\r\n\
    --inner\r\n\
    Content-Type: text/html; charset=utf-8\r\n\
    \r\n\
    <p>rich words</p><script>document.body.innerHTML += '<p id=scripted>x</p>'</script>\r\n\
    --inner--\r\n\
    --outer\r\n\
    Content-Type: application/octet-stream\r\n\
    Content-Disposition: attachment; filename=\"notes.bin\"\r\n\
    Content-Transfer-Encoding: base64\r\n\
    \r\n\
    AAH/gA==\r\n\
    --outer--\r\n";

#[test]
fn a_person_reads_what_arrived() {
    let sink = Sink::start(&["--web", "127.0.0.1:0"]);
    send(&sink, "Subject: <img src=x onerror=alert(1)>\r\n\r\nsmall\r\n");
    send(&sink, MESSAGE);
    let seen = read(sink.urls.last().unwrap());

    assert_eq!(seen["count"], "2 messages");
    let holds = |key: &str, parts: &[&str]| {
        let text = seen[key].as_str().unwrap();
        for part in parts {
            assert!(text.contains(part), "{key}: {text}");
        }
    };
    holds("envelope", &["ann@example.com", "bob@example.org", "127.0.0.1", "ESMTP"]);
    holds("text", &["plain <b>words</b>, 送る"]);
    holds("headers", &["Subject", "A letter with everything", "multipart/mixed"]);
    holds("source", &["--outer--", "AAH/gA=="]);
    holds(
        "dialogue",
        &["S: 220 ", "C: MAIL FROM:<ann@example.com>", "octets of content", "S: 250 2.0.0 Ok: queued as SINK2"],
    );
    assert_eq!((&seen["html"], &seen["scripted"]), (&json!("rich words"), &json!(0)));
    assert_eq!((&seen["byKeyboard"], &seen["attachment"]), (&json!("Attachments"), &json!("0001ff80")));
    assert_eq!(seen["fitsPhone"], true);
    // That a script in a letter is not run is the one thing that a browser may say.
    let complaints: Vec<_> = seen["complaints"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert!(complaints.iter().all(|it| it.starts_with("Blocked script execution")), "{complaints:?}");
    assert_eq!(seen["origins"], json!([sink.urls.last().unwrap().trim_end_matches('/')]));
}

#[test]
fn a_stranger_s_name_for_this_machine_is_refused() {
    let sink = Sink::start(&["--web", "127.0.0.1:0"]);
    let address = sink.urls.last().unwrap().trim_start_matches("http://").trim_end_matches('/').to_owned();
    for (host, status) in [(address.as_str(), "200"), ("localhost", "200"), ("evil.example", "403"), ("", "403")] {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "GET /messages HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let answer = std::io::read_to_string(stream).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
        assert!(answer.contains("x-content-type-options: nosniff") || status == "403");
    }
}

fn send(sink: &Sink, message: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_okuru"));
    command.args([
        "send",
        "--server",
        sink.url(),
        "--tls",
        "none",
        "--from",
        "ann@example.com",
        "--to",
        "bob@example.org",
    ]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(message.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    sink.message();
}

/// Reads the page in a browser.
fn read(url: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/web/browser");
    let arguments = ["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"];
    let installed = Command::new("npm").current_dir(&folder).args(arguments).status();
    assert!(installed.expect("npm has to be there").success());
    let mut node = Command::new("node");
    node.arg(folder.join("read.mjs")).arg(url).args(std::env::var("OKURU_SCREENSHOT"));
    let output = node.output().expect("Node.js has to be there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
