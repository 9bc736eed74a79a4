//! `okuru sink`: what it takes, and what it tells.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::program::{Run, command, okuru, run};
use crate::started_sink::{PATIENCE, Sink};

const MESSAGE: &[u8] =
    b"From: Ann <ann@example.com>\r\nTo: bob@example.org\r\nSubject: hello\r\n\r\n.dot\r\nFrom x\r\n";

/// Sends a message to the first port of the sink.
fn send(sink: &Sink, arguments: &[&str], message: &[u8]) -> Run {
    let mut all = vec!["send", "--server", sink.url(), "--reply-timeout", "20"];
    match &sink.ca {
        Some(ca) => all.extend(["--ca", ca]),
        None => all.extend(["--tls", "none"]),
    }
    all.extend(arguments);
    run(&mut command(&all), message)
}

impl Sink {
    /// Ends it as a shell would, and gives the status.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let killed = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(begun.elapsed() < PATIENCE, "the sink does not stop");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

#[track_caller]
fn assert_accepted(run: &Run) {
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_line_for_each_message() {
    let sink = Sink::start(&[]);
    let run = send(&sink, &["--from", "ann@example.com", "--to", "bob@example.org", "--to", "c@d"], MESSAGE);
    assert_accepted(&run);
    assert_eq!(run.stdout, "accepted for 2 recipients, queued as SINK1\n");
    let told = sink.message();
    assert_eq!((&told["id"], &told["number"], &told["session"]), (&"SINK1".into(), &1.into(), &0.into()));
    assert_eq!((&told["client"], &told["protocol"]), (&"127.0.0.1".into(), &"ESMTP".into()));
    assert_eq!((&told["reverse_path"], &told["subject"]), (&"ann@example.com".into(), &"hello".into()));
    assert_eq!(told["recipients"][0]["address"], "bob@example.org");
    assert_eq!(told["recipients"][1]["address"], "c@d");
    assert_eq!(told["parameters"][0], format!("SIZE={}", MESSAGE.len()));
    assert_eq!((&told["size"], &told["sha256"]), (&MESSAGE.len().into(), &sha256(MESSAGE).into()));
    assert!(told["tls"].is_null() && told["user"].is_null() && told["stored"].is_null());
}

#[test]
fn a_line_for_people() {
    let mut child = Child(command(&["sink", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    let url = first.strip_prefix("listening on ").unwrap();
    let message = b"From: a@b\r\nTo: c@d\r\nSubject: \x1b[31mred\r\n\r\n";
    assert_accepted(&run(&mut command(&["send", "--server", url, "--tls", "none"]), message));
    let told = lines.next().unwrap();
    assert_eq!(told, "SINK1 <a@b> -> <c@d>  41 octets  ESMTP  \"\u{fffd}[31mred\"");
}

/// It ends with the test.
struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_maildir_has_the_bytes_as_they_came() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("mail");
    let sink = Sink::start(&["--maildir", path.to_str().unwrap()]);
    let large = [MESSAGE, &b".0123456789\r\n".repeat(100_000)].concat();
    for (message, chunking) in [(MESSAGE, "never"), (MESSAGE, "prefer"), (&large, "never"), (&large, "prefer")] {
        assert_accepted(&send(&sink, &["--chunking", chunking], message));
        let told = sink.message();
        let stored = Path::new(told["stored"].as_str().unwrap());
        assert_eq!(stored.parent().unwrap(), path.join("new"));
        assert!(fs::read(stored).unwrap() == message);
        assert_eq!((&told["sha256"], &told["subject"]), (&sha256(message).into(), &"hello".into()));
    }
    assert_eq!(fs::read_dir(path.join("new")).unwrap().count(), 4);
    assert_eq!(fs::read_dir(path.join("tmp")).unwrap().count(), 0);
}

#[test]
fn an_mbox_has_quoted_lines() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("mbox");
    fs::write(&path, "From x Thu Jan  1 00:00:00 1970\n\nbefore\n\n").unwrap();
    let sink = Sink::start(&["--mbox", path.to_str().unwrap()]);
    assert_accepted(&send(&sink, &["--repeat", "2"], MESSAGE));
    let text = fs::read_to_string(&path).unwrap();
    let entries: Vec<_> = text.split_inclusive("\n\nFrom ").collect();
    assert_eq!(entries.len(), 3, "{text}");
    for entry in &entries[1..] {
        assert!(entry.starts_with("ann@example.com "), "{entry}");
        let (_, content) = entry.split_once('\n').unwrap();
        let content = content.strip_suffix("\nFrom ").or(content.strip_suffix('\n')).unwrap();
        assert_eq!(content.replace(">From ", "From ").replace('\n', "\r\n").as_bytes(), MESSAGE);
    }
}

#[test]
fn tls_by_an_authority_of_its_own() {
    for (arguments, protocol) in [
        (&["--tls", "starttls"][..], "ESMTPS"),
        (&["--tls", "required"], "ESMTPS"),
        (&["--listen-tls", "127.0.0.1:0"], "ESMTPS"),
    ] {
        let mut sink = Sink::start(arguments);
        let ca = sink.ca.clone().unwrap();
        assert!(Path::new(&ca).exists());
        assert_accepted(&send(&sink, &[], MESSAGE));
        let told = sink.message();
        assert_eq!((&told["protocol"], &told["tls"]["version"]), (&protocol.into(), &"TLSv1.3".into()));
        // Nobody else is trusted.
        let distrusting = run(&mut command(&["send", "--server", sink.url()]), MESSAGE);
        distrusting.assert_failed(76, "tls.certificate");
        assert_eq!(sink.terminate(), Some(0));
        assert!(!Path::new(&ca).exists());
    }
    let sink = Sink::start(&["--tls", "required"]);
    let plain = run(&mut command(&["send", "--server", sink.url(), "--tls", "none"]), MESSAGE);
    plain.assert_failed(77, "auth.required");
}

#[test]
fn tls_with_a_certificate_that_was_given() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = file("cert.pem", params.self_signed(&key).unwrap().pem());
    let key = file("key.pem", key.serialize_pem());
    let sink = Sink::start(&["--tls", "starttls", "--cert", &certificate, "--key", &key]);
    assert_eq!(sink.ca, None);
    let sent = run(&mut command(&["send", "--server", sink.url(), "--ca", &certificate]), MESSAGE);
    assert_accepted(&sent);
    okuru(&["sink", "--cert", &certificate, "--key", &key]).assert_failed(64, "usage");
    okuru(&["sink", "--tls", "starttls", "--cert", &key, "--key", &key]).assert_failed(64, "tls.configuration");
    let ca = folder.path().join("ca.pem");
    let mut sink = Sink::start(&["--tls", "starttls", "--ca-file", ca.to_str().unwrap()]);
    assert_accepted(&send(&sink, &[], MESSAGE));
    assert_eq!((sink.terminate(), ca.exists()), (Some(0), true));
}

#[test]
fn users_and_domains() {
    let user = ["--user", "ann:correct-horse"];
    let log_in = |password: &str, sink: &Sink, arguments: &[&str]| {
        let ca = sink.ca.as_deref().unwrap();
        let all = ["send", "--server", sink.url(), "--ca", ca, "--user", "ann"];
        run(command(&[&all, arguments].concat()).env("OKURU_PASSWORD", password), MESSAGE)
    };
    let sink = Sink::start(&[&user[..], &["--tls", "starttls"]].concat());
    for mechanism in
        ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"]
    {
        assert_accepted(&log_in("correct-horse", &sink, &["--auth", mechanism]));
        let told = sink.message();
        assert_eq!((&told["user"], &told["mechanism"]), (&"ann".into(), &mechanism.into()));
        log_in("wrong", &sink, &["--auth", mechanism]).assert_failed(77, "auth.refused");
    }
    // Who has not logged in sends nothing.
    send(&sink, &[], MESSAGE).assert_failed(77, "auth.required");
    let sink = Sink::start(&[&user[..], &["--tls", "starttls", "--domain", "example.org", "--domain", "*.d"]].concat());
    assert_accepted(&send(&sink, &[], MESSAGE));
    assert_eq!(sink.message()["recipients"][0]["ours"], true);
    assert_accepted(&send(&sink, &["--to", "a@x.d"], MESSAGE));
    assert_eq!(send(&sink, &["--to", "a@elsewhere.example"], MESSAGE).status, 69);
    assert_accepted(&log_in("correct-horse", &sink, &["--to", "a@elsewhere.example"]));
}

#[test]
fn passwords_are_never_shown() {
    for argument in [":hunter2", "hunter2"] {
        let run = okuru(&["sink", "--listen", "127.0.0.1:0", "--user", argument]);
        run.assert_failed(64, "usage");
        assert!(!run.stderr.contains("hunter2"), "{run:?}");
    }
    let sink = Sink::start(&["--user", "ann:hunter2"]);
    let plain = run(
        command(&["send", "--server", sink.url(), "--tls", "none", "--user", "ann", "--auth", "PLAIN"])
            .args(["--allow-plaintext-auth"])
            .env("OKURU_PASSWORD", "hunter2"),
        MESSAGE,
    );
    plain.assert_failed(77, "auth.no_mechanism");
    let sink = Sink::start(&["--user", "ann:hunter2", "--allow-plaintext-auth"]);
    let plain = run(
        command(&["send", "--server", sink.url(), "--tls", "none", "--user", "ann", "--auth", "PLAIN"])
            .args(["--allow-plaintext-auth"])
            .env("OKURU_PASSWORD", "hunter2"),
        MESSAGE,
    );
    assert_accepted(&plain);
    assert!(!sink.message().to_string().contains("hunter2"));
}

#[test]
fn lmtp_on_a_port_and_a_path() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("lmtp");
    let mut sink = Sink::start(&["--lmtp", "--listen", "127.0.0.1:0", "--listen", path.to_str().unwrap()]);
    for url in &sink.urls {
        let sent =
            run(&mut command(&["send", "--server", url, "--tls", "none", "--to", "a@b", "--to", "c@d"]), MESSAGE);
        assert_accepted(&sent);
        assert_eq!(sink.message()["protocol"], "LMTP");
    }
    assert_eq!(sink.terminate(), Some(0));
    assert!(!path.exists());
}

#[test]
fn only_what_is_offered() {
    let keywords = |arguments: &[&str]| {
        let sink = Sink::start(arguments);
        let probe = okuru(&["probe", sink.url(), "--tls", "none", "--json"]);
        let json: serde_json::Value = serde_json::from_str(&probe.stdout).unwrap();
        json.to_string()
    };
    let all = keywords(&[]);
    for keyword in ["PIPELINING", "CHUNKING", "BINARYMIME", "8BITMIME", "SMTPUTF8", "SIZE", "DSN", "LIMITS"] {
        assert!(all.contains(keyword), "{keyword} {all}");
    }
    let few = keywords(&["--offer", "size,8bitmime", "--size", "1234"]);
    assert!(few.contains("SIZE") && few.contains("1234") && few.contains("8BITMIME"), "{few}");
    assert!(!few.contains("PIPELINING") && !few.contains("CHUNKING"), "{few}");
    assert!(!keywords(&["--offer", "none"]).contains("SIZE"));
}

#[test]
fn limits() {
    let sink = Sink::start(&["--size", "50", "--recipients", "2", "--connections", "2"]);
    let run = send(&sink, &["--json"], MESSAGE);
    assert_eq!(run.json()[0]["outcome"], "rejected", "{run:?}");
    let message = b"From: a@b\r\n\r\nx\r\n";
    // Our client gives the rest in another transaction.
    assert_accepted(&send(&sink, &["--to", "1@b", "--to", "2@b", "--to", "3@b"], message));
    let counts = [(); 2].map(|()| sink.message()["recipients"].as_array().unwrap().len());
    assert_eq!(counts, [2, 1]);
    let talk = || {
        let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", sink.port())).unwrap());
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        (line, stream)
    };
    let held = [talk(), talk()];
    let (line, _) = talk();
    assert!(line.starts_with("421 4.3.2 "), "{line}");
    drop(held);
}

#[test]
fn a_signal_lets_transactions_end() {
    let mut sink = Sink::start(&[]);
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", sink.port())).unwrap());
    let mut expect = |said: &str, code: &str| {
        stream.get_mut().write_all(said.as_bytes()).unwrap();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            if line.get(3..4) != Some("-") {
                assert!(line.starts_with(code), "{said:?} {line:?}");
                break;
            }
        }
    };
    expect("", "220 ");
    expect("EHLO a\r\n", "250 ");
    expect("MAIL FROM:<a@b>\r\n", "250 ");
    expect("RCPT TO:<c@d>\r\n", "250 ");
    expect("DATA\r\n", "354 ");
    let status = thread::scope(|scope| {
        let terminated = scope.spawn(|| sink.terminate());
        // As soon as the port is closed it has heard.
        expect("x\r\n.\r\n", "250 ");
        // It says 421 then, or once it has heard.
        expect("", "421 ");
        terminated.join().unwrap()
    });
    assert_eq!(status, Some(0));
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
}

#[test]
fn what_can_not_be_meant() {
    for arguments in [
        &["--fault", "nonsense"][..],
        &["--fault", "some-recipients@content"],
        &["--offer", "XCLIENT"],
        &["--maildir", "/tmp/a", "--mbox", "/tmp/b"],
        &["--domain", "not a domain"],
        &["--recipients", "0"],
        &["--ca-file", "/tmp/ca.pem"],
        &["--name", "not a name"],
        &["--allow-plaintext-auth"],
    ] {
        let run = okuru(&[&["sink", "--listen", "127.0.0.1:0"], arguments].concat());
        assert_eq!((run.status, run.stderr.lines().count()), (64, 1), "{run:?}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    okuru(&["sink", "--listen", &address]).assert_failed(75, "connect.failed");
}
