//! A server that is just large enough for the demonstration: one connection, STARTTLS, SCRAM, messages by DATA.

use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64ct::{Base64, Encoding as _};
use okuru_core::sasl::{
    Answer, ChannelBinding, ChannelBindingKind, Mechanism, Question, ServerExchange, ServerParams, ServerStep,
    StoredKeys,
};
use okuru_core::syntax::{Command, CommandError, ForwardPath, MechanismName, ReversePath};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ServerConfig, ServerConnection};

/// Who may log in, and what the server needs to know besides.
pub(super) struct Setting {
    pub(super) tls: Arc<ServerConfig>,
    pub(super) user: &'static str,
    pub(super) keys: StoredKeys,
    pub(super) nonce: [u8; 24],
    pub(super) seed: [u8; 16],
}

/// A message as it arrived.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) reverse_path: Option<ReversePath>,
    pub(super) forward_paths: Vec<ForwardPath>,
    /// Without the dots that were added on the way.
    pub(super) content: Vec<u8>,
    pub(super) dots: usize,
}

pub(super) const NAME: &str = "demo.example";

/// Talks over one connection to its end, and gives what was received.
pub(super) async fn serve(stream: TcpStream, setting: &Setting) -> io::Result<Vec<Received>> {
    let mut plain = Session::new(stream, setting, None);
    plain.say(&format!("220 {NAME} ESMTP okuru, just for this demonstration\r\n")).await?;
    match plain.talk().await? {
        End::Quit => Ok(plain.received),
        End::StartTls if !plain.stream.buffer().is_empty() => Err(io::ErrorKind::InvalidData.into()),
        End::StartTls => {
            let stream = TlsAcceptor::from(Arc::clone(&setting.tls)).accept(plain.stream.into_inner()).await?;
            let binding = binding(stream.get_ref().1)?;
            let mut secured = Session::new(stream, setting, Some(binding));
            secured.talk().await?;
            Ok(secured.received)
        }
    }
}

/// RFC 9266 §2.
fn binding(connection: &ServerConnection) -> io::Result<ChannelBinding> {
    let exported = connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(&[]));
    Ok(ChannelBinding::new(ChannelBindingKind::TlsExporter, exported.map_err(io::Error::other)?))
}

enum End {
    Quit,
    StartTls,
}

struct Session<'a, S> {
    stream: BufReader<S>,
    setting: &'a Setting,
    /// Of TLS, once there is TLS.
    binding: Option<ChannelBinding>,
    authenticated: bool,
    message: Received,
    received: Vec<Received>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Session<'a, S> {
    fn new(stream: S, setting: &'a Setting, binding: Option<ChannelBinding>) -> Self {
        Self {
            stream: BufReader::new(stream),
            setting,
            binding,
            authenticated: false,
            message: Received::default(),
            received: Vec::new(),
        }
    }

    async fn talk(&mut self) -> io::Result<End> {
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(End::Quit);
            }
            let reply = match Command::parse(&line) {
                Ok(Command::Ehlo(name)) => self.offer(name.as_str()),
                Ok(Command::StartTls) if self.binding.is_none() => {
                    self.say("220 2.0.0 Ready for TLS\r\n").await?;
                    return Ok(End::StartTls);
                }
                Ok(Command::Auth { mechanism, initial_response }) if !self.authenticated => {
                    let initial = initial_response.map(|response| decode(response.as_base64().as_bytes()));
                    self.authenticate(&mechanism, initial).await?
                }
                Ok(Command::Mail { .. }) if !self.authenticated => "530 5.7.0 Authentication required\r\n".to_owned(),
                Ok(Command::Mail { path, .. }) => {
                    self.message = Received { reverse_path: Some(path), ..Received::default() };
                    "250 2.1.0 Ok\r\n".to_owned()
                }
                Ok(Command::Rcpt { path, .. }) if self.message.reverse_path.is_some() => {
                    self.message.forward_paths.push(path);
                    "250 2.1.5 Ok\r\n".to_owned()
                }
                Ok(Command::Data) if !self.message.forward_paths.is_empty() => self.take_content().await?,
                Ok(Command::Rset | Command::Noop(_)) => "250 2.0.0 Ok\r\n".to_owned(),
                Ok(Command::Quit) => {
                    self.say("221 2.0.0 Bye\r\n").await?;
                    return Ok(End::Quit);
                }
                Ok(_) => "503 5.5.1 Not now\r\n".to_owned(),
                Err(error) => refusal(&error),
            };
            self.say(&reply).await?;
        }
    }

    fn offer(&self, client: &str) -> String {
        let more = match self.binding {
            None => "250 STARTTLS\r\n",
            Some(_) => "250 AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256\r\n",
        };
        format!("250-{NAME} greets {client}\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n{more}")
    }

    async fn authenticate(&mut self, name: &MechanismName, initial: Option<Option<Vec<u8>>>) -> io::Result<String> {
        let (Some(binding), Ok(mechanism)) = (&self.binding, name.as_str().parse::<Mechanism>()) else {
            return Ok("504 5.5.4 Not offered\r\n".to_owned());
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map(|now| now.as_secs()).unwrap_or_default();
        let params = ServerParams {
            bindings: vec![binding.clone()],
            offers_plus: true,
            protected: true,
            ..ServerParams::new(NAME, &self.setting.nonce, now, &self.setting.seed)
        };
        let initial = match initial {
            Some(None) => return Ok(NOT_BASE64.to_owned()),
            Some(response) => response,
            None => None,
        };
        let (mut exchange, mut step) = match ServerExchange::start(mechanism, params, initial.as_deref()) {
            Ok(started) => started,
            Err(error) => return Ok(format!("535 5.7.8 Refused: {}\r\n", error.what())),
        };
        loop {
            step = match step {
                ServerStep::Ask(Question::Keys { user, hash })
                    if user == self.setting.user && hash == self.setting.keys.hash() =>
                {
                    exchange.answer(Answer::Keys(self.setting.keys.clone()))
                }
                ServerStep::Ask(_) => exchange.answer(Answer::Unknown),
                ServerStep::Challenge(challenge) => {
                    self.say(&format!("334 {}\r\n", Base64::encode_string(challenge.as_bytes()))).await?;
                    match decode(self.line().await?.trim_ascii()) {
                        Some(response) => exchange.receive(&response),
                        None => return Ok(NOT_BASE64.to_owned()),
                    }
                }
                ServerStep::Done { .. } => {
                    self.authenticated = true;
                    return Ok("235 2.7.0 Welcome\r\n".to_owned());
                }
                ServerStep::Failed(error) => return Ok(format!("535 5.7.8 Refused: {}\r\n", error.what())),
            };
        }
    }

    async fn take_content(&mut self) -> io::Result<String> {
        self.say("354 End it with a dot on a line of its own\r\n").await?;
        loop {
            let line = self.line().await?;
            match line.as_slice() {
                b"" => return Err(io::ErrorKind::UnexpectedEof.into()),
                b".\r\n" => break,
                [b'.', rest @ ..] => {
                    self.message.dots += 1;
                    self.message.content.extend_from_slice(rest);
                }
                line => self.message.content.extend_from_slice(line),
            }
        }
        self.received.push(std::mem::take(&mut self.message));
        Ok(format!("250 2.0.0 Ok: queued as DEMO{}\r\n", self.received.len()))
    }

    /// A line with its end; nothing at the end of the connection.
    async fn line(&mut self) -> io::Result<Vec<u8>> {
        const LONGEST: u64 = 64 << 10;
        let mut line = Vec::new();
        (&mut self.stream).take(LONGEST).read_until(b'\n', &mut line).await?;
        Ok(line)
    }

    async fn say(&mut self, reply: &str) -> io::Result<()> {
        self.stream.write_all(reply.as_bytes()).await?;
        self.stream.flush().await
    }
}

const NOT_BASE64: &str = "501 5.5.2 Not base64\r\n";

/// RFC 4954 §4: an equals sign is a response of no octets.
fn decode(base64: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(base64).ok()?;
    if text == "=" { Some(Vec::new()) } else { Base64::decode_vec(text).ok() }
}

fn refusal(error: &CommandError) -> String {
    format!("{} {} {}\r\n", error.code(), error.enhanced(), error.what())
}
