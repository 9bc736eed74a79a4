//! How one server is spoken to, and how much it is used.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::value::{Value, in_option};
use crate::client::{Authentication, Chunking, Config, InFlight, Pipelining, ServerAddress, ServerUrl, Timeouts, Tls};
use crate::delivery::dispatcher::{HostPolicy, Quota, Rate};
use crate::delivery::mailer::{LogIn, Relay};
use crate::error::{Error, ErrorCode};
use crate::sasl::{Credentials, Mechanism, Secret};
use crate::syntax::{EhloName, ReplyLimits};

/// What is said of a server: of each, or of one among several.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerOptions {
    pub(super) tls: Option<Tls>,
    tls_name: Option<String>,
    login: Login,
    pub(super) ehlo: Option<EhloName>,
    pipelining: Pipelining,
    chunking: Chunking,
    reply_timeout: Option<Duration>,
    /// For each step by itself.
    timeouts: Vec<(Clock, Duration)>,
    max_reply: Option<u32>,
    reply_limits: ReplyLimits,
    in_flight: InFlight,
    trace: bool,
    pub(super) connections: Option<u32>,
    pub(super) rates: Vec<Rate>,
    messages_per_connection: Option<u32>,
    priority: Option<u16>,
    weight: Option<u16>,
    pop_before: Option<Value>,
    pop_expires: Option<Duration>,
}

/// Who we are.
#[derive(Clone, Debug, Default)]
struct Login {
    user: Option<String>,
    password: Option<Secret>,
    authzid: Option<String>,
    token: Option<Token>,
    mechanisms: Option<Vec<Mechanism>>,
    allow_plaintext: bool,
    try_all: bool,
}

#[derive(Clone, Debug)]
enum Token {
    Known(Secret),
    /// The host is asked when it is needed.
    Asked,
}

/// One of the time-outs.
type Clock = fn(&mut Timeouts) -> &mut Duration;

const TLS: &[(&str, Tls)] = &[
    ("none", Tls::None),
    ("opportunistic", Tls::Opportunistic),
    ("starttls", Tls::StartTls),
    ("implicit", Tls::Implicit),
];

const PIPELINING: &[(&str, Pipelining)] = &[
    ("none", Pipelining::None),
    ("message", Pipelining::Message),
    ("session", Pipelining::Session),
    ("streaming", Pipelining::Streaming),
];

const CHUNKING: &[(&str, Chunking)] =
    &[("auto", Chunking::Auto), ("prefer", Chunking::Prefer), ("never", Chunking::Never)];

const CLOCKS: &[(&str, Clock)] = &[
    ("tls_timeout", |all| &mut all.tls),
    ("greeting_timeout", |all| &mut all.greeting),
    ("command_timeout", |all| &mut all.command),
    ("mail_timeout", |all| &mut all.mail),
    ("rcpt_timeout", |all| &mut all.rcpt),
    ("data_timeout", |all| &mut all.data),
    ("write_timeout", |all| &mut all.write),
    ("content_timeout", |all| &mut all.content),
    ("quit_timeout", |all| &mut all.quit),
];

impl ServerOptions {
    /// Says whether there is an option of this name.
    pub(super) fn set(&mut self, name: &str, value: &Value) -> Result<bool, Error> {
        let login = &mut self.login;
        match name {
            "tls" => self.tls = Some(value.word(TLS)?),
            "tls_name" => self.tls_name = Some(value.text()?.to_owned()),
            "user" => login.user = Some(value.text()?.to_owned()),
            "password" => login.password = Some(value.secret()?),
            "authzid" => login.authzid = Some(value.text()?.to_owned()),
            "token" => {
                login.token = match value {
                    Value::Flag(is_asked) => is_asked.then_some(Token::Asked),
                    value => Some(Token::Known(value.secret()?)),
                };
            }
            "auth" => login.mechanisms = Some(value.texts()?.into_iter().map(str::parse).collect::<Result<_, _>>()?),
            "allow_plaintext_auth" => login.allow_plaintext = value.flag()?,
            "try_all_mechanisms" => login.try_all = value.flag()?,
            "ehlo" => self.ehlo = Some(value.parsed()?),
            "pipelining" => self.pipelining = value.word(PIPELINING)?,
            "chunking" => self.chunking = value.word(CHUNKING)?,
            "reply_timeout" => self.reply_timeout = Some(value.duration()?),
            "max_reply" => self.max_reply = Some(value.count()?),
            "max_reply_line" => self.reply_limits.line = value.size()?,
            "max_reply_lines" => self.reply_limits.lines = value.size()?,
            "in_flight_messages" => self.in_flight.messages = value.size()?,
            "in_flight_bytes" => self.in_flight.bytes = value.octets()?,
            "in_flight_bytes_per_second" => self.in_flight.bytes_per_second = value.octets()?,
            "in_flight_most_bytes" => self.in_flight.most_bytes = value.octets()?,
            "trace" => self.trace = value.flag()?,
            "connections" => self.connections = Some(value.count()?),
            "rate" => self.rates = value.each().iter().map(Value::rate).collect::<Result<_, _>>()?,
            "messages_per_connection" => self.messages_per_connection = Some(value.count()?),
            "pop_before" => {
                LogIn::at(value.text()?)?;
                self.pop_before = Some(value.clone());
            }
            "pop_expires" => self.pop_expires = Some(value.duration()?),
            name => match CLOCKS.iter().find(|(clock, _)| *clock == name) {
                Some((_, clock)) => self.timeouts.push((*clock, value.duration()?)),
                None => return Ok(false),
            },
        }
        Ok(true)
    }

    /// As [`set`](Self::set), for one server among several.
    pub(super) fn set_of_one(&mut self, name: &str, value: &Value) -> Result<bool, Error> {
        match name {
            "priority" => self.priority = Some(value.small_count()?),
            "weight" => self.weight = Some(value.small_count()?),
            name => return self.set(name, value),
        }
        Ok(true)
    }

    /// The relay at `url`.
    pub(super) fn relay(&self, url: &str, usual: &HostPolicy) -> Result<Relay, Error> {
        let ServerUrl { protocol, tls, address, user, password } = ServerUrl::parse(url)?;
        let mut client = self.client(address.server_name(), self.tls.unwrap_or(tls));
        client.protocol = protocol;
        client.authentication = self.login.credentials(user, password)?.map(|credentials| Authentication {
            credentials,
            mechanisms: self.login.mechanisms.clone(),
            dangerously_allow_plaintext: self.login.allow_plaintext,
            try_all: self.login.try_all,
            port: match address {
                ServerAddress::Host(_, port) => port,
                ServerAddress::Socket(_) => 0,
            },
            nonce: [0; 24], // another for each connection
        });
        let log_in = self.pop_before.as_ref().map(|url| self.log_in(url)).transpose()?;
        let policy = HostPolicy {
            quota: Quota {
                connections: self.connections.unwrap_or(1),
                rates: self.rates.clone(),
                ..usual.quota.clone()
            },
            messages_per_connection: self.messages_per_connection.unwrap_or(u32::MAX),
            without_tls: client.tls == Tls::Opportunistic,
            log_in_every: log_in.as_ref().map(|_| self.pop_expires.unwrap_or(Duration::from_secs(600))),
            ..usual.clone()
        };
        Ok(Relay {
            address,
            client,
            ehlo: self.ehlo.clone(),
            log_in,
            policy,
            priority: self.priority,
            weight: self.weight.unwrap_or(1),
        })
    }

    /// How a server is spoken to, apart from who we are.
    pub(super) fn client(&self, server_name: &str, tls: Tls) -> Config {
        let mut timeouts = self.reply_timeout.map_or_else(Timeouts::default, Timeouts::all);
        for (clock, duration) in &self.timeouts {
            *clock(&mut timeouts) = *duration;
        }
        let usual = self.reply_limits;
        let bytes = self.max_reply.map_or(usual.bytes, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let ehlo = self.ehlo.clone().unwrap_or_else(|| EhloName::of_host("", None));
        Config {
            tls,
            pipelining: self.pipelining,
            chunking: self.chunking,
            timeouts,
            reply_limits: ReplyLimits { line: usual.line.min(bytes), bytes, ..usual },
            in_flight: self.in_flight,
            trace: self.trace,
            ..Config::new(self.tls_name.as_deref().unwrap_or(server_name), ehlo)
        }
    }

    fn log_in(&self, url: &Value) -> Result<LogIn, Error> {
        let mut log_in = LogIn::at(url.text()?).map_err(in_option("pop_before"))?;
        log_in.config.authentication.dangerously_allow_plaintext = self.login.allow_plaintext;
        Ok(log_in)
    }

    /// For messages on a connection where the DNS names the servers.
    pub(super) fn most_messages(&self, usual: u32) -> u32 {
        self.messages_per_connection.unwrap_or(usual)
    }
}

impl Login {
    /// What is said by itself goes before what the URL says.
    fn credentials(&self, user: Option<String>, password: Option<Secret>) -> Result<Option<Credentials>, Error> {
        let password = match &self.user {
            Some(_) => self.password.clone(),
            None => self.password.clone().or(password),
        };
        let user = self.user.clone().or(user);
        Ok(Some(match (&self.token, user, password) {
            (Some(_), _, Some(_)) => return Err(usage("a password and a token were given; one of them is enough")),
            (Some(Token::Known(token)), user, None) => Credentials::token(user, Some(token.clone()))?,
            (Some(Token::Asked), user, None) => Credentials::token(user, None)?,
            (None, Some(user), Some(password)) => Credentials::password(user, password, self.authzid.clone())?,
            (None, user, None) if self.mechanisms.as_deref() == Some(&[Mechanism::External]) => {
                Credentials::external(self.authzid.clone().or(user))?
            }
            (None, None, None) => return Ok(None),
            (None, None, Some(_)) => return Err(usage("a password was given, and no user")),
            (None, Some(_), None) => return Err(usage("a user was given, and no password or token")),
        }))
    }
}

fn usage(what: &'static str) -> Error {
    Error::new(ErrorCode::Usage, what)
}
