//! `okuru probe`

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::certificates::issue;
use crate::program::{command, okuru, run};
use crate::server::{Behaviour, ClosedPort, Server};

fn behaviour() -> Behaviour {
    Behaviour::default().offer(&["PIPELINING", "SIZE 1000", "AUTH PLAIN LOGIN"])
}

/// A server with TLS, and the file of its authority.
fn with_tls(implicit: bool) -> (Server, TempDir, String) {
    let (ca, config) = issue();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ca.pem");
    fs::write(&path, ca).unwrap();
    (behaviour().tls(config, implicit).start(), folder, path.into_os_string().into_string().unwrap())
}

#[test]
fn before_and_behind_starttls() {
    let (server, _folder, ca) = with_tls(false);
    let url = format!("smtp://ann:secret@127.0.0.1:{}", server.port());
    let run = okuru(&["probe", &url, "--ca", &ca, "--json"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let found = &run.json()[0];
    assert_eq!(found["server"], server.url());
    assert_eq!(found["address"], format!("127.0.0.1:{}", server.port()));
    assert_eq!(found["greeting"], json!({"code": 220, "enhanced": null, "text": ["test.example ESMTP"]}));
    let before = json!({
        "AUTH": ["PLAIN", "LOGIN"], "ENHANCEDSTATUSCODES": [], "PIPELINING": [], "SIZE": ["1000"], "STARTTLS": [],
    });
    assert_eq!(found["before_tls"], json!({"name": "test.example", "capabilities": before}));
    assert_eq!(found["after_tls"]["capabilities"].get("STARTTLS"), None);
    assert_eq!(found["after_tls"]["capabilities"]["SIZE"], json!(["1000"]));
    assert_eq!(found["mechanisms"], json!(["PLAIN", "LOGIN"]));
    let tls = &found["tls"];
    assert_eq!((&tls["version"], &tls["verified"], &tls["distrust"]), (&json!("TLSv1.3"), &json!(true), &Value::Null));
    assert!(tls["cipher"].as_str().is_some_and(|name| name.starts_with("TLS13_")));
    let certificate = &tls["certificate"];
    assert_eq!(certificate["subject"], "CN=mx.example");
    assert_eq!(certificate["names"], json!(["127.0.0.1", "mx.example"]));
    assert_eq!(certificate["issuer"], "CN=Test Authority");
    assert!(certificate["days_left"].as_i64().is_some_and(|days| days > 0));
    assert_eq!(found["error"], Value::Null);
    let asked: Vec<_> = server.lines().into_iter().filter(|line| !line.starts_with("EHLO ")).collect();
    assert_eq!(asked, ["STARTTLS", "QUIT"]);
}

#[test]
fn a_table_for_people() {
    let (server, _folder, ca) = with_tls(false);
    let run = okuru(&["probe", &server.url(), "--ca", &ca]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    for row in [
        format!("server       {}", server.url()),
        "greeting     220 test.example ESMTP".to_owned(),
        "certificate  CN=mx.example".to_owned(),
        "  for        127.0.0.1 mx.example".to_owned(),
        "  verified   yes".to_owned(),
        "log in by    PLAIN LOGIN".to_owned(),
        "offers               before TLS   after TLS".to_owned(),
        "SIZE                 1000         1000".to_owned(),
        "STARTTLS             yes          -".to_owned(),
    ] {
        assert!(run.stdout.lines().any(|line| line == row), "{row}\n{}", run.stdout);
    }
}

#[test]
fn a_certificate_that_does_not_verify() {
    let (server, _folder, _) = with_tls(false);
    let run = okuru(&["probe", &server.url(), "--json"]);
    run.assert_failed(76, "tls.certificate");
    let found = &run.json()[0];
    assert_eq!(found["error"]["code"], "tls.certificate");
    assert_eq!(
        (&found["tls"]["verified"], &found["tls"]["distrust"]["code"]),
        (&json!(false), &json!("tls.certificate"))
    );
    assert_eq!(found["tls"]["certificate"]["subject"], "CN=mx.example");
    assert_eq!(found["after_tls"]["name"], "test.example");

    let (server, _folder, ca) = with_tls(true);
    let url = server.url().replace("smtp:", "smtps:");
    okuru(&["probe", &url, "--ca", &ca, "--tls-name", "other.example"]).assert_failed(76, "tls.certificate");
    let run = okuru(&["probe", &url, "--ca", &ca, "--tls-name", "other.example", "--json"]);
    let found = &run.json()[0];
    assert_eq!(found["tls"]["certificate"]["names"], json!(["127.0.0.1", "mx.example"]));
    assert!(
        found["tls"]["distrust"]["message"]
            .as_str()
            .is_some_and(|why| why.contains("not for other.example but for 127.0.0.1, mx.example"))
    );
    assert_eq!((&found["before_tls"], &found["after_tls"]), (&Value::Null, &Value::Null));

    let run = okuru(&["probe", &url, "--ca", &ca, "--json"]);
    let found = &run.json()[0];
    assert_eq!((run.status, &found["before_tls"], &found["tls"]["verified"]), (0, &Value::Null, &json!(true)));
    assert_eq!(found["after_tls"]["capabilities"]["PIPELINING"], json!([]));
}

#[test]
fn without_tls() {
    let server = behaviour().start();
    let run = okuru(&["probe", &server.url(), "--json"]);
    run.assert_failed(76, "security.tls_stripped");
    let found = &run.json()[0];
    assert_eq!(found["before_tls"]["capabilities"]["AUTH"], json!(["PLAIN", "LOGIN"]));
    assert_eq!((&found["tls"], &found["after_tls"]), (&Value::Null, &Value::Null));
    let run = okuru(&["probe", &server.url(), "--tls", "none"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(run.stdout.contains("without TLS"), "{run:?}");
    let bare = Behaviour::default().on("EHLO", "250 bare.example\r\n").start();
    assert!(okuru(&["probe", &bare.url(), "--tls", "none"]).stdout.ends_with("\n\nno extension is offered\n"));
    assert!(!server.lines().iter().any(|line| line.starts_with("MAIL") || line.starts_with("AUTH")));
}

#[test]
fn nobody_there() {
    let closed = ClosedPort::new();
    let run_ = run(&mut command(&["probe", &closed.url(), "--json"]), b"");
    run_.assert_failed(75, "connect.refused");
    assert_eq!(run_.json()[0]["error"]["code"], "connect.refused");
    let run = okuru(&["probe", &closed.url()]);
    run.assert_failed(75, "connect.refused");
    assert_eq!(run.stdout, "");
    okuru(&["probe", "ftp://x"]).assert_failed(64, "usage");
    let garbage = Behaviour::default().greeting("HTTP/1.1 400 Bad Request\r\n").start();
    okuru(&["probe", &garbage.url()]).assert_failed(76, "protocol.malformed_reply");
}
