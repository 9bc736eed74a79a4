//! `okuru sendmail`: what programs call to send mail.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::knot::Knot;
use crate::program::{Run, run};
use crate::server::{Behaviour, ClosedPort, Message, Server};
use crate::started_sink::Sink;

/// A folder with a configuration, and nothing else of this machine.
pub(crate) struct Home {
    pub(crate) folder: TempDir,
    /// The configuration.
    pub(crate) file: PathBuf,
}

/// What each configuration here begins with.
const USUAL: &str =
    "tls = \"none\"\ndomain = \"here.test\"\nsender = \"ann\"\nconnect-timeout = 5\nreply-timeout = 5\n";

const MESSAGE: &str = "From: ann@a.test\nDate: x\nMessage-ID: <y>\nTo: bob@b.test\n\nHello!\n";

impl Home {
    /// With this configuration.
    pub(crate) fn with(configuration: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("sendmail.toml");
        fs::write(&file, configuration).unwrap();
        Self { folder, file }
    }

    /// With this server, and what else is said.
    pub(crate) fn by(url: &str, more: &str) -> Self {
        Self::with(&format!("server = {url:?}\n{USUAL}{more}"))
    }

    /// The program, which has nothing else of the environment that it looks at.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_okuru"));
        command.arg("sendmail").args(arguments);
        self.isolate(&mut command);
        command.env("OKURU_SENDMAIL_CONFIG", &self.file);
        command
    }

    fn isolate(&self, command: &mut Command) {
        for variable in ["XDG_CONFIG_HOME", "OKURU_SENDMAIL_CONFIG", "OKURU_SERVER", "OKURU_PASSWORD", "NAME"] {
            command.env_remove(variable);
        }
        command.env("HOME", self.folder.path());
    }

    pub(crate) fn run(&self, arguments: &[&str], message: &str) -> Run {
        run(&mut self.command(arguments), message.as_bytes())
    }

    /// What a server gets that takes everything.
    fn sent(arguments: &[&str], message: &str) -> Message {
        let server = Server::usual();
        let run = Self::by(&server.url(), "").run(arguments, message);
        assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""), "{arguments:?}");
        let mut messages = server.messages();
        assert_eq!(messages.len(), 1);
        messages.remove(0)
    }
}

fn paths(recipients: &[&str]) -> Vec<String> {
    recipients.iter().map(|recipient| format!("RCPT TO:<{recipient}>")).collect()
}

fn text(message: &Message) -> &str {
    std::str::from_utf8(&message.content).unwrap()
}

#[test]
fn recipients() {
    let message = "From: ann@a.test\nDate: x\nMessage-ID: y\nTo: Bob <bob@b.test>, carl\nCc: dora@d.test\n\
        Bcc: eve@e.test,\n\tfay\n\nBcc: stays\n";
    for (arguments, recipients) in [
        (&["bob"][..], &["bob@here.test"][..]),
        (&["bob@b.test", "carl"], &["bob@b.test", "carl@here.test"]),
        (&["Bob B <bob@b.test>, carl", "<dora@d.test>"], &["bob@b.test", "carl@here.test", "dora@d.test"]),
        (&["-t"], &["bob@b.test", "carl@here.test", "dora@d.test", "eve@e.test", "fay@here.test"]),
        (
            &["-t", "x@x.test", "bob@B.TEST"],
            &["x@x.test", "bob@B.TEST", "carl@here.test", "dora@d.test", "eve@e.test", "fay@here.test"],
        ),
        (&["--", "-t", "-fx@x.test"], &["-t@here.test", "-fx@x.test"]),
        (&["bob", "-Xfile@b.test"], &["bob@here.test", "-Xfile@b.test"]),
    ] {
        let sent = Home::sent(arguments, message);
        assert_eq!(sent.rcpts, paths(recipients), "{arguments:?}");
        assert_eq!(
            text(&sent),
            "From: ann@a.test\r\nDate: x\r\nMessage-ID: y\r\nTo: Bob <bob@b.test>, carl@here.test\r\nCc: dora@d.test\r\n\
            \r\nBcc: stays\r\n"
        );
    }
    let resent = "Resent-To: eve@e.test\nResent-From: bob\nResent-Date: z\nResent-Message-ID: w\n";
    let sent = Home::sent(&["-t"], &format!("{resent}{message}"));
    assert_eq!(sent.rcpts, paths(&["eve@e.test"]));
}

#[test]
fn who_sends() {
    for (arguments, mail) in [
        (&["bob"][..], "MAIL FROM:<ann@here.test>"),
        (&["-f", "eve@e.test", "bob"], "MAIL FROM:<eve@e.test>"),
        (&["-feve@e.test", "bob"], "MAIL FROM:<eve@e.test>"),
        (&["-r", "Eve E <eve>", "bob"], "MAIL FROM:<eve@here.test>"),
        (&["-f", "", "bob"], "MAIL FROM:<>"),
        (&["-f<>", "bob"], "MAIL FROM:<>"),
        (&["-f", "-oi@e.test", "bob"], "MAIL FROM:<-oi@e.test>"),
    ] {
        assert_eq!(Home::sent(arguments, MESSAGE).mail, mail, "{arguments:?}");
    }
}

#[test]
fn the_header_is_completed() {
    let sent = Home::sent(&["-F", "Ann\nBcc: eve@e.test", "bob"], "Subject: x\r\n\r\nHello!\n\rx");
    let lines: Vec<_> = text(&sent).split("\r\n").collect();
    assert!(lines[0].starts_with("Date: ") && lines[0].ends_with(" +0000"), "{lines:?}");
    assert_eq!(lines[1], "From: \"Ann Bcc: eve@e.test\" <ann@here.test>");
    let id = lines[2].strip_prefix("Message-ID: <").and_then(|id| id.strip_suffix("@here.test>")).unwrap();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(lines[3..], ["Subject: x", "", "Hello!", "", "x", ""]);

    // As cron calls it, with the header that it writes.
    let message = "From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@vm> job\n\nout\n.\nput\n";
    let sent = Home::sent(&["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"], message);
    assert_eq!(sent.rcpts, paths(&["root@here.test"]));
    let (_, rest) = text(&sent).split_once("@here.test>\r\n").unwrap();
    let expected = "From: root@here.test (Cron Daemon)\r\nTo: root@here.test\r\nSubject: Cron <root@vm> job\r\n\r\nout\r\n.\r\nput\r\n";
    assert_eq!(rest, expected);
}

#[test]
fn a_dot_ends_it_unless_told_otherwise() {
    let message = format!("{MESSAGE}.\nmore\n");
    assert!(text(&Home::sent(&["bob"], &message)).ends_with("\r\nHello!\r\n"));
    for ignoring in ["-i", "-oi", "-OIgnoreDots=true"] {
        assert!(text(&Home::sent(&[ignoring, "bob"], &message)).ends_with("\r\nHello!\r\n.\r\nmore\r\n"));
    }
}

#[test]
fn what_is_asked_of_the_relay() {
    let server = Behaviour::default().offer(&["DSN", "8BITMIME"]).start();
    let home = Home::by(&server.url(), "");
    let arguments = ["-N", "success,failure", "-Rhdrs", "-V", "id=1", "-B8BITMIME", "bob"];
    assert_eq!(home.run(&arguments, &format!("{MESSAGE}é\n")).status, 0);
    let message = &server.messages()[0];
    assert_eq!(message.mail, "MAIL FROM:<ann@here.test> BODY=8BITMIME RET=HDRS ENVID=id+3D1");
    assert_eq!(message.rcpts, ["RCPT TO:<bob@here.test> NOTIFY=SUCCESS,FAILURE"]);
    home.run(&["-B7BIT", "bob"], "\né\n").assert_failed(69, "message.needs_8bitmime");
    let offers_none = Behaviour::default().start();
    let home = Home::by(&offers_none.url(), "");
    home.run(&["-N", "never", "bob"], MESSAGE).assert_failed(69, "message.needs_extension");
    // Declared is what there is to declare.
    assert_eq!(home.run(&["-B8BITMIME", "bob"], MESSAGE).status, 0);
}

#[test]
fn under_other_names() {
    let server = Server::usual();
    let home = Home::by(&server.url(), "");
    let call = |name: &str, arguments: &[&str]| {
        let link = home.folder.path().join(name);
        if !link.exists() {
            symlink(env!("CARGO_BIN_EXE_okuru"), &link).unwrap();
        }
        let mut command = Command::new(link);
        home.isolate(&mut command);
        run(command.arg("-C").arg(&home.file).args(arguments), MESSAGE.as_bytes())
    };
    assert_eq!(call("sendmail", &["-oi", "bob"]).status, 0);
    assert_eq!(server.messages().len(), 1);
    let silent = (0, "", "");
    for (name, arguments, expected) in [
        ("mailq", &[][..], (0, "Mail queue is empty\n", "")),
        ("sendmail", &["-bp"], (0, "Mail queue is empty\n", "")),
        ("newaliases", &[], silent),
        ("sendmail", &["-bi"], silent),
        ("sendmail", &["-q"], silent),
    ] {
        let run = call(name, arguments);
        assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), expected, "{name} {arguments:?}");
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn where_the_configuration_is() {
    let (own, xdg, variable, option) = (Server::usual(), Server::usual(), Server::usual(), Server::usual());
    let home = Home::with("");
    let folder = home.folder.path();
    let place = |name: &str, server: &Server| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("server = {:?}\n{USUAL}", server.url())).unwrap();
        path
    };
    let send = |prepare: &dyn Fn(&mut Command)| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_okuru"));
        home.isolate(command.arg("sendmail"));
        prepare(&mut command);
        run(command.arg("bob"), MESSAGE.as_bytes())
    };
    let none = send(&|_| {});
    none.assert_failed(78, "usage");
    assert!(none.stderr.contains(".config/okuru/sendmail.toml") && none.stderr.contains("/etc/okuru/sendmail.toml"));

    place(".config/okuru/sendmail.toml", &own);
    assert_eq!(send(&|_| {}).status, 0);
    place("xdg/okuru/sendmail.toml", &xdg);
    let in_xdg = |command: &mut Command| {
        command.env("XDG_CONFIG_HOME", folder.join("xdg"));
    };
    assert_eq!(send(&in_xdg).status, 0);
    let path = place("variable.toml", &variable);
    let by_variable = |command: &mut Command| {
        in_xdg(command);
        command.env("OKURU_SENDMAIL_CONFIG", &path);
    };
    assert_eq!(send(&by_variable).status, 0);
    let named = place("option.toml", &option);
    let by_option = |command: &mut Command| {
        by_variable(command);
        command.arg("-C").arg(&named);
    };
    assert_eq!(send(&by_option).status, 0);
    assert_eq!([&own, &xdg, &variable, &option].map(|server| server.messages().len()), [1; 4]);
    let by_nothing = |command: &mut Command| {
        command.args(["-C", "/nonexistent.toml"]);
    };
    send(&by_nothing).assert_failed(78, "usage");
}

#[test]
fn what_is_wrong_with_a_configuration() {
    let server = "server = \"smtp://127.0.0.1:1\"\n";
    for (configuration, what) in [
        ("", "no server is named"),
        ("direct = true\ndirect-then-relay = \"smtp://x\"\n", "exclude each other"),
        ("direct = true\nserver = \"smtp://x\"\n", "are of no use with direct"),
        ("server = \"smtp://x\"\nservr = \"y\"\n", "sendmail.toml, line 2: unknown field `servr`"),
        ("server = 5\n", "line 1: what stands here is not what is wanted: a string or a list of strings"),
        ("direct = \"smtp://me:hunter2@x\"\n", "line 1: what stands here is not what is wanted: a boolean"),
        ("tls = \"smtp://me:hunter2@x\"\n", "line 1: one of these is wanted: none, opportunistic, starttls, implicit"),
        ("tls = \"none\"\npassword = \"hunter2\"\n", "sendmail.toml, line 2: unknown field `password`"),
        ("self-address = [\"hunter2\"]\n", "sendmail.toml, line 1: "),
        ("mx-port = 99999\n", "line 1: what stands here is not what is wanted: u16"),
        ("password = hunter2\n", "sendmail.toml, line 1: "),
        ("user = \"me\"\nuser = \"hunter2\"\n", "sendmail.toml, line 2: duplicate key"),
        ("server = \"smtp://x\nuser = \"me\"", "line 1: "),
        ("server = \"smtp://x\"\nreply-timeout = -1\n", "line 2: a number of seconds"),
        ("server = \"smtp://x\"\ndns = \"a:b:c\"\n", "line 2: a name server is wanted"),
        ("server = \"ftp://x\"\n", "sendmail.toml: "),
        ("server = \"smtp://me:hunter2@\"\n", "sendmail.toml: "),
        ("server = \"smtp://x\"\nsender = \"a, b\"\n", "sendmail.toml: \"a, b\" is more than one sender"),
        ("server = \"smtp://x\"\ndomain = \"a b\"\n", "sendmail.toml: "),
        ("server = \"smtp://x\"\n[aliases]\nroot = \"\"\n", "sendmail.toml: \"\" holds no address"),
        ("server = \"smtp://x\"\nehlo = \"a b\"\n", "sendmail.toml: ehlo: "),
        ("server = \"smtp://x\"\nuser = \"me\"\n", "use password-file or token-file"),
        ("server = \"smtp://x\"\nuser = \"me\"\npassword-file = \"none\"\n", "password-file: /"),
        ("server = \"smtp://x\"\npassword-file = \"a\"\ntoken-file = \"b\"\n", "exclude each other"),
        ("server = \"smtp://x\"\nclient-cert = \"a\"\n", "need each other"),
        ("server = \"smtp://x\"\nca = \"none.pem\"\n", "none.pem"),
    ] {
        let home = Home::with(configuration);
        fs::set_permissions(&home.file, fs::Permissions::from_mode(0o600)).unwrap();
        let run = home.run(&["bob"], MESSAGE);
        assert_eq!((run.status, run.stdout.as_str()), (78, ""), "{configuration}: {run:?}");
        assert!(run.stderr.starts_with("okuru: ") && run.stderr.contains(what), "{configuration}: {run:?}");
        assert!(!run.stderr.contains("hunter2"), "{run:?}");
        assert_eq!(run.stderr.lines().count(), 1 + usize::from(configuration.contains("ca =")), "{run:?}");
    }
    // Who only wants to know how it is called needs none.
    assert_eq!(Home::with(server).run(&["--help"], "").status, 0);
}

#[test]
fn a_secret_is_kept_from_others() {
    let server = Behaviour::default().offer(&["AUTH PLAIN"]).start();
    let login = |url: &str, more: &str, mode: u32| {
        let home = Home::by(url, &format!("allow-plaintext-auth = true\n{more}"));
        let password = home.folder.path().join("password");
        fs::write(&password, "hunter2\n").unwrap();
        for file in [&password, &home.file] {
            fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
        }
        let log = home.folder.path().join("log");
        let run = home.run(&["-X", log.to_str().unwrap(), "-v", "bob"], MESSAGE);
        let log = fs::read_to_string(log).unwrap_or_default();
        for shown in [&run.stderr, &log] {
            assert!(!shown.contains("hunter2") && !shown.contains("AG1lAGh1bnRlcjI"), "{shown}");
        }
        (run, log)
    };
    let with_password = server.url().replace("//", "//me:hunter2@");
    let by_file = "user = \"me\"\npassword-file = \"password\"\n";
    for (url, more) in [(server.url(), by_file), (with_password, "")] {
        for mode in [0o600, 0o640] {
            let (run, log) = login(&url, more, mode);
            assert_eq!(run.status, 0, "{run:?}");
            assert!(log.contains("\nC: AUTH PLAIN") && log.contains("\nS: 235 "), "{log}");
            assert!(server.lines().iter().any(|line| line == "AUTH PLAIN AG1lAGh1bnRlcjI="));
        }
        for mode in [0o644, 0o602] {
            let (run, _) = login(&url, more, mode);
            run.assert_failed(78, "usage");
            assert!(run.stderr.contains("is open to everybody: chmod o-rwx /"), "{run:?}");
        }
    }
    assert_eq!(server.messages().len(), 4);
}

#[test]
fn the_dialogue_is_written_down() {
    let server = Server::usual();
    let home = Home::by(&server.url(), "");
    let path = home.folder.path().join("log");
    for _ in 0..2 {
        assert_eq!(home.run(&["-X", path.to_str().unwrap(), "bob"], MESSAGE).stderr, "");
    }
    let log = fs::read_to_string(&path).unwrap();
    assert_eq!(log.lines().filter(|line| line.starts_with("-- ")).count(), 2);
    assert_eq!(log.lines().filter(|line| *line == "C: MAIL FROM:<ann@here.test>").count(), 2, "{log}");
    assert!(log.ends_with("S: 221 2.0.0 Bye\n") && !log.contains("Hello!"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    home.run(&["-X", "/nonexistent/log", "bob"], MESSAGE).assert_failed(73, "usage");
    let run = home.run(&["-v", "bob"], MESSAGE);
    assert!(run.stderr.contains("C: MAIL FROM:<ann@here.test>\n") && run.stdout.is_empty());
}

#[test]
fn bad_calls() {
    let server = Server::usual();
    let home = Home::by(&server.url(), "");
    for (arguments, code) in [
        (&[][..], "usage"),
        (&["-k", "bob"], "usage"),
        (&["--from=x", "bob"], "usage"),
        (&["-t", "-f"], "usage"),
        (&["-N", "sometimes", "bob"], "usage"),
        (&["-bd"], "usage"),
        (&["-bs", "bob"], "usage"),
        (&["bob", "-t"], "usage"),
        (&[""], "address.syntax"),
        (&["Bob B"], "address.syntax"),
        (&["bob@"], "address.syntax"),
        (&["bob@b.test\r\nDATA"], "address.syntax"),
        (&["-f", "a, b", "bob"], "address.syntax"),
        (&["-f", "a@b@c", "bob"], "address.syntax"),
    ] {
        home.run(arguments, MESSAGE).assert_failed(64, code);
    }
    for (message, code) in [
        ("Subject: x\n\nTo: bob@b.test\n", "message.no_recipients"),
        ("", "message.no_recipients"),
        ("To: bob@b.test, Carl C\n\n", "address.syntax"),
    ] {
        home.run(&["-t"], message).assert_failed(65, code);
    }
    assert_eq!(server.connections(), 0);
    let mut command = home.command(&["bob"]);
    // A folder can be opened, and not read.
    let child = command.stdin(File::open("/").unwrap()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(66));
    assert!(String::from_utf8(output.stderr).unwrap().contains("standard input can't be read: Is a directory"));
}

#[test]
fn each_end_has_its_status() {
    let later = "Nobody got it, and nothing is kept here: send it again later.";
    let twice = "Nothing is kept here, and to send it again may send it twice.";
    for (command, reply, status, code, besides) in [
        ("RCPT", "550 5.1.1 nobody\r\n", 67, "reply.rejected", ""),
        ("RCPT", "550 5.1.2 no such domain\r\n", 68, "reply.rejected", ""),
        ("RCPT", "550 no\r\n", 69, "reply.rejected", ""),
        ("RCPT", "450 4.2.1 later\r\n", 75, "reply.deferred", later),
        ("MAIL", "421 4.3.2 closing\r\n", 75, "reply.closing", later),
        ("MAIL", "530 5.7.0 who are you?\r\n", 77, "auth.required", ""),
        (".", "554 5.6.0 spam\r\n", 69, "reply.rejected", ""),
        (".", "452 4.3.1 full\r\n", 75, "reply.deferred", later),
        (".", "", 74, "protocol.closed", twice),
        ("EHLO", "250-x\r\n550 y\r\n", 76, "protocol.mixed_codes", later),
    ] {
        let server = Behaviour::default().on(command, reply).start();
        let run = Home::by(&server.url(), "").run(&["bob"], MESSAGE);
        assert_eq!(run.status, status, "{command} {reply}: {run:?}");
        let (first, rest) = run.stderr.split_once('\n').unwrap();
        assert!(first.starts_with("okuru: ") && first.ends_with(&format!("[{code}]")), "{run:?}");
        let besides = if besides.is_empty() { String::new() } else { format!("okuru: {besides}\n") };
        assert_eq!(rest, besides, "{run:?}");
    }
    let closed = ClosedPort::new();
    let run = Home::by(&closed.url(), "").run(&["bob"], MESSAGE);
    assert!(run.status == 75 && run.stderr.contains("[connect.refused]"), "{run:?}");
    let run = Home::by("smtp://no-such-host.invalid", "").run(&["bob"], MESSAGE);
    assert!(run.status == 68 && run.stderr.contains("[dns.no_such_host]"), "{run:?}");
    let offers_no_tls = Server::usual();
    let run = Home::by(&offers_no_tls.url(), "").run(&["bob"], MESSAGE);
    assert_eq!(run.status, 0);
    let file = Home::with(&format!("server = {:?}\n", offers_no_tls.url()));
    let run = file.run(&["bob"], MESSAGE);
    assert!(run.status == 76 && run.stderr.contains("[security.tls_stripped]"), "{run:?}");
    let refuses = Behaviour::default().offer(&["AUTH PLAIN"]).on("AUTH", "535 5.7.8 wrong\r\n").start();
    let home = Home::by(&refuses.url(), "user = \"me\"\nallow-plaintext-auth = true\n");
    let mut command = home.command(&["bob"]);
    let run = crate::program::run(command.env("OKURU_PASSWORD", "hunter2"), MESSAGE.as_bytes());
    assert!(run.status == 77 && run.stderr.contains("[auth.refused]"), "{run:?}");
}

#[test]
fn some_get_it() {
    let refused = || Behaviour::default().on("RCPT TO:<bob@", "550 5.1.1 nobody\r\n");
    let deferred = || Behaviour::default().on("RCPT TO:<bob@", "450 4.2.1 later\r\n");
    let server = refused().start();
    let run = Home::by(&server.url(), "").run(&["ann", "bob"], MESSAGE);
    assert_eq!((run.status, server.messages().len()), (67, 1), "{run:?}");
    assert!(run.stderr.ends_with("okuru: <ann@here.test> got it; <bob@here.test> did not.\n"), "{run:?}");
    let server = deferred().start();
    let run = Home::by(&server.url(), "").run(&["ann", "bob"], MESSAGE);
    assert_eq!((run.status, server.messages().len()), (74, 1), "{run:?}");
    assert!(run.stderr.contains("<ann@here.test> got it; <bob@here.test> did not.\nokuru: Nothing is kept"), "{run:?}");

    for (behaviour, status) in [(refused(), 67), (deferred(), 75)] {
        let server = behaviour.start();
        let run = Home::by(&server.url(), "all-or-nothing = true\n").run(&["ann", "bob"], MESSAGE);
        assert_eq!((run.status, server.messages().len()), (status, 0), "{run:?}");
    }
}

#[test]
fn aliases() {
    let server = Server::usual();
    let home = Home::by(&server.url(), "[aliases]\nroot = [\"admin@x.test\", \"bob\"]\nPostmaster = \"root@y.test\"\n");
    assert_eq!(home.run(&["root", "postmaster", "ROOT@here.test", "bob"], MESSAGE).status, 0);
    assert_eq!(server.messages()[0].rcpts, paths(&["admin@x.test", "bob@here.test", "root@y.test"]));
}

#[test]
fn the_next_server_takes_over() {
    let (closed, server) = (ClosedPort::new(), Server::usual());
    let home = Home::with(&format!("server = [{:?}, {:?}]\n{USUAL}", closed.url(), server.url()));
    let run = home.run(&["bob"], MESSAGE);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
    assert_eq!(server.messages().len(), 1);
}

#[test]
fn directly() {
    let sink = Sink::start(&["--listen", "127.0.0.3:0"]);
    let more = format!("direct = true\ndns = {:?}\nmx-port = {}\n", Knot::shared().address, sink.port());
    let home = Home::with(&format!("{more}{USUAL}"));
    let run = home.run(&["bob@two.test"], MESSAGE);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
    assert_eq!(sink.message()["recipients"][0]["address"], "bob@two.test");
    let run = home.run(&["bob@nowhere.test"], MESSAGE);
    assert_eq!(run.status, 68, "{run:?}");
}

#[test]
fn a_large_message() {
    let sink = Sink::start(&[]);
    let home = Home::by(sink.url(), "");
    let line = format!("{}\n", "x".repeat(99));
    let message = format!("Subject: large\n\n{}.\nlost\n", line.repeat(60_000));
    assert_eq!(home.run(&["bob"], &message).status, 0);
    let told = sink.message();
    let size = told["size"].as_u64().unwrap();
    assert_eq!(told["subject"], "large");
    assert!((6_060_000..6_060_400).contains(&size), "{told}");
}

#[test]
fn the_help_tells_all() {
    let run = Home::with("").run(&["--help"], "");
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    for status in [0, 64, 65, 66, 67, 68, 69, 70, 71, 73, 74, 75, 76, 77, 78] {
        assert!(run.stdout.lines().any(|line| line.starts_with(&format!("  {status:>2}  "))), "{status}");
    }
    for key in ["server", "password-file", "sender", "domain", "aliases", "all-or-nothing", "smtputf8", "direct"] {
        assert!(run.stdout.contains(key), "{key}");
    }
    assert_eq!(Home::with("").run(&["--version"], "").stdout, format!("okuru {}\n", env!("CARGO_PKG_VERSION")));
}
