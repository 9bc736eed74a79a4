//! What stands before the dialogue: how the connection is set up, and the messages.

use std::collections::BTreeMap;

use super::dialogue::{
    Action, Authentication, Bytes, Chunking, Config, Declaration, Dialogue, Message, Newlines, Pipelining, Protocol,
    Recipient, SmtpUtf8, Step, Stream, Tls, Token,
};
use super::parse::{number, split, time, utf8, word};
use super::text;

/// What has been read of it.
pub(super) struct Header {
    about: Option<String>,
    config: Config,
    messages: Vec<Message>,
    /// Where each message begins.
    lines: Vec<usize>,
    line: usize,
    /// Whether the next line of content begins another chunk.
    cut: bool,
}

impl Default for Header {
    fn default() -> Self {
        let config = Config {
            protocol: Protocol::Smtp,
            tls: Tls::None,
            server_name: "mx.example".into(),
            ehlo: "client.example".into(),
            pipelining: Pipelining::Session,
            chunking: Chunking::Auto,
            authentication: None,
            timeouts: BTreeMap::new(),
            reply_limits: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            trace: false,
        };
        Self { about: None, config, messages: Vec::new(), lines: Vec::new(), line: 0, cut: false }
    }
}

impl Header {
    /// The first comment says what the dialogue is about.
    pub(super) fn comment(&mut self, comment: &str) {
        self.about.get_or_insert_with(|| comment.trim().to_owned());
    }

    /// Reads a line, and says whether it belongs here.
    pub(super) fn line(&mut self, place: usize, line: &str) -> Result<bool, String> {
        self.line = place;
        if let Some(content) = line.strip_prefix('|') {
            self.content(content)?;
            return Ok(true);
        }
        let (keyword, rest) = split(line.trim_end());
        Ok(self.setting(keyword, rest)? || self.credential(keyword, rest)? || self.envelope(keyword, rest)?)
    }

    fn setting(&mut self, keyword: &str, rest: &str) -> Result<bool, String> {
        let config = &mut self.config;
        match keyword {
            "protocol" => config.protocol = word(rest)?,
            "tls" => config.tls = word(rest)?,
            "server" => config.server_name = rest.to_owned(),
            "ehlo" => config.ehlo = rest.to_owned(),
            "pipelining" => config.pipelining = word(rest)?,
            "chunking" => config.chunking = word(rest)?,
            "trace" => config.trace = true,
            "timeout" => {
                let (which, rest) = split(rest);
                config.timeouts.insert(word(which)?, time(rest)?);
            }
            "reply-limit" => {
                let (which, rest) = split(rest);
                config.reply_limits.insert(word(which)?, number(rest)?);
            }
            "in-flight" => {
                let (which, rest) = split(rest);
                config.in_flight.insert(word(which)?, number(rest)?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn credential(&mut self, keyword: &str, rest: &str) -> Result<bool, String> {
        const KEYWORDS: [&str; 10] =
            ["user", "password", "authzid", "token", "external", "mechanisms", "allow", "try", "port", "nonce"];
        if !KEYWORDS.contains(&keyword) {
            return Ok(false);
        }
        let authentication = self.config.authentication.get_or_insert_with(|| Authentication {
            port: 587,
            nonce: Bytes((0..24).collect()),
            ..Authentication::default()
        });
        match (keyword, rest) {
            ("user", _) => authentication.user = Some(utf8(rest)?),
            ("password", _) => authentication.password = Some(utf8(rest)?),
            ("authzid", _) => authentication.authzid = Some(utf8(rest)?),
            ("token", "later") => authentication.token = Some(Token::Later {}),
            ("token", _) => authentication.token = Some(Token::Known(utf8(rest)?)),
            ("external", "") => authentication.external = true,
            ("mechanisms", _) => {
                authentication.mechanisms = Some(rest.split_whitespace().map(str::to_owned).collect());
            }
            ("allow", "plaintext") => authentication.dangerously_allow_plaintext = true,
            ("try", "all") => authentication.try_all = true,
            ("port", _) => authentication.port = number(rest)?,
            ("nonce", _) => match text::value(rest)? {
                nonce if nonce.len() == 24 => authentication.nonce = Bytes(nonce),
                nonce => return Err(format!("a nonce of {} octets, and not 24", nonce.len())),
            },
            _ => return Err(format!("what is {rest:?}?")),
        }
        Ok(true)
    }

    fn envelope(&mut self, keyword: &str, rest: &str) -> Result<bool, String> {
        if keyword == "from" {
            let (from, parameters) = path(rest)?;
            self.messages.push(Message {
                from: from.to_owned(),
                parameters: parameters.to_owned(),
                recipients: Vec::new(),
                content: Vec::new(),
                stream: None,
                declaration: Declaration::Auto,
                smtputf8: SmtpUtf8::Auto,
                newlines: Newlines::Fix,
                all_or_nothing: false,
                deadline: None,
            });
            self.lines.push(self.line);
            self.cut = true;
            return Ok(true);
        }
        const KEYWORDS: [&str; 7] = ["to", "body", "smtputf8", "newlines", "all-or-nothing", "stream", "give-up"];
        if !KEYWORDS.contains(&keyword) {
            return Ok(false);
        }
        let message = self.messages.last_mut().ok_or_else(|| format!("`{keyword}` before `from`"))?;
        match keyword {
            "to" => {
                let (address, parameters) = path(rest)?;
                let (address, parameters) = (address.to_owned(), parameters.to_owned());
                message.recipients.push(Recipient { address, parameters });
            }
            "body" => message.declaration = word(rest)?,
            "smtputf8" => message.smtputf8 = word(rest)?,
            "newlines" => message.newlines = word(rest)?,
            "all-or-nothing" => message.all_or_nothing = true,
            "stream" => message.stream = Some(stream(rest)?),
            _ => message.deadline = Some(time(rest)?),
        }
        Ok(true)
    }

    fn content(&mut self, line: &str) -> Result<(), String> {
        let message = self.messages.last_mut().ok_or("content before `from`")?;
        if line == "+" {
            self.cut = true;
            return Ok(());
        }
        let line = text::line(line.strip_prefix(' ').unwrap_or(line))?;
        match message.content.last_mut().filter(|_| !self.cut) {
            Some(chunk) => chunk.0.extend(line),
            None => message.content.push(Bytes(line)),
        }
        self.cut = false;
        Ok(())
    }

    pub(super) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// In which line a message begins.
    pub(super) fn line_of(&self, message: usize) -> usize {
        self.lines.get(message).copied().unwrap_or(1)
    }

    pub(super) fn server_name(&self) -> &str {
        &self.config.server_name
    }

    /// The command that opens the session.
    pub(super) fn hello(&self) -> String {
        let verb = if self.config.protocol == Protocol::Lmtp { "LHLO" } else { "EHLO" };
        format!("{verb} {}", self.config.ehlo)
    }

    /// What is seen when TLS is to begin.
    pub(super) fn start_tls(&self) -> Action {
        let verify = matches!(self.config.tls, Tls::Starttls | Tls::Implicit);
        Action::StartTls { server_name: self.config.server_name.clone(), verify }
    }

    pub(super) fn finish(self, name: &str, source: &str, steps: Vec<Step>) -> Result<Dialogue, String> {
        let about = self.about.ok_or("the first comment has to say what it is about")?;
        for message in &self.messages {
            if message.stream.is_none() && message.content.len() > 1 {
                return Err("content in chunks is a `stream`".into());
            }
        }
        let (config, messages) = (self.config, self.messages);
        Ok(Dialogue { name: name.to_owned(), about, config, messages, steps, source: source.to_owned() })
    }
}

fn stream(text: &str) -> Result<Stream, String> {
    let mut stream = Stream { rewindable: true, ..Stream::default() };
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "size" => stream.size = Some(number(words.next().unwrap_or(""))?),
            "once" => stream.rewindable = false,
            "held" => stream.held = true,
            _ => return Err(format!("what is {word:?}?")),
        }
    }
    Ok(stream)
}

/// A path in angle brackets, which may hold quoted ones, and what stands behind it.
pub(super) fn path(text: &str) -> Result<(&str, &str), String> {
    let inner = text.strip_prefix('<').ok_or_else(|| format!("not a path in angle brackets: {text:?}"))?;
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => return Ok((&inner[..at], inner[at + 1..].trim_start())),
            _ => {}
        }
    }
    Err(format!("no end of the path: {text:?}"))
}
