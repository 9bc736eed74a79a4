//! The one description of the job, for both clients.

use std::fmt;
use std::net::IpAddr;
#[cfg(feature = "rustls")]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use okuru_core::client::{
    Authentication, Chunking, Config, InFlight, Pipelining, Protocol, ServerAddress, ServerUrl, Timeouts, Tls, Trace,
};
use okuru_core::sasl::{Credentials, Mechanism, Secret};
use okuru_core::syntax::{EhloName, ReplyLimits};
use okuru_core::{Error, ErrorCode};

use crate::connect::proxy::Proxy;
#[cfg(feature = "rustls")]
use crate::tls::{Identity, TlsOptions};
use crate::token::TokenSource;

/// Which server, and how: what both clients are made from.
///
/// ```
/// use std::time::Duration;
/// use okuru::{Options, Pipelining};
///
/// # fn main() -> Result<(), okuru::Error> {
/// let options = Options::new("smtp://me%40example.com:secret@mail.example.com")?
///     .pipelining(Pipelining::Message)
///     .connect_timeout(Duration::from_secs(5));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Options {
    pub(crate) address: ServerAddress,
    protocol: Protocol,
    pub(crate) tls: Tls,
    #[cfg(feature = "rustls")]
    pub(crate) trust: TlsOptions,
    server_name: Option<String>,
    user: Option<String>,
    credentials: Option<Credentials>,
    pub(crate) token: Option<TokenSource>,
    mechanisms: Option<Vec<Mechanism>>,
    dangerously_allow_plaintext_auth: bool,
    try_all_mechanisms: bool,
    pub(crate) ehlo: Option<EhloName>,
    pipelining: Pipelining,
    chunking: Chunking,
    pub(crate) connect_timeout: Duration,
    timeouts: Timeouts,
    reply_limits: ReplyLimits,
    in_flight: InFlight,
    pub(crate) deadline: Option<Duration>,
    pub(crate) source: Option<IpAddr>,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) trace: Option<Tracer>,
}

/// Told each line of the dialogue.
pub(crate) type Tracer = Arc<dyn Fn(&Trace) + Send + Sync>;

impl Options {
    /// The server at `url`, with the usual choices:
    ///
    /// | URL | port | TLS |
    /// |---|---|---|
    /// | `smtp://host[:port]` | 587 | by STARTTLS, required |
    /// | `smtps://host[:port]` | 465 | from the first byte |
    /// | `lmtp://host[:port]` | 24 | none |
    /// | `lmtp:///path/to/socket` | | none |
    ///
    /// `user:password@` before the host are credentials; both are percent-decoded. With a user alone, the password or
    /// token is still to be given.
    pub fn new(url: &str) -> Result<Self, Error> {
        let ServerUrl { protocol, tls, address, user, password } = ServerUrl::parse(url)?;
        let credentials = match (&user, password) {
            (Some(user), Some(password)) => Some(Credentials::password(user, password, None)?),
            _ => None,
        };
        Ok(Self { user, credentials, ..Self::at(address, protocol, tls) })
    }

    /// The server at `address`, with the usual choices.
    pub(crate) fn at(address: ServerAddress, protocol: Protocol, tls: Tls) -> Self {
        Self {
            address,
            protocol,
            tls,
            #[cfg(feature = "rustls")]
            trust: TlsOptions::default(),
            server_name: None,
            user: None,
            credentials: None,
            token: None,
            mechanisms: None,
            dangerously_allow_plaintext_auth: false,
            try_all_mechanisms: false,
            ehlo: None,
            pipelining: Pipelining::default(),
            chunking: Chunking::default(),
            connect_timeout: Duration::from_secs(30),
            timeouts: Timeouts::default(),
            reply_limits: ReplyLimits::default(),
            in_flight: InFlight::default(),
            deadline: None,
            source: None,
            proxy: None,
            trace: None,
        }
    }

    /// The user that the URL names.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Whether there is something to authenticate with: from the URL, or given since.
    pub fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }

    /// When TLS begins, in place of what the URL says.
    ///
    /// With [`Tls::Opportunistic`] a handshake that fails is followed by one try without TLS, on a new connection.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// The name that the server's certificate is for, where that is not the host of the URL.
    #[must_use]
    pub fn tls_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Trusts the authorities in this PEM file, and no others, in place of the system's. It is read when it is needed.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.trust.ca_file = Some(path.into());
        self
    }

    /// Trusts this authority too, in PEM or DER.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn add_root_certificate(mut self, certificate: impl Into<Vec<u8>>) -> Self {
        self.trust.roots.push(certificate.into());
        self
    }

    /// Shows this certificate to the server: PEM files, the certificate with its chain and the key. They are read when they
    /// are needed. For EXTERNAL see [`external`](Self::external).
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn client_certificate_files(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.trust.identity = Some(Identity::Files { certificate: certificate.into(), key: key.into() });
        self
    }

    /// Shows this certificate to the server: PEM, the certificate with its chain and the key.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn client_certificate(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Secret>) -> Self {
        self.trust.identity = Some(Identity::Pem { certificate: certificate.into(), key: key.into() });
        self
    }

    /// Authenticates with these credentials.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self.token = None;
        self
    }

    /// Authenticates with a user name and a password.
    pub fn password(self, user: impl Into<String>, password: impl Into<Secret>) -> Result<Self, Error> {
        Ok(self.credentials(Credentials::password(user, password, None)?))
    }

    /// Authenticates with an OAuth 2.0 access token, and the user whose mailbox it opens.
    pub fn token(self, user: impl Into<String>, token: impl Into<Secret>) -> Result<Self, Error> {
        Ok(self.credentials(Credentials::token(Some(user.into()), Some(token.into()))?))
    }

    /// Authenticates with an OAuth 2.0 access token that `source` gives, each time that a connection needs one. It may
    /// block; the tokio client calls it on a thread for that. Its error's text must hold no secret.
    pub fn token_source<S, E>(self, user: impl Into<String>, source: S) -> Result<Self, Error>
    where
        S: Fn() -> Result<Secret, E> + Send + Sync + 'static,
        E: fmt::Display,
    {
        let source = TokenSource::blocking(source);
        Ok(Self { token: Some(source), ..self.credentials(Credentials::token(Some(user.into()), None)?) })
    }

    /// Like [`token_source`](Self::token_source), for a source that does not block. Only for the tokio client.
    #[cfg(feature = "tokio")]
    pub fn token_source_async<S, F, E>(self, user: impl Into<String>, source: S) -> Result<Self, Error>
    where
        S: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Secret, E>> + Send + 'static,
        E: fmt::Display,
    {
        let source = TokenSource::future(source);
        Ok(Self { token: Some(source), ..self.credentials(Credentials::token(Some(user.into()), None)?) })
    }

    /// Authenticates by what TLS has shown, such as a client certificate (EXTERNAL).
    pub fn external(self) -> Result<Self, Error> {
        Ok(self.credentials(Credentials::external(None)?))
    }

    /// Only these mechanisms, the server's strongest first. Without this, all that fit the credentials.
    #[must_use]
    pub fn mechanisms(mut self, mechanisms: impl Into<Vec<Mechanism>>) -> Self {
        self.mechanisms = Some(mechanisms.into());
        self
    }

    /// Sends credentials although nobody has verified the server: everybody on the way can read or use them.
    #[must_use]
    pub fn dangerously_allow_plaintext_auth(mut self, allow: bool) -> Self {
        self.dangerously_allow_plaintext_auth = allow;
        self
    }

    /// Tries the next mechanism when the server has refused one. Some servers take that for an attack.
    #[must_use]
    pub fn try_all_mechanisms(mut self, all: bool) -> Self {
        self.try_all_mechanisms = all;
        self
    }

    /// What we call ourselves. Without this it is the name of this machine if that has a dot in it, else the address that
    /// the connection comes from.
    pub fn ehlo_name(mut self, name: &str) -> Result<Self, Error> {
        self.ehlo = Some(name.parse()?);
        Ok(self)
    }

    /// How much goes in one write, and so how often the client waits.
    #[must_use]
    pub fn pipelining(mut self, pipelining: Pipelining) -> Self {
        self.pipelining = pipelining;
        self
    }

    /// Whether content goes by BDAT.
    #[must_use]
    pub fn chunking(mut self, chunking: Chunking) -> Self {
        self.chunking = chunking;
        self
    }

    /// How long it may take to be connected: look-up, connection and proxy together. 30 seconds without this.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long the server may take for each reply, whatever the step. See [`timeouts`](Self::timeouts) for each by itself.
    #[must_use]
    pub fn reply_timeout(self, timeout: Duration) -> Self {
        self.timeouts(Timeouts::all(timeout))
    }

    /// How long the server may take, step by step. Without this, what RFC 5321 §4.5.3.2 says.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// How long each message may take, from being handed to the client to its outcome, where the message does not say
    /// [otherwise](crate::Message::deadline). Without this, there is no limit but those of the steps.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// How large replies may be.
    #[must_use]
    pub fn reply_limits(mut self, limits: ReplyLimits) -> Self {
        self.reply_limits = limits;
        self
    }

    /// What may be in flight at [`Pipelining::Streaming`].
    #[must_use]
    pub fn in_flight(mut self, in_flight: InFlight) -> Self {
        self.in_flight = in_flight;
        self
    }

    /// Connects from this address, and so only to addresses of its family.
    #[must_use]
    pub fn source_address(mut self, address: IpAddr) -> Self {
        self.source = Some(address);
        self
    }

    /// Connects through this proxy: `socks5://[user:password@]host[:1080]` or `http://[user:password@]host[:80]`, which is
    /// asked to CONNECT. The proxy looks up the server's name.
    pub fn proxy(mut self, url: &str) -> Result<Self, Error> {
        self.proxy = Some(Proxy::parse(url)?);
        Ok(self)
    }

    /// Tells `trace` each line of the dialogue. Secrets are hidden.
    #[must_use]
    pub fn trace(mut self, trace: impl Fn(&Trace) + Send + Sync + 'static) -> Self {
        self.trace = Some(Arc::new(trace));
        self
    }

    /// The server, for an error.
    pub(crate) fn host(&self) -> String {
        match &self.address {
            ServerAddress::Host(host, _) => host.clone(),
            ServerAddress::Socket(path) => path.clone(),
        }
    }

    /// What the core wants to know, apart from who we are, for a connection that comes from `local`.
    pub(crate) fn config(&self, local: Option<IpAddr>, tls: Tls, pipelining: Pipelining, trace: bool) -> Config {
        Config {
            protocol: self.protocol,
            tls,
            server_name: self.server_name.clone().unwrap_or_else(|| self.address.server_name().to_owned()),
            ehlo: self
                .ehlo
                .clone()
                .unwrap_or_else(|| EhloName::of_host(&dns_lookup::get_hostname().unwrap_or_default(), local)),
            authentication: None,
            pipelining: self.pipelining.min(pipelining),
            chunking: self.chunking,
            timeouts: self.timeouts,
            reply_limits: self.reply_limits,
            in_flight: self.in_flight,
            trace,
        }
    }

    /// Who we are, for one connection.
    pub(crate) fn authentication(&self) -> Result<Option<Authentication>, Error> {
        let Some(credentials) = self.credentials.clone() else {
            return Ok(None);
        };
        let mut nonce = [0; 24];
        getrandom::fill(&mut nonce)
            .map_err(|error| Error::new(ErrorCode::ConnectFailed, format!("there are no random numbers: {error}")))?;
        Ok(Some(Authentication {
            credentials,
            mechanisms: self.mechanisms.clone(),
            dangerously_allow_plaintext: self.dangerously_allow_plaintext_auth,
            try_all: self.try_all_mechanisms,
            port: match self.address {
                ServerAddress::Host(_, port) => port,
                ServerAddress::Socket(_) => 0,
            },
            nonce,
        }))
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("address", &self.address)
            .field("protocol", &self.protocol)
            .field("tls", &self.tls)
            .field("pipelining", &self.pipelining)
            .field("chunking", &self.chunking)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(Options::new("imap://mx.example").unwrap_err().code(), ErrorCode::Usage);
        assert_eq!(Options::new("smtp://me:a%00b@mx").unwrap_err().code(), ErrorCode::AuthCredentials);
        assert!(Options::new("smtp://mx").unwrap().ehlo_name("a b\r\nMAIL").is_err());
    }

    #[test]
    fn credentials_of_the_url_are_used_and_not_shown() {
        let options = Options::new("smtp://me:hunter2@mx.example").unwrap();
        let authentication = options.authentication().unwrap().unwrap();
        assert_eq!(authentication.credentials, Credentials::password("me", "hunter2", None).unwrap());
        assert!(!format!("{options:?} {authentication:?}").contains("hunter2"));
        let user = Options::new("smtp://me@mx.example").unwrap();
        assert_eq!(user.user(), Some("me"));
        assert!(user.authentication().unwrap().is_none());
    }

    #[test]
    fn nonces_differ() {
        let options = Options::new("smtp://me:pw@mx.example").unwrap();
        let nonce = || options.authentication().unwrap().unwrap().nonce;
        assert_ne!(nonce(), nonce());
    }
}
