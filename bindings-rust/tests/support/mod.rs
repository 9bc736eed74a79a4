//! A server on loopback that says what it is told to say, in threads of its own.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use okuru::{Message, Options, Outcome};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

/// Which client is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Blocking,
    Tokio,
}

pub(crate) const BOTH: [Kind; 2] = [Kind::Blocking, Kind::Tokio];

/// Either client.
pub(crate) enum Client {
    Blocking(Box<okuru::blocking::Client>),
    Tokio(Box<okuru::Client>, tokio::runtime::Runtime),
}

impl Client {
    pub(crate) fn new(kind: Kind, options: Options) -> Self {
        match kind {
            Kind::Blocking => Self::Blocking(okuru::blocking::Client::new(options).into()),
            Kind::Tokio => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                Self::Tokio(okuru::Client::new(options).into(), runtime)
            }
        }
    }

    pub(crate) fn connect(&mut self) -> Result<okuru::ServerInfo, okuru::Error> {
        match self {
            Self::Blocking(client) => client.connect().cloned(),
            Self::Tokio(client, runtime) => runtime.block_on(client.connect()).cloned(),
        }
    }

    pub(crate) fn send(&mut self, message: Message) -> Outcome {
        match self {
            Self::Blocking(client) => client.send(message),
            Self::Tokio(client, runtime) => runtime.block_on(client.send(message)),
        }
    }

    pub(crate) fn send_many(&mut self, messages: Vec<Message>) -> Vec<Outcome> {
        match self {
            Self::Blocking(client) => client.send_many(messages).collect(),
            Self::Tokio(client, runtime) => {
                use futures_util::StreamExt as _;
                runtime.block_on(client.send_many(futures_util::stream::iter(messages)).collect())
            }
        }
    }

    pub(crate) fn command(&mut self, query: okuru::Query) -> Result<okuru::Reply, okuru::Error> {
        match self {
            Self::Blocking(client) => client.command(query),
            Self::Tokio(client, runtime) => runtime.block_on(client.command(query)),
        }
    }

    pub(crate) fn close(&mut self) {
        match self {
            Self::Blocking(client) => client.close(),
            Self::Tokio(client, runtime) => runtime.block_on(client.close()),
        }
    }
}

pub(crate) fn message(content: impl Into<okuru::Content>) -> Message {
    Message::new("jones@foo.com", ["brown@bar.com"], content).unwrap()
}

/// A port of loopback where nobody listens, and nobody will as long as this is held.
pub(crate) struct ClosedPort(Socket);

impl ClosedPort {
    pub(crate) fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        Self(socket)
    }

    pub(crate) fn url(&self) -> String {
        format!("smtp://{}", self.0.local_addr().unwrap().as_socket().unwrap())
    }
}

/// Listens, and runs `script` for one connection after the other.
pub(crate) fn listen(mut script: impl FnMut(usize, TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            script(number, stream);
        }
    });
    address
}

/// The other end, line by line.
pub(crate) struct Peer<S>(pub(crate) BufReader<S>);

impl<S: Read + Write> Peer<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    pub(crate) fn say(&mut self, text: &str) {
        // The client may have gone already.
        let _ = self.0.get_mut().write_all(text.as_bytes());
    }

    /// Waits until something has come.
    pub(crate) fn wait(&mut self) {
        let _ = self.0.fill_buf();
    }

    /// The next line without its end; empty where there is none.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        let _ = self.0.read_line(&mut line);
        line.trim_end().to_owned()
    }

    /// A line that begins in this way, and the answer to it.
    pub(crate) fn expect(&mut self, command: &str, answer: &str) {
        let line = self.line();
        assert!(line.starts_with(command), "{command} was expected, and {line:?} came");
        self.say(answer);
    }

    /// Content up to the lone dot, as it was before dots were added; none where it does not end.
    pub(crate) fn content(&mut self) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        loop {
            let mut line = Vec::new();
            let _ = self.0.read_until(b'\n', &mut line);
            match line.as_slice() {
                b"" => return None,
                b".\r\n" => return Some(content),
                line => content.extend_from_slice(line.strip_prefix(b".").unwrap_or(line)),
            }
        }
    }

    /// Serves a whole session: what EHLO offers, and where messages go. True after QUIT.
    pub(crate) fn serve(&mut self, offer: &[&str], messages: &Sender<Vec<u8>>) -> bool {
        self.say("220 mx.bar.com\r\n");
        self.serve_from_ehlo(offer, messages)
    }

    pub(crate) fn serve_from_ehlo(&mut self, offer: &[&str], messages: &Sender<Vec<u8>>) -> bool {
        let mut recipients = 0;
        let mut chunks = Vec::new();
        let mut lmtp = false;
        loop {
            let line = self.line();
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" | "LHLO" => {
                    lmtp = verb == "LHLO";
                    let lines: String = offer.iter().map(|keyword| format!("250-{keyword}\r\n")).collect();
                    self.say(&format!("250-mx.bar.com\r\n{lines}250 HELP\r\n"));
                }
                "RCPT" => {
                    recipients += 1;
                    self.say("250 2.1.5 ok\r\n");
                }
                "DATA" => {
                    self.say("354 go\r\n");
                    let Some(content) = self.content() else {
                        return false;
                    };
                    let _ = messages.send(content);
                    for _ in 0..if lmtp { recipients } else { 1 } {
                        self.say("250 2.0.0 queued as 4XyZ12\r\n");
                    }
                    recipients = 0;
                }
                "BDAT" => {
                    let size: usize = line.split(' ').nth(1).and_then(|size| size.parse().ok()).unwrap();
                    let begin = chunks.len();
                    chunks.resize(begin + size, 0);
                    self.0.read_exact(&mut chunks[begin..]).unwrap();
                    self.say("250 2.0.0 taken\r\n");
                    if line.ends_with("LAST") {
                        let _ = messages.send(std::mem::take(&mut chunks));
                        recipients = 0;
                    }
                }
                "RSET" => {
                    (recipients, chunks) = (0, Vec::new());
                    self.say("250 2.0.0 ok\r\n");
                }
                "STARTTLS" => {
                    self.say("220 go\r\n");
                    return false;
                }
                "AUTH" if line.starts_with("AUTH PLAIN ") => self.say("235 2.7.0 welcome\r\n"),
                "QUIT" => {
                    self.say("221 bye\r\n");
                    return true;
                }
                "" => return false,
                _ => self.say("250 2.0.0 ok\r\n"),
            }
        }
    }
}

/// A server that takes everything, connection after connection, each in a thread of its own.
pub(crate) fn sink(offer: &'static [&'static str]) -> (SocketAddr, Receiver<Vec<u8>>) {
    let (sender, receiver) = channel();
    let address = listen(move |_, stream| {
        let sender = sender.clone();
        thread::spawn(move || Peer::new(stream).serve(offer, &sender));
    });
    (address, receiver)
}

/// A throw-away authority, and a certificate of it.
pub(crate) struct Certificates {
    pub(crate) ca: String,
    pub(crate) tls: Arc<ServerConfig>,
}

/// For `mx.bar.com` and 127.0.0.1.
pub(crate) fn certificates() -> &'static Certificates {
    static CERTIFICATES: OnceLock<Certificates> = OnceLock::new();
    CERTIFICATES.get_or_init(|| {
        let (ca, chain, key) = issue();
        let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Certificates { ca, tls: Arc::new(tls) }
    })
}

pub(crate) fn issue() -> (String, Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    static ISSUED: AtomicUsize = AtomicUsize::new(0);
    let mut params = CertificateParams::default();
    let number = ISSUED.fetch_add(1, Ordering::Relaxed);
    params.distinguished_name.push(DnType::CommonName, format!("authority {number}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = ["mx.bar.com".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();
    (ca.pem(), vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
}

/// Goes on in TLS.
pub(crate) fn secure(stream: TcpStream, tls: &Arc<ServerConfig>) -> Peer<StreamOwned<ServerConnection, TcpStream>> {
    Peer::new(StreamOwned::new(ServerConnection::new(Arc::clone(tls)).unwrap(), stream))
}
