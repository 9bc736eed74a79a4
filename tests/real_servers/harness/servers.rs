//! Postfix and Dovecot, as `tests/servers/run.py` starts them and tells of them.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

use okuru::Options;
use serde::Deserialize;

use super::client::options;
use super::post::Post;

/// Running servers. They stop when this is dropped, or this process ends: their stdin is a pipe that closes then.
pub(crate) struct Servers {
    pub(crate) told: Told,
    pub(crate) post: Post,
    process: Child,
    line: Option<Mutex<Line>>,
}

/// What is said to the keeper of the servers, and what it answers.
struct Line {
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

/// The line of JSON; see `tests/servers/README.md`.
#[derive(Deserialize)]
pub(crate) struct Told {
    folder: PathBuf,
    pub(crate) tls: Certificates,
    users: Vec<User>,
    postfix: Server,
    dovecot: Option<Server>,
    knot: Option<NameServer>,
    /// Further Postfixes.
    #[serde(default)]
    exchangers: Vec<Server>,
}

#[derive(Deserialize)]
pub(crate) struct Certificates {
    pub(crate) names: Vec<String>,
    pub(crate) ca: PathBuf,
    pub(crate) untrusted_ca: PathBuf,
    pub(crate) client: PathBuf,
    pub(crate) client_key: PathBuf,
    pub(crate) untrusted_client: PathBuf,
    pub(crate) untrusted_client_key: PathBuf,
}

#[derive(Clone, Deserialize)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password: String,
    pub(crate) token: String,
    pub(crate) expired_token: String,
}

#[derive(Deserialize)]
struct Server {
    ports: HashMap<String, u16>,
    #[serde(default)]
    sockets: HashMap<String, PathBuf>,
    mailboxes: HashMap<String, PathBuf>,
    #[serde(default)]
    limits: HashMap<String, usize>,
}

#[derive(Deserialize)]
struct NameServer {
    ports: HashMap<String, u16>,
}

/// Where Postfix keeps what it has taken and not delivered yet.
const QUEUES: [&str; 4] = ["maildrop", "incoming", "active", "deferred"];

impl Servers {
    /// Both servers, for all tests that leave them as they are.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Servers> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&["postfix", "dovecot"]))
    }

    /// Servers of one's own, by the arguments of `run.py`.
    pub(crate) fn start(names: &[&str]) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/run.py");
        let mut process = Command::new(&program)
            .args(names)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} can't be run: {error}", program.display()));
        let mut line = String::new();
        let stdin = process.stdin.take().expect("it was asked for");
        let mut stdout = BufReader::new(process.stdout.take().expect("it was asked for"));
        stdout.read_line(&mut line).expect("it writes UTF-8");
        let told: Told = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!("there are no mail servers (the reason is on stderr); as root, run tests/servers/install")
        });
        let servers = told.dovecot.iter().chain([&told.postfix]).chain(&told.exchangers);
        let mailboxes = servers.flat_map(|server| server.mailboxes.clone());
        Self { post: Post::of(mailboxes), told, process, line: Some(Mutex::new(Line { stdin, stdout })) }
    }

    /// `kill NAME` or `start NAME`, with a Postfix's name: `postfix`, or `postfix-at-ADDRESS`. It is done when this returns.
    pub(crate) fn order(&self, order: &str) {
        let line = self.line.as_ref().expect("they run");
        let Line { stdin, stdout } = &mut *line.lock().expect("nobody panics while holding it");
        writeln!(stdin, "{order}").expect("somebody listens");
        let mut answer = String::new();
        stdout.read_line(&mut answer).expect("it writes UTF-8");
        assert!(answer.contains(order), "{order}: {answer} (the reason is on stderr)");
    }

    /// The port of a role of Postfix.
    pub(crate) fn postfix(&self, role: &str) -> u16 {
        self.told.postfix.ports[role]
    }

    /// The port of a role of Dovecot.
    pub(crate) fn dovecot(&self, role: &str) -> u16 {
        self.told.dovecot.as_ref().expect("Dovecot was asked for").ports[role]
    }

    /// Where Knot is asked.
    pub(crate) fn dns(&self) -> SocketAddr {
        let knot = self.told.knot.as_ref().expect("Knot was asked for");
        (Ipv4Addr::LOCALHOST, knot.ports["dns"]).into()
    }

    /// Where Dovecot takes mail by LMTP.
    pub(crate) fn lmtp_socket(&self) -> &Path {
        &self.told.dovecot.as_ref().expect("Dovecot was asked for").sockets["lmtp"]
    }

    /// A limit of Postfix.
    pub(crate) fn limit(&self, name: &str) -> usize {
        self.told.postfix.limits[name]
    }

    pub(crate) fn users(&self) -> &[User] {
        &self.told.users
    }

    /// How to get to a role of Postfix that needs neither TLS nor a login.
    pub(crate) fn in_clear(&self, role: &str) -> Options {
        options(&format!("smtp://127.0.0.1:{}", self.postfix(role))).tls(okuru::Tls::None)
    }

    /// Kills the processes that take mail for a role of Postfix: each has its port among its arguments. Says how many.
    pub(crate) fn kill_smtpd(&self, role: &str) -> usize {
        let address = format!("127.0.0.1:{}", self.postfix(role));
        let mut killed = 0;
        for entry in fs::read_dir("/proc").expect("there is a /proc").flatten() {
            let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let mut arguments = arguments.split(|&byte| byte == 0);
            if arguments.next() == Some(b"smtpd") && arguments.any(|argument| argument == address.as_bytes()) {
                let status = Command::new("kill").arg("-KILL").arg(entry.file_name()).status();
                killed += usize::from(status.expect("there is a kill").success());
                wait_until_over(&entry.path().join("stat"));
            }
        }
        killed
    }

    /// Waits until Postfix has delivered everything that it has taken.
    pub(crate) fn wait_for_empty_queues(&self) {
        let queues = self.told.folder.join("postfix-queue");
        let deadline = Instant::now() + super::post::PATIENCE;
        while QUEUES.iter().any(|queue| holds_files(&queues.join(queue))) {
            assert!(Instant::now() < deadline, "Postfix still has mail to deliver");
            sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.line = None;
        // Nobody is left whom a failure could be told.
        let _ = self.process.wait();
    }
}

/// Waits for the end of a process, and so of its connections. Its state stands behind its name, which is in brackets.
fn wait_until_over(stat: &Path) {
    let goes_on =
        |stat: String| stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']));
    while fs::read_to_string(stat).is_ok_and(goes_on) {
        sleep(Duration::from_millis(1));
    }
}

fn holds_files(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).expect("Postfix has this folder");
    entries.flatten().any(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => holds_files(&entry.path()),
        // It went away while we looked at it, so there was something.
        _ => true,
    })
}
