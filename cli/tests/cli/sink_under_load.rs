//! `okuru sink` when much comes at once, and when it dies.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::started_sink::Sink;

/// Says what is to be said, and gives the last line of each reply.
struct Talk(BufReader<TcpStream>);

impl Talk {
    fn new(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self(BufReader::new(stream)))
    }

    fn say(&mut self, text: &str, replies: usize) -> std::io::Result<String> {
        self.0.get_mut().write_all(text.as_bytes())?;
        let mut line = String::new();
        for _ in 0..replies {
            loop {
                line.clear();
                if self.0.read_line(&mut line)? == 0 || !line.ends_with('\n') {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                if line.as_bytes().get(3) != Some(&b'-') {
                    break;
                }
            }
        }
        Ok(line)
    }
}

#[cfg(target_os = "linux")]
impl Sink {
    /// How much memory it uses, in octets.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().split(' ').next().unwrap().parse::<u64>().unwrap() * 1024
    }
}

#[cfg(target_os = "linux")]
const CONNECTIONS: usize = 1000;

/// Opens many connections, and gives them with the memory that each takes in the sink, in octets.
#[cfg(target_os = "linux")]
fn idle<T>(sink: &Sink, connect: impl Fn() -> T) -> (Vec<T>, u64) {
    // What the first ones need is not theirs alone.
    let mut connections: Vec<_> = (0..10).map(|_| connect()).collect();
    let before = sink.memory();
    connections.extend((0..CONNECTIONS).map(|_| connect()));
    let each = sink.memory().saturating_sub(before) / CONNECTIONS as u64;
    println!("{each} octets for each idle connection");
    (connections, each)
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_connections_in_little_memory() {
    let sink = Sink::start(&[]);
    let (mut talks, each) = idle(&sink, || {
        let mut talk = Talk::new(sink.port()).unwrap();
        talk.say("", 1).unwrap();
        talk.say("EHLO a.example\r\n", 1).unwrap();
        talk
    });
    assert!(each < 64 << 10, "{each} octets a connection");
    // All of them are served, and none hears what another is told.
    for (number, talk) in talks.iter_mut().enumerate() {
        talk.say(&format!("MAIL FROM:<{number}@a>\r\nRCPT TO:<c@d>\r\nDATA\r\n"), 3).unwrap();
    }
    for (number, talk) in talks.iter_mut().enumerate() {
        assert!(talk.say(&format!("{number}\r\n.\r\n"), 1).unwrap().starts_with("250 "));
        let told = sink.message();
        assert_eq!(told["reverse_path"], format!("{number}@a"));
        assert_eq!(told["size"], format!("{number}\r\n").len());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_connections_in_tls() {
    let sink = Sink::start(&["--listen-tls", "127.0.0.1:0"]);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(sink.ca.as_ref().unwrap()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    let (_connections, each) = idle(&sink, || {
        let client = ClientConnection::new(Arc::clone(&config), "localhost".try_into().unwrap()).unwrap();
        let mut stream = StreamOwned::new(client, TcpStream::connect(("127.0.0.1", sink.port())).unwrap());
        stream.sock.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting).unwrap();
        assert_eq!(&greeting, b"220 ");
        stream
    });
    assert!(each < 64 << 10, "{each} octets a connection");
}

/// Messages whose content says what it is, so that it can be told whether one is whole.
fn content(name: &str) -> String {
    let line = format!("{name} 0123456789 0123456789 0123456789 0123456789\r\n");
    format!("Subject: {name}\r\n\r\n{}end of {name}\r\n", line.repeat(100))
}

/// Sends messages until the server has gone, and gives the names of those that were answered by 250.
fn flood(port: u16, sender: usize) -> Vec<String> {
    let mut accepted = Vec::new();
    let mut send_all = || -> std::io::Result<()> {
        let mut talk = Talk::new(port)?;
        talk.say("", 1)?;
        talk.say("EHLO a.example\r\n", 1)?;
        for number in 0.. {
            let name = format!("{sender}-{number}");
            talk.say("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", 3)?;
            let reply = talk.say(&format!("{}.\r\n", content(&name)), 1)?;
            assert!(reply.starts_with("250 "), "{reply}");
            accepted.push(name);
        }
        Ok(())
    };
    // It always ends by the death of the server.
    send_all().unwrap_err();
    accepted
}

#[test]
fn killed_under_load_it_has_what_it_has_promised() {
    for milliseconds in [150, 400, 700] {
        let folder = TempDir::new().unwrap();
        let mut sink = Sink::start(&["--maildir", folder.path().to_str().unwrap()]);
        let port = sink.port();
        let senders: Vec<_> = (0..8).map(|sender| thread::spawn(move || flood(port, sender))).collect();
        let begun = Instant::now();
        let new = folder.path().join("new");
        // There has to be something before it dies.
        while begun.elapsed() < Duration::from_millis(milliseconds) || fs::read_dir(&new).unwrap().count() < 20 {
            assert!(begun.elapsed() < Duration::from_secs(60));
            thread::sleep(Duration::from_millis(5));
        }
        // SIGKILL
        sink.child.kill().unwrap();
        sink.child.wait().unwrap();
        let accepted: HashSet<_> = senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect();
        let stored = stored(&new);
        let lost: Vec<_> = accepted.difference(&stored).collect();
        assert!(lost.is_empty() && accepted.len() > 8, "{lost:?} of {}", accepted.len());
        // What is there without having been promised was under way: one for each connection.
        assert!(stored.len() - accepted.len() <= 8, "{} {}", stored.len(), accepted.len());
    }
}

/// The names of the messages that can be seen, each of which is whole.
fn stored(new: &Path) -> HashSet<String> {
    let mut names = HashSet::new();
    for entry in fs::read_dir(new).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let name = text.lines().next().unwrap().strip_prefix("Subject: ").unwrap().to_owned();
        assert!(text == content(&name), "{name} is not whole");
        assert!(names.insert(name), "a message is there twice");
    }
    names
}
