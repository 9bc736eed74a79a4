//! `okuru sendmail -bs`: SMTP on standard input and output.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use crate::program::Run;
use crate::sendmail::Home;
use crate::server::{Behaviour, Server};
use crate::started_sink::Sink;

/// A session with the program.
struct Session {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Session {
    fn start(home: &Home) -> Self {
        let mut command = home.command(&["-bs"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut session = Self { child, stdin, stdout };
        assert!(session.reply().starts_with("220 "));
        assert!(session.say("EHLO client.test").ends_with("250 ENHANCEDSTATUSCODES\r\n"));
        session
    }

    /// A whole reply.
    fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let from = reply.len();
            assert!(self.stdout.read_line(&mut reply).unwrap() > 0, "{reply}");
            if reply.as_bytes().get(from + 3) != Some(&b'-') {
                return reply;
            }
        }
    }

    fn say(&mut self, line: &str) -> String {
        write!(self.stdin, "{line}\r\n").unwrap();
        self.reply()
    }

    /// The reply to the content of a message to these.
    fn send(&mut self, recipients: &[&str]) -> String {
        assert!(self.say("MAIL FROM:<ann@a.test> RET=HDRS").starts_with("250 "));
        for recipient in recipients {
            assert!(self.say(&format!("RCPT TO:<{recipient}> NOTIFY=NEVER")).starts_with("250 "));
        }
        assert!(self.say("DATA").starts_with("354 "));
        self.say("Subject: x\r\n\r\n..dot\r\n.")
    }

    /// Says good-bye, or nothing, and leaves standard input open.
    fn quit(mut self) -> Run {
        assert!(self.say("QUIT").starts_with("221 "));
        self.end()
    }

    fn end(self) -> Run {
        let output = self.child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        drop(self.stdin);
        Run { status: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    fn hang_up(self) -> Run {
        let Self { child, stdin, stdout: _stdout } = self;
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { status: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

fn relay() -> Behaviour {
    Behaviour::default().offer(&["DSN", "PIPELINING"])
}

#[test]
fn each_message_is_answered_after_the_relay() {
    let server = relay().start();
    let home = Home::by(&server.url(), "[aliases]\nroot = \"admin@x.test\"\n");
    let mut session = Session::start(&home);
    for _ in 0..3 {
        let reply = session.send(&["bob@b.test", "root@here.test", "bob@b.test"]);
        assert_eq!(reply, "250 2.0.0 Ok: the relay has accepted it, queued as 4XyZ1\r\n");
    }
    let run = session.quit();
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let messages = server.messages();
    assert_eq!((messages.len(), server.connections()), (3, 1));
    assert_eq!(messages[0].mail, "MAIL FROM:<ann@a.test> RET=HDRS");
    assert_eq!(messages[0].rcpts, ["RCPT TO:<bob@b.test> NOTIFY=NEVER", "RCPT TO:<admin@x.test> NOTIFY=NEVER"]);
    let content = String::from_utf8(messages[0].content.clone()).unwrap();
    assert!(
        content.contains("\r\nFrom: ann@a.test\r\n") && content.ends_with("Subject: x\r\n\r\n.dot\r\n"),
        "{content}"
    );
}

#[test]
fn what_the_relay_does_not_take() {
    for (command, reply, expected, taken) in [
        ("RCPT TO:<bob@", "550 5.1.1 nobody\r\n", "550 5.1.1 nobody\r\n", 0),
        ("RCPT TO:<bob@", "450 4.2.1 later\r\n", "450 4.2.1 later\r\n", 0),
        (".", "554 5.6.0 spam\r\n", "554 5.6.0 spam\r\n", 1),
        (".", "452 4.3.1 full\r\n", "452 4.3.1 full\r\n", 1),
        ("MAIL", "530 5.7.0 who are you?\r\n", "554 5.4.0 ", 0),
        // The client must not take this for our own last word.
        ("MAIL", "421 4.3.2 closing\r\n", "451 4.4.0 ", 0),
        (".", "", "451 4.4.2 ", 1),
    ] {
        let server = relay().on(command, reply).start();
        let mut session = Session::start(&Home::by(&server.url(), ""));
        let answer = session.send(&["carl@c.test", "bob@b.test"]);
        assert!(answer.starts_with(expected), "{command} {reply}: {answer}");
        assert_eq!(server.messages().len(), taken, "{command} {reply}");
        // The session goes on.
        assert_eq!(session.say("NOOP"), "250 2.0.0 Ok\r\n");
        assert_eq!(session.quit().status, 0);
    }
}

#[test]
fn recipients_that_end_differently() {
    let sink = Sink::start(&["--lmtp", "--fault", "some-recipients@content"]);
    let mut session = Session::start(&Home::by(sink.url(), ""));
    let answer = session.send(&["carl@c.test", "bob@b.test"]);
    assert!(answer.starts_with("554-5.4.0 <bob@b.test>: the server said: 550 5.1.1 "), "{answer}");
    assert!(answer.ends_with("\r\n554 5.4.0 Accepted for <carl@c.test>, not for <bob@b.test>\r\n"), "{answer}");
    assert_eq!(sink.message()["recipients"][0]["address"], "carl@c.test");
    assert_eq!(session.quit().status, 0);
}

#[test]
fn a_client_that_leaves() {
    let server = Server::usual();
    let home = Home::by(&server.url(), "");
    let session = Session::start(&home);
    let run = session.hang_up();
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let mut session = Session::start(&home);
    session.say("MAIL FROM:<ann@a.test>");
    session.say("RCPT TO:<bob@b.test>");
    session.say("DATA");
    write!(session.stdin, "Subject: x\r\n\r\nhalf of").unwrap();
    let run = session.hang_up();
    run.assert_failed(76, "protocol.closed");
    assert_eq!(server.messages().len(), 0);
}

#[test]
fn a_dialogue_that_was_written_down() {
    let server = Server::usual();
    let dialogue =
        "EHLO x\r\nMAIL FROM:<ann@a.test>\r\nRCPT TO:<bob@b.test>\r\nDATA\r\nSubject: x\r\n\r\ndata\r\n.\r\nQUIT\r\n";
    let run = Home::by(&server.url(), "").run(&["-bs"], dialogue);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
    assert!(run.stdout.ends_with("queued as 4XyZ1\r\n221 2.0.0 Bye\r\n"), "{run:?}");
    assert!(server.messages()[0].content.ends_with(b"Subject: x\r\n\r\ndata\r\n"));
}
