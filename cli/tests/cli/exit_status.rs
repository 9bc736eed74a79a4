//! Bad input, bad servers: one sentence, the error's code, the exit status.

use std::net::TcpListener;

use crate::program::{command, okuru, run, send};
use crate::server::{Behaviour, ClosedPort, Server};

const MESSAGE: &[u8] = b"From: ann@example.com\r\nTo: bob@example.org\r\n\r\nHello!\r\n";

#[test]
fn usage() {
    let server = Server::usual();
    for (arguments, code) in [
        (&["--to", "bob"][..], "address.syntax"),
        (&["--to", "a@b\r\nDATA"], "address.syntax"),
        (&["--from", "Ann <ann@example.com>"], "address.syntax"),
        (&["--to", &format!("{}@b", "a".repeat(65))], "address.too_long"),
        (&["--param", "A=b c"], "usage"),
        (&["--param", "SIZE=3"], "usage"),
        (&["--notify", "sometimes"], "usage"),
        (&["--envid", "\u{e9}"], "usage"),
        (&["--auth", "ROT13"], "usage"),
        (&["--ehlo", "a b"], "address.syntax"),
        (&["--user", "ann"], "usage"),
        (&["--user", "ann", "--password-file", "/nonexistent"], "usage"),
        (&["--password-file", "/etc/hostname"], "usage"),
        (&["--proxy", "ftp://x"], "usage"),
        (&["-", "-"], "usage"),
    ] {
        send(&server, arguments, MESSAGE).assert_failed(64, code);
    }
    assert_eq!(server.connections(), 0);
    for url in ["", "mail.example.com", "ftp://x", "smtp://ann:secret@", "smtp://ann:secret@x:y"] {
        let run = run(&mut command(&["send", "--server", url]), MESSAGE);
        run.assert_failed(64, "usage");
        assert!(!run.stderr.contains("secret"));
    }
}

#[test]
fn usage_that_the_command_line_knows() {
    for arguments in [
        &["send"][..],
        &["send", "--server", "smtp://x", "--tls", "maybe"],
        &["send", "--server", "smtp://x", "--sever", "y"],
        &["send", "--server", "smtp://x", "--repeat", "0"],
        &["send", "--server", "smtp://x", "--deadline", "-1"],
        &["send", "--server", "smtp://x", "--client-cert", "x"],
        &["send", "--server", "smtp://x", "--password", "secret"],
        &["dispatch"],
        &["completions", "cmd"],
    ] {
        let run = okuru(arguments);
        assert_eq!((run.status, run.stdout.as_str()), (64, ""), "{run:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
        assert!(run.stderr.starts_with("okuru: ") && run.stderr.ends_with(" [usage]\n"), "{run:?}");
    }
    let run = okuru(&[]);
    assert_eq!(run.status, 64);
    assert!(run.stderr.contains("Usage: okuru <COMMAND>"), "{run:?}");
}

#[test]
fn messages_that_can_not_be_sent() {
    let server = Server::usual();
    for (message, code) in [
        (&b""[..], "message.empty"),
        (b"Subject: x\r\n\r\nTo: bob@example.org\r\n", "message.no_sender"),
        (b"From: ann@example.com\r\nTo: nobody:;\r\n\r\n", "message.no_recipients"),
        (b"From: Ann\r\nTo: bob@example.org\r\n\r\n", "address.syntax"),
        (b"From: ann@example.com\r\nTo: bob@example.org, carl\r\n\r\n", "address.syntax"),
    ] {
        send(&server, &[], message).assert_failed(65, code);
    }
    for (file, why) in [("/nonexistent/x.eml", "No such file or directory"), ("/", "is a directory")] {
        let run = send(&server, &[file], b"");
        run.assert_failed(65, "message.unreadable");
        assert!(run.stderr.contains(file) && run.stderr.contains(why), "{run:?}");
    }
    assert_eq!(server.connections(), 0);
    let bare = b"From: ann@example.com\r\nTo: bob@example.org\n\nx\n";
    send(&server, &["--newlines", "refuse"], bare).assert_failed(65, "message.bare_newline");
    assert_eq!(server.messages(), []);
}

#[test]
fn what_the_server_does_not_take() {
    let offers_little = Behaviour::default().offer(&["SIZE 50"]).start();
    for (arguments, message, code) in [
        (&[][..], &b"From: a@b\r\nTo: c@d\r\n\r\n\xe9\r\n"[..], "message.needs_8bitmime"),
        (&[], "From: a@b\r\nTo: c@d\r\nX: é\r\n\r\n".as_bytes(), "message.needs_smtputf8"),
        (&[], "From: a@b\r\nTo: é@d\r\n\r\n".as_bytes(), "message.needs_smtputf8"),
        (&["--from", "a@b", "--to", "é@d"], MESSAGE, "message.too_large"),
        (&["--from", "a@b", "--to", "é@d"], b"X: y\r\n\r\n", "address.needs_smtputf8"),
        (&["--body", "binarymime"], MESSAGE, "message.needs_binarymime"),
        (&["--ret", "full"], MESSAGE, "message.needs_extension"),
        (&["--param", "REQUIRETLS"], MESSAGE, "message.needs_extension"),
        (&["--smtputf8", "require"], MESSAGE, "message.needs_smtputf8"),
    ] {
        send(&offers_little, arguments, message).assert_failed(69, code);
    }
    assert!(!offers_little.lines().iter().any(|line| line.starts_with("MAIL")));
}

#[test]
fn what_the_server_says() {
    for (command, reply, status, code) in [
        ("RCPT", "550 5.1.1 nobody\r\n", 69, "reply.rejected"),
        ("RCPT", "450 4.2.1 later\r\n", 75, "reply.deferred"),
        ("MAIL", "421 4.3.2 closing\r\n", 75, "reply.closing"),
        ("MAIL", "530 5.7.0 who are you?\r\n", 77, "auth.required"),
        (".", "554 5.6.0 spam\r\n", 69, "reply.rejected"),
        (".", "452 4.3.1 full\r\n", 75, "reply.deferred"),
        (".", "", 75, "protocol.closed"),
        ("EHLO", "250-x\r\n550 y\r\n", 76, "protocol.mixed_codes"),
        ("DATA", "Hello?\r\n", 76, "protocol.malformed_reply"),
        ("RCPT", "354 go ahead\r\n", 76, "protocol.unexpected_code"),
    ] {
        let server = Behaviour::default().on(command, reply).start();
        let run = send(&server, &[], MESSAGE);
        run.assert_failed(status, code);
    }
    let garbage = Behaviour::default().greeting("SSH-2.0-OpenSSH_9.2\r\n").start();
    send(&garbage, &[], MESSAGE).assert_failed(76, "protocol.malformed_reply");
    let talks = Behaviour::default().greeting(concat!(
        "220-",
        "x\r\n220-x\r\n220-x\r\n220-x\r\n220-x\r\n220-x\r\n220-x\r\n220-x\r\n220-x\r\n220-x\r\n220 x\r\n"
    ));
    send(&talks.start(), &["--max-reply", "64"], MESSAGE).assert_failed(76, "limit.reply_bytes");
    let busy = Behaviour::default().greeting("554 5.3.2 no service\r\n").start();
    send(&busy, &[], MESSAGE).assert_failed(69, "reply.rejected");
}

#[test]
fn logging_in() {
    let login = |behaviour: Behaviour, arguments: &[&str]| {
        let server = behaviour.start();
        let url = server.url();
        let mut all = vec!["send", "--server", &url, "--tls", "none", "--user", "ann"];
        all.extend(arguments);
        let run = run(command(&all).env("OKURU_PASSWORD", "hunter2"), MESSAGE);
        assert!(!run.stderr.contains("hunter2") && server.messages().is_empty());
        run
    };
    let allowed = &["--allow-plaintext-auth"][..];
    let offers = || Behaviour::default().offer(&["AUTH PLAIN LOGIN"]);
    login(offers().on("AUTH", "535 5.7.8 wrong\r\n"), allowed).assert_failed(77, "auth.refused");
    login(offers(), &["--allow-plaintext-auth", "--auth", "CRAM-MD5"]).assert_failed(77, "auth.no_mechanism");
    login(Behaviour::default(), allowed).assert_failed(77, "auth.not_offered");
    login(offers(), &[]).assert_failed(77, "security.plaintext_credentials");
    login(offers().on("AUTH", "454 4.7.0 later\r\n"), allowed).assert_failed(75, "reply.deferred");
    let takes_tokens = Behaviour::default().offer(&["AUTH PLAIN XOAUTH2"]);
    login(takes_tokens, &["--allow-plaintext-auth", "--token-file", "/nonexistent"]).assert_failed(77, "auth.token");
}

#[test]
fn no_way_to_the_server() {
    let closed = ClosedPort::new();
    let send_to = |url: &str, more: &[&str]| {
        let mut all = vec!["send", "--server", url, "--connect-timeout", "3"];
        all.extend(more);
        run(&mut command(&all), MESSAGE)
    };
    send_to(&closed.url(), &[]).assert_failed(75, "connect.refused");
    send_to("lmtp:///nonexistent/socket", &[]).assert_failed(75, "connect.failed");
    send_to("smtp://no-such-host.invalid", &[]).assert_failed(68, "dns.no_such_host");
    send_to(&closed.url(), &["--ca", "/nonexistent.pem"]).assert_failed(64, "tls.configuration");

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", silent.local_addr().unwrap());
    send_to(&url, &["--reply-timeout", "0.2"]).assert_failed(75, "timeout.reply");
    send_to(&url, &["--deadline", "0.2"]).assert_failed(75, "timeout.deadline");
}

#[test]
fn help_and_version() {
    let run = okuru(&["--version"]);
    assert_eq!((run.status, run.stdout), (0, format!("okuru {}\n", env!("CARGO_PKG_VERSION"))));
    for command in ["send", "probe", "demo"] {
        let run = okuru(&[command, "--help"]);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
        assert!(run.stdout.contains(&format!("Usage: okuru {command}")));
    }
    for help in [&["--help"][..], &["send", "--help"], &["probe", "--help"]] {
        let run = okuru(help);
        for status in [77, 76, 68, 75, 64, 65, 69, 0] {
            assert!(run.stdout.lines().any(|line| line.trim_start().starts_with(&format!("{status}  "))), "{status}");
        }
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = okuru(&["completions", shell]);
        assert_eq!(run.status, 0);
        assert!(run.stdout.contains("password-file"), "{shell}");
    }
}
