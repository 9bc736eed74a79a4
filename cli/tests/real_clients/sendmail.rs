//! Programs that call sendmail, with `okuru sendmail` in its place.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::node::nodemailer;
use crate::postfix::Relay;
use crate::{PATIENCE, Stage, message, run_client};

/// What tells `okuru sendmail` where its configuration is.
const VARIABLE: &str = "OKURU_SENDMAIL_CONFIG";

/// `okuru sendmail` as programs find it, and the sink to which it sends.
struct Office {
    stage: Stage,
    /// The program under the name sendmail.
    program: PathBuf,
    configuration: PathBuf,
}

impl Office {
    fn open() -> Self {
        let stage = Stage::new(&[]);
        let configuration = stage.folder.path().join("sendmail.toml");
        let text = format!("server = {:?}\ntls = \"none\"\ndomain = \"here.test\"\n", stage.sink.url());
        fs::write(&configuration, text).unwrap();
        let program = stage.folder.path().join("sendmail");
        symlink(env!("CARGO_BIN_EXE_okuru"), &program).unwrap();
        Self { stage, program, configuration }
    }

    /// A program that may call sendmail.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env(VARIABLE, &self.configuration).env("HOME", self.stage.folder.path()).env_remove("XDG_CONFIG_HOME");
        command
    }

    /// Header and body of what has arrived next, with LF for CR LF, and what was told of it.
    #[track_caller]
    fn arrived(&self, sender: &str, recipients: &[&str]) -> (String, String) {
        let (content, told) = self.stage.arrived();
        let addresses = told["recipients"].as_array().unwrap().iter().map(|it| it["address"].as_str().unwrap());
        assert_eq!((told["reverse_path"].as_str(), addresses.collect()), (Some(sender), recipients.to_vec()), "{told}");
        let text = String::from_utf8(content).unwrap();
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "a bare CR or LF has arrived");
        let text = text.replace("\r\n", "\n");
        let (header, body) = text.split_once("\n\n").unwrap();
        for name in ["Date: ", "From: ", "Message-ID: "] {
            let is_there = |line: &&str| line.get(..name.len()).is_some_and(|front| front.eq_ignore_ascii_case(name));
            assert_eq!(header.lines().filter(is_there).count(), 1, "{name}{header}");
        }
        assert!(!header.contains("Bcc:") && !header.contains("eve@"), "{header}");
        (header.to_owned(), body.to_owned())
    }
}

#[test]
fn mail_of_php() {
    let office = Office::open();
    let script = r#"
        $headers = ["From" => "Ann <ann@example.com>", "Cc" => "Carl <carl@example.org>", "Bcc" => "eve@example.net"];
        $sent = mail("Bob <bob@example.org>", "Gr\u{fc}\u{df}e", "one\n.\n.two\n\nFrom three\n", $headers, $argv[1]);
        exit($sent ? 0 : 1);"#;
    for (sender, reverse_path) in [("-fbounce@example.com", "bounce@example.com"), ("-f bounce", "bounce@here.test")] {
        let mut php = office.command("php");
        // The value that php.ini has where nobody has set it, with our path.
        php.args(["-d", &format!("sendmail_path={} -t -i", office.program.display())]);
        run_client(php.args(["-r", script, "--", sender]));
        let (header, body) = office.arrived(reverse_path, &["bob@example.org", "carl@example.org", "eve@example.net"]);
        assert!(
            header.contains("\nSubject: Grüße\n") && header.contains("\nFrom: Ann <ann@example.com>\n"),
            "{header}"
        );
        assert_eq!(body.trim_end(), "one\n.\n.two\n\nFrom three");
    }
}

#[test]
fn mail_of_php_that_is_not_taken() {
    let office = Office::open();
    let script = r#"exit(mail("no address", "x", "y") ? 1 : 0);"#;
    let mut php = office.command("php");
    php.args(["-d", &format!("sendmail_path={} -t -i", office.program.display())]);
    run_client(php.args(["-r", script]));
}

#[test]
fn s_nail() {
    let office = Office::open();
    let text = office.stage.file(b"one\n.\n.two\n");
    let mta = format!("mta={}", office.program.display());
    let mut nail = office.command("sh");
    let call = "s-nail -n -S v15-compat -S \"$0\" -s hello -r ann@example.com -c carl -b eve@example.net bob@example.org <\"$1\"";
    run_client(nail.args(["-c", call, &mta, &text]));
    let (header, body) = office.arrived("ann@example.com", &["bob@example.org", "carl@here.test", "eve@example.net"]);
    assert!(header.contains("\nSubject: hello\n") && header.contains("\nCc: carl@here.test\n"), "{header}");
    assert_eq!(body, "one\n.\n.two\n");
}

#[test]
fn git_send_email() {
    let office = Office::open();
    let patch = "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: Ann <ann@example.com>\n\
        Date: Sun, 22 Nov 2026 06:13:20 +0000\nSubject: [PATCH] Add a dot\n\n.\n---\n f | 1 +\n 1 file changed, 1 insertion(+)\n\n\
        diff --git a/f b/f\nnew file mode 100644\nindex 0000000..9c558e3\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+.\n";
    let file = office.stage.file(patch.as_bytes());
    let mut git = office.command("git");
    git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").current_dir(office.stage.folder.path());
    for who in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{who}_NAME"), "Ann").env(format!("GIT_{who}_EMAIL"), "ann@example.com");
    }
    git.args(["send-email", "--quiet", "--confirm=never", "--from", "Ann <ann@example.com>", "--envelope-sender=auto"]);
    git.args(["--to", "Bob <bob@example.org>", "--cc", "carl@example.org", "--bcc", "eve@example.net"]);
    run_client(git.arg(format!("--smtp-server={}", office.program.display())).arg(file));
    let recipients = ["bob@example.org", "carl@example.org", "ann@example.com", "eve@example.net"];
    let (header, body) = office.arrived("ann@example.com", &recipients);
    assert!(header.contains("\nSubject: [PATCH] Add a dot\n") && !header.contains("Mon Sep 17"), "{header}");
    assert_eq!(body, patch.split_once("\n\n").unwrap().1);
}

#[test]
fn nodemailer_by_sendmail() {
    let office = Office::open();
    let transport = json!({ "sendmail": true, "path": office.program });
    nodemailer(&office.stage, &transport, 2, &[(VARIABLE, &office.configuration)]);
    for _ in 0..2 {
        let (content, told) = office.stage.arrived();
        assert_eq!((&told["reverse_path"], &told["eight_bit"]), (&json!("ann@example.com"), &json!(true)));
        let text = String::from_utf8(content).unwrap();
        let sent = String::from_utf8(message()).unwrap();
        // Date and Message-ID stand in front.
        assert!(text.starts_with("Date: ") && text.ends_with(&sent), "{text}");
    }
}

#[test]
fn swaks_over_pipes() {
    let office = Office::open();
    let text = String::from_utf8(message()).unwrap().replace("\r\n", "\n");
    let file = format!("@{}", office.stage.file(text.strip_suffix('\n').unwrap().as_bytes()));
    let mut swaks = office.command("swaks");
    swaks.args(["--pipe", &format!("{} -bs", office.program.display()), "--timeout", "60", "--data", &file]);
    run_client(swaks.args(["--from", "ann@example.com", "--to", "bob@example.org,carl@example.org"]));
    let (_, body) = office.arrived("ann@example.com", &["bob@example.org", "carl@example.org"]);
    assert_eq!(body, text.split_once("\n\n").unwrap().1);
}

/// A process that is ended when this is dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// cron itself, as root in a namespace of its own, where the program stands at /usr/sbin/sendmail: cron knows no other place.
/// It runs at once what is to be run after a reboot.
#[test]
fn cron() {
    let office = Office::open();
    let folder = office.stage.folder.path();
    for name in ["spool/crontabs", "run"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    let table = folder.join("spool/crontabs/root");
    fs::write(&table, "@reboot echo one; echo .; echo two\n").unwrap();
    fs::set_permissions(&table, fs::Permissions::from_mode(0o600)).unwrap();
    let script = "set -e; mount --bind \"$0/spool\" /var/spool/cron; mount --bind \"$0/run\" /run
        mount --bind \"$1\" /usr/sbin/sendmail; exec /usr/sbin/cron -f";
    let mut unshare = office.command("unshare");
    unshare.args(["--mount", "--kill-child", "--fork", "sh", "-c", script]);
    let child = unshare.arg(folder).arg(env!("CARGO_BIN_EXE_okuru")).stdin(Stdio::null()).spawn();
    let cron = Ended(child.expect("cron runs in a namespace, as root"));
    let (header, body) = office.arrived("root@here.test", &["root@here.test"]);
    drop(cron);
    assert!(
        header.contains("\nFrom: root@here.test (Cron Daemon)\nTo: root@here.test\nSubject: Cron <root@"),
        "{header}"
    );
    assert_eq!(body, "one\n.\ntwo\n");
}

/// Through Postfix's submission service, with verified TLS and a password.
#[test]
fn postfix_as_the_relay() {
    let office = Office::open();
    let relay = Relay::start(office.stage.sink.port());
    let folder = office.stage.folder.path();
    let user = &relay.told["users"][0];
    let password = folder.join("password");
    fs::write(&password, user["password"].as_str().unwrap()).unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "server = \"smtp://localhost:{}\"\nuser = {}\npassword-file = \"password\"\nca = {}\n",
        relay.port("submission"),
        user["name"],
        relay.told["tls"]["ca"]
    );
    fs::write(&office.configuration, text).unwrap();
    let file = office.stage.file(&message());
    let address = "bob@example.test";
    let send = |recipient| status(&office, &["-i", "-f", "ann@example.test", recipient], &file);
    assert_eq!(send(address), 0);
    let arrived = only_file(&relay.told["postfix"]["mailboxes"][address]);
    assert!(arrived.contains("Return-Path: <ann@example.test>\n") && arrived.contains("with ESMTPSA"), "{arrived}");
    let sent = String::from_utf8(message()).unwrap().replace("\r\n", "\n");
    assert!(arrived.ends_with(&sent), "{arrived}");
    assert_eq!(send("reject@example.test"), 67);
    assert_eq!(send("defer@example.test"), 75);
    fs::write(&password, "wrong").unwrap();
    assert_eq!(send(address), 77);
}

/// How the program ends, with this file on standard input.
fn status(office: &Office, arguments: &[&str], file: &str) -> i32 {
    let mut command = office.command(office.program.to_str().unwrap());
    let input = fs::File::open(file).unwrap();
    command.args(arguments).stdin(input).stderr(Stdio::null()).status().unwrap().code().unwrap()
}

/// The one message in a Maildir, once it is there.
fn only_file(maildir: &Value) -> String {
    let folder = Path::new(maildir.as_str().unwrap()).join("new");
    let begun = Instant::now();
    loop {
        if let Some(file) = fs::read_dir(&folder).ok().and_then(|mut files| files.next()) {
            return fs::read_to_string(file.unwrap().path()).unwrap();
        }
        assert!(begun.elapsed() < PATIENCE, "nothing has arrived");
        thread::sleep(Duration::from_millis(20));
    }
}
