//! What `okuru send` sends, and to whom.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::program::{command, run, send};
use crate::server::{Behaviour, Server};

const MESSAGE: &[u8] = b"From: Ann <ann@example.com>\r\nTo: bob@example.org\r\nSubject: x\r\n\r\nHello!\r\n.dot\r\n";

fn file(folder: &TempDir, name: &str, content: &[u8]) -> String {
    let path: PathBuf = folder.path().join(name);
    fs::write(&path, content).unwrap();
    path.into_os_string().into_string().unwrap()
}

#[test]
fn a_message_from_standard_input() {
    for arguments in [&[][..], &["-"]] {
        let server = Server::usual();
        let run = send(&server, arguments, MESSAGE);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
        assert_eq!(run.stdout, "accepted for 1 recipient, queued as 4XyZ1\n");
        let messages = server.messages();
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].mail, "MAIL FROM:<ann@example.com>");
        assert_eq!(messages[0].rcpts, ["RCPT TO:<bob@example.org>"]);
        assert_eq!(messages[0].content, MESSAGE);
        assert_eq!(server.lines().last().map(String::as_str), Some("QUIT"));
    }
}

#[test]
fn recipients_from_the_header_and_no_bcc() {
    let server = Server::usual();
    let message = b"Bcc: Eve <eve@example.net>,\r\n\tfay@example.net\r\nFrom: a@example.com, b@example.com\r\n\
        Sender: s@example.com\r\nTo: bob@example.org, friends: Carl <carl@example.org>;\r\nCC: bob@example.org\r\n\
        Subject: x\r\nBCC:\r\n\r\nBcc: stays\r\n";
    assert_eq!(send(&server, &[], message).status, 0);
    let sent = &server.messages()[0];
    assert_eq!(sent.mail, "MAIL FROM:<s@example.com>");
    assert_eq!(
        sent.rcpts,
        [
            "RCPT TO:<eve@example.net>",
            "RCPT TO:<fay@example.net>",
            "RCPT TO:<bob@example.org>",
            "RCPT TO:<carl@example.org>"
        ]
    );
    let rest = b"From: a@example.com, b@example.com\r\nSender: s@example.com\r\n\
        To: bob@example.org, friends: Carl <carl@example.org>;\r\nCC: bob@example.org\r\nSubject: x\r\n\r\nBcc: stays\r\n";
    assert_eq!(sent.content, rest);
}

#[test]
fn the_command_line_counts_for_more_than_the_header() {
    let server = Server::usual();
    let message = b"From: ann@example.com\r\nTo: no address\r\nBcc: eve@example.net\r\n\r\nx\r\n";
    let run_ = send(
        &server,
        &["--from", "<>", "--to", "1@example.org", "--to", "<2@example.org>", "--to", "Postmaster"],
        message,
    );
    assert_eq!(run_.status, 0, "{run_:?}");
    assert_eq!(send(&server, &["--from", "b@c", "--to", "1@example.org", "--keep-bcc"], message).status, 0);
    let messages = server.messages();
    assert_eq!(messages[0].mail, "MAIL FROM:<>");
    assert_eq!(messages[0].rcpts, ["RCPT TO:<1@example.org>", "RCPT TO:<2@example.org>", "RCPT TO:<Postmaster>"]);
    assert_eq!(messages[0].content, b"From: ann@example.com\r\nTo: no address\r\n\r\nx\r\n");
    assert_eq!(messages[1].mail, "MAIL FROM:<b@c>");
    assert_eq!(messages[1].content, message);
}

#[test]
fn a_message_that_was_sent_on() {
    let server = Server::usual();
    let message = b"Resent-From: eve@example.net\r\nResent-To: fay@example.net\r\nResent-Bcc: gus@example.net\r\n\
        From: ann@example.com\r\nTo: bob@example.org\r\n\r\nx\r\n";
    assert_eq!(send(&server, &[], message).status, 0);
    let sent = &server.messages()[0];
    assert_eq!(sent.mail, "MAIL FROM:<eve@example.net>");
    assert_eq!(sent.rcpts, ["RCPT TO:<fay@example.net>", "RCPT TO:<gus@example.net>"]);
    assert!(!sent.content.windows(3).any(|window| window == b"gus"));
}

#[test]
fn several_files_and_each_several_times() {
    let folder = TempDir::new().unwrap();
    let one = file(&folder, "one.eml", MESSAGE);
    let two = file(&folder, "two.eml", b"From: a@b\nTo: c@d\n\nlines end in LF\n");
    for level in ["none", "message", "session"] {
        let server = Server::usual();
        let run = send(&server, &[&one, &two, "--repeat", "3", "--pipelining", level], b"");
        assert_eq!((run.status, run.stdout.as_str()), (0, "6 messages: 6 accepted\n"), "{run:?}");
        let contents: Vec<_> = server.messages().into_iter().map(|message| message.content).collect();
        let fixed = b"From: a@b\r\nTo: c@d\r\n\r\nlines end in LF\r\n";
        assert_eq!(contents[..3], [MESSAGE; 3]);
        assert_eq!(contents[3..], [fixed; 3]);
        assert_eq!(server.connections(), 1);
    }
}

#[test]
fn everything_at_once_by_bdat() {
    let server = Behaviour::default().offer(&["PIPELINING", "CHUNKING"]).start();
    let run = send(&server, &["--pipelining", "streaming", "--repeat", "50"], MESSAGE);
    assert_eq!((run.status, run.stdout.as_str()), (0, "50 messages: 50 accepted\n"), "{run:?}");
    assert!(server.messages().iter().all(|message| message.content == MESSAGE));
    assert!(server.lines().contains(&format!("BDAT {} LAST", MESSAGE.len())));
    assert_eq!(send(&server, &["--chunking", "prefer"], MESSAGE).status, 0);
    assert_eq!(send(&server, &["--chunking", "never"], MESSAGE).status, 0);
    assert!(server.lines().contains(&"DATA".to_owned()));
    assert_eq!(server.messages().len(), 52);
}

#[test]
fn parameters_of_the_envelope() {
    let offer = ["DSN", "8BITMIME", "SMTPUTF8", "SIZE 1000", "MT-PRIORITY", "X-TRY", "PIPELINING"];
    let server = Behaviour::default().offer(&offer).start();
    let arguments = ["--ret", "hdrs", "--envid", "a+b", "--notify", "success,delay", "--param", "MT-PRIORITY=3"];
    assert_eq!(send(&server, &arguments, MESSAGE).status, 0);
    assert_eq!(send(&server, &["--notify", "never", "--param", "x-try=1", "--smtputf8", "require"], MESSAGE).status, 0);
    let messages = server.messages();
    let size = MESSAGE.len();
    assert_eq!(messages[0].mail, format!("MAIL FROM:<ann@example.com> SIZE={size} RET=HDRS ENVID=a+2Bb MT-PRIORITY=3"));
    assert_eq!(messages[0].rcpts, ["RCPT TO:<bob@example.org> NOTIFY=SUCCESS,DELAY"]);
    assert_eq!(messages[1].mail, format!("MAIL FROM:<ann@example.com> SIZE={size} SMTPUTF8 X-TRY=1"));
    assert_eq!(messages[1].rcpts, ["RCPT TO:<bob@example.org> NOTIFY=NEVER"]);
}

#[test]
fn all_or_nothing() {
    let behaviour = Behaviour::default().offer(&["PIPELINING"]).on("RCPT TO:<bad@", "550 5.1.1 nobody\r\n");
    let arguments = ["--to", "good@example.org", "--to", "bad@example.org"];
    let server = behaviour.clone().start();
    let run = send(&server, &arguments, MESSAGE);
    run.assert_failed(69, "reply.rejected");
    assert_eq!(run.stdout, "accepted for 1 of 2 recipients, queued as 4XyZ1\n");
    assert_eq!(server.messages().len(), 1);

    let server = behaviour.start();
    let run = send(&server, &[&arguments[..], &["--all-or-nothing"]].concat(), MESSAGE);
    assert_eq!(run.status, 75, "{run:?}");
    assert!(run.stderr.contains("[reply.rejected]") && run.stderr.contains("[cancelled.all_or_nothing]"), "{run:?}");
    assert_eq!(server.messages(), []);
}

#[test]
fn lmtp_answers_for_each_recipient() {
    let server = Behaviour::default().lmtp().start();
    let url = server.url().replace("smtp://", "lmtp://");
    let arguments = ["send", "--server", &url, "--json", "--to", "1@example.org", "--to", "2@example.org"];
    let run = run(&mut command(&arguments), MESSAGE);
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!(run.json()[0]["recipients"][1]["text"][0], "Ok: queued as 4XyZ1");
    assert!(server.lines()[0].starts_with("LHLO "));
}

const MORE_THAN_IS_HELD: usize = (4 << 20) + 1;

#[test]
fn what_is_large_is_streamed() {
    let folder = TempDir::new().unwrap();
    let mut large = b"From: a@b\r\nBcc: c@d\r\n\r\n".to_vec();
    let line = format!(".{}\r\n", "a line that begins with a dot ".repeat(30));
    large.extend(line.repeat(MORE_THAN_IS_HELD / line.len() + 1).as_bytes());
    let path = file(&folder, "large.eml", &large);
    let without_bcc = [b"From: a@b\r\n", &large[21..]].concat();
    let server = Server::usual();
    assert_eq!(send(&server, &[&path, "--repeat", "2"], b"").status, 0);
    assert_eq!(send(&server, &[&path, "--keep-bcc"], b"").status, 0);
    assert_eq!(send(&server, &[], &large).status, 0);
    let contents: Vec<_> = server.messages().into_iter().map(|message| message.content).collect();
    assert!(contents == [&without_bcc[..], &without_bcc, &large, &without_bcc]);

    // The recipients in two transactions, so that the file has to be read twice.
    let one_at_a_time = Behaviour::default().offer(&["PIPELINING", "LIMITS RCPTMAX=1"]).start();
    assert_eq!(send(&one_at_a_time, &[&path, "--to", "1@d", "--to", "2@d"], b"").status, 0);
    let messages = one_at_a_time.messages();
    assert_eq!(
        messages.iter().map(|message| &*message.rcpts[0]).collect::<Vec<_>>(),
        ["RCPT TO:<1@d>", "RCPT TO:<2@d>"]
    );
    assert!(messages.iter().all(|message| message.content == without_bcc));

    let run = send(&server, &["--repeat", "2", "--json"], &large);
    assert_eq!(run.status, 65);
    let again = run.json().into_iter().find(|line| line["message"] == 1).unwrap();
    assert_eq!(again["error"]["code"], "message.unreadable");

    let endless = vec![b'x'; MORE_THAN_IS_HELD];
    let run = send(&server, &["--to", "a@b", "--from", "a@b"], &endless);
    run.assert_failed(65, "message.unreadable");
}

#[test]
fn the_dialogue_without_secrets() {
    let server = Behaviour::default().offer(&["PIPELINING", "AUTH PLAIN LOGIN"]).start();
    let mut command = command(&[
        "send",
        "--server",
        &server.url(),
        "--tls",
        "none",
        "--trace",
        "--user",
        "ann",
        "--allow-plaintext-auth",
    ]);
    let run = run(command.env("OKURU_PASSWORD", "hunter2-secret"), MESSAGE);
    assert_eq!(run.status, 0, "{run:?}");
    // base64 of NUL ann NUL hunter2-secret, as PLAIN has it.
    let base64 = "AGFubgBodW50ZXIyLXNlY3JldA==";
    assert!(server.lines().contains(&format!("AUTH PLAIN {base64}")));
    for secret in ["hunter2", base64, "aHVudGVyMi1zZWNyZXQ"] {
        assert!(!run.stderr.contains(secret) && !run.stdout.contains(secret), "{run:?}");
    }
    for line in [
        "S: 220 test.example ESMTP",
        "S: 250-AUTH PLAIN LOGIN",
        "C: MAIL FROM:<ann@example.com>",
        "C: RCPT TO:<bob@example.org>",
        "S: 354 go ahead",
        "S: 250 2.0.0 Ok: queued as 4XyZ1",
        "C: QUIT",
    ] {
        assert!(run.stderr.lines().any(|shown| shown == line), "{line}: {run:?}");
    }
    assert!(run.stderr.lines().any(|line| line.starts_with("C: AUTH PLAIN ")));
}

#[test]
fn where_the_password_comes_from() {
    let folder = TempDir::new().unwrap();
    let password = file(&folder, "password", b"from file\nsecond line\n");
    let token = file(&folder, "token", b"ya29.token");
    let login = |server: &Server, url: String, arguments: &[&str]| {
        let mut all = vec!["send", "--server", &url, "--tls", "none", "--allow-plaintext-auth"];
        all.extend(arguments);
        let mut command = command(&all);
        let run = run(command.env("OKURU_PASSWORD", "from env"), MESSAGE);
        assert_eq!(run.status, 0, "{run:?}");
        server.lines().into_iter().rfind(|line| line.starts_with("AUTH")).unwrap_or_default()
    };
    let server = Behaviour::default().offer(&["AUTH PLAIN OAUTHBEARER XOAUTH2"]).start();
    let url = |user: &str| server.url().replace("//", &format!("//{user}"));
    assert_eq!(login(&server, server.url(), &[]), "");
    assert_eq!(login(&server, server.url(), &["--user", "ann"]), "AUTH PLAIN AGFubgBmcm9tIGVudg==");
    assert_eq!(login(&server, url("ann@"), &[]), "AUTH PLAIN AGFubgBmcm9tIGVudg==");
    assert_eq!(login(&server, url("ann:from%20url@"), &[]), "AUTH PLAIN AGFubgBmcm9tIHVybA==");
    assert_eq!(login(&server, url("ann@"), &["--password-file", &password]), "AUTH PLAIN AGFubgBmcm9tIGZpbGU=");
    let xoauth2 = "AUTH XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgeWEyOS50b2tlbgEB";
    assert_eq!(login(&server, url("ann@"), &["--token-file", &token, "--auth", "XOAUTH2"]), xoauth2);
}
