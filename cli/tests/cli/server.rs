//! A server on loopback that takes messages, and can be told to answer otherwise.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How the server answers. Whatever has no rule gets the usual reply.
#[derive(Clone)]
pub(crate) struct Server {
    port: u16,
    seen: Arc<Mutex<Seen>>,
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

/// What a server has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) connections: usize,
    /// Every line but those of content.
    pub(crate) lines: Vec<String>,
    pub(crate) messages: Vec<Message>,
}

/// A message as it arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) mail: String,
    pub(crate) rcpts: Vec<String>,
    pub(crate) content: Vec<u8>,
}

/// What a server is to do.
#[derive(Clone, Default)]
pub(crate) struct Behaviour {
    greeting: Option<&'static str>,
    capabilities: Vec<&'static str>,
    rules: Vec<(&'static str, &'static str)>,
    lmtp: bool,
    tls: Option<Arc<ServerConfig>>,
    implicit: bool,
}

impl Behaviour {
    /// Says this in place of the usual greeting.
    pub(crate) fn greeting(mut self, greeting: &'static str) -> Self {
        self.greeting = Some(greeting);
        self
    }

    /// Offers these.
    pub(crate) fn offer(mut self, capabilities: &[&'static str]) -> Self {
        self.capabilities.extend(capabilities);
        self
    }

    /// Says `reply` to what begins with `command`; `.` is the end of content. An empty reply closes the connection.
    pub(crate) fn on(mut self, command: &'static str, reply: &'static str) -> Self {
        self.rules.push((command, reply));
        self
    }

    /// Answers to LHLO, and to content for each recipient.
    pub(crate) fn lmtp(mut self) -> Self {
        self.lmtp = true;
        self
    }

    /// Offers STARTTLS, or begins with TLS.
    pub(crate) fn tls(mut self, config: Arc<ServerConfig>, implicit: bool) -> Self {
        self.tls = Some(config);
        self.implicit = implicit;
        self
    }

    /// Listens on a free port.
    pub(crate) fn start(self) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server { port: listener.local_addr().unwrap().port(), seen: Arc::default() };
        let seen = Arc::clone(&server.seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (behaviour, seen) = (self.clone(), Arc::clone(&seen));
                seen.lock().unwrap().connections += 1;
                thread::spawn(move || behaviour.serve(stream, &seen));
            }
        });
        server
    }

    fn serve(self, stream: TcpStream, seen: &Mutex<Seen>) {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let tls = self.tls.clone().map(|config| ServerConnection::new(config).unwrap());
        let mut session = Session { behaviour: &self, seen, message: Message::default() };
        match tls {
            Some(tls) if self.implicit => {
                let _ = session.talk(&mut BufReader::new(StreamOwned::new(tls, stream)), true);
            }
            Some(tls) => {
                let mut plain = BufReader::new(stream);
                if let Ok(End::StartTls) = session.talk(&mut plain, true) {
                    let _ = session.talk(&mut BufReader::new(StreamOwned::new(tls, plain.into_inner())), false);
                }
            }
            None => {
                let _ = session.talk(&mut BufReader::new(stream), true);
            }
        }
    }
}

impl Server {
    /// A server that takes everything, and offers PIPELINING.
    pub(crate) fn usual() -> Self {
        Behaviour::default().offer(&["PIPELINING", "8BITMIME"]).start()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen.lock().unwrap().lines.clone()
    }

    pub(crate) fn messages(&self) -> Vec<Message> {
        self.seen.lock().unwrap().messages.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }
}

enum End {
    Closed,
    StartTls,
}

struct Session<'a> {
    behaviour: &'a Behaviour,
    seen: &'a Mutex<Seen>,
    message: Message,
}

impl Session<'_> {
    fn talk<S: Read + Write>(&mut self, stream: &mut BufReader<S>, greet: bool) -> std::io::Result<End> {
        if greet {
            say(stream, self.behaviour.greeting.unwrap_or("220 test.example ESMTP\r\n"))?;
        }
        let mut line = String::new();
        loop {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Ok(End::Closed);
            }
            let command = line.trim_end();
            self.seen.lock().unwrap().lines.push(command.to_owned());
            let verb = command.split(' ').next().unwrap().to_ascii_uppercase();
            let ruled = self.rule(command);
            match (ruled, verb.as_str()) {
                (Some(""), _) => return Ok(End::Closed),
                (Some(reply), _) => {
                    say(stream, reply)?;
                    if reply.starts_with("354") {
                        self.take_content(stream)?;
                    }
                }
                (None, "EHLO" | "LHLO") => say(stream, &self.offer(greet))?,
                (None, "STARTTLS") => {
                    say(stream, "220 go ahead\r\n")?;
                    return Ok(End::StartTls);
                }
                (None, "MAIL") => {
                    self.message = Message { mail: command.to_owned(), ..Message::default() };
                    say(stream, "250 2.1.0 Ok\r\n")?;
                }
                (None, "RCPT") => {
                    self.message.rcpts.push(command.to_owned());
                    say(stream, "250 2.1.5 Ok\r\n")?;
                }
                (None, "DATA") if self.message.rcpts.is_empty() => say(stream, "554 5.5.1 nobody\r\n")?,
                (None, "DATA") => {
                    say(stream, "354 go ahead\r\n")?;
                    self.take_content(stream)?;
                }
                (None, "BDAT") => {
                    let size = command.split(' ').nth(1).unwrap().parse().unwrap();
                    let mut chunk = vec![0; size];
                    stream.read_exact(&mut chunk)?;
                    self.message.content.extend(chunk);
                    match command.ends_with(" LAST") {
                        true => self.end_content(stream)?,
                        false => say(stream, "250 2.0.0 Ok\r\n")?,
                    }
                }
                (None, "AUTH") => say(stream, "235 2.7.0 Ok\r\n")?,
                (None, "QUIT") => {
                    say(stream, "221 2.0.0 Bye\r\n")?;
                    return Ok(End::Closed);
                }
                (None, "RSET" | "NOOP") => say(stream, "250 2.0.0 Ok\r\n")?,
                (None, _) => say(stream, "500 5.5.2 what?\r\n")?,
            }
        }
    }

    fn rule(&self, command: &str) -> Option<&'static str> {
        self.behaviour.rules.iter().find(|(prefix, _)| command.starts_with(prefix)).map(|(_, reply)| *reply)
    }

    fn offer(&self, before_tls: bool) -> String {
        let mut lines = self.behaviour.capabilities.clone();
        if self.behaviour.tls.is_some() && !self.behaviour.implicit && before_tls {
            lines.push("STARTTLS");
        }
        lines.push("ENHANCEDSTATUSCODES");
        let last = lines.pop().unwrap();
        let lines: String = lines.into_iter().map(|line| format!("250-{line}\r\n")).collect();
        format!("250-test.example\r\n{lines}250 {last}\r\n")
    }

    /// Dot-stuffing is undone.
    fn take_content<S: Read + Write>(&mut self, stream: &mut BufReader<S>) -> std::io::Result<()> {
        loop {
            let mut line = Vec::new();
            stream.read_until(b'\n', &mut line)?;
            if line == b".\r\n" || line.is_empty() {
                return self.end_content(stream);
            }
            self.message.content.extend(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    fn end_content<S: Read + Write>(&mut self, stream: &mut BufReader<S>) -> std::io::Result<()> {
        let message = std::mem::take(&mut self.message);
        let replies = if self.behaviour.lmtp { message.rcpts.len() } else { 1 };
        if !message.rcpts.is_empty() {
            self.seen.lock().unwrap().messages.push(message);
        }
        match self.rule(".") {
            Some("") => Err(std::io::ErrorKind::ConnectionAborted.into()),
            Some(reply) => say(stream, &reply.repeat(replies)),
            None => say(stream, &"250 2.0.0 Ok: queued as 4XyZ1\r\n".repeat(replies)),
        }
    }
}

fn say<S: Read + Write>(stream: &mut BufReader<S>, reply: &str) -> std::io::Result<()> {
    stream.get_mut().write_all(reply.as_bytes())?;
    stream.get_mut().flush()
}
