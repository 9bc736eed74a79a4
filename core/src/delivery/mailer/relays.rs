//! Relays, as they are named by users: where they are, which goes first, and who logs in there before by POP3.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::config::{LogIn, Server};
use super::output::Endpoint;
use crate::client::{self, Authentication, Place, ServerAddress, Tls, Url};
use crate::delivery::dispatcher::{Destination, HostPolicy, Target};
use crate::error::{Error, ErrorCode};
use crate::pop3;
use crate::sasl::Credentials;
use crate::syntax::{Domain, EhloName};

/// A server that takes mail for everybody.
#[derive(Clone, Debug)]
pub struct Relay {
    /// Where it is.
    pub address: ServerAddress,
    /// As [`Server::client`].
    pub client: client::Config,
    /// As [`Server::ehlo`].
    pub ehlo: Option<EhloName>,
    /// As [`Server::log_in`].
    pub log_in: Option<LogIn>,
    /// How much of it is used.
    pub policy: HostPolicy,
    /// The lowest goes first; a higher one is used while all lower ones have failed. Without it, its place in the list.
    pub priority: Option<u16>,
    /// How often it has its turn among those of the same priority that have a connection to spare.
    pub weight: u16,
}

/// What the dispatcher takes for one destination.
const MOST_RELAYS: usize = 64;

/// Adds these relays to the servers, and says how they are used: each while those before it have failed, or, where they are
/// not `in_order`, by turns. One that is named twice is two, each with limits of its own.
///
/// # Errors
///
/// `usage` if there are none, or more than 64.
pub fn add_relays(
    servers: &mut Vec<Server>,
    relays: impl IntoIterator<Item = Relay>,
    in_order: bool,
) -> Result<Arc<Destination>, Error> {
    let mut taken: BTreeSet<Arc<str>> = servers.iter().map(|server| Arc::clone(&server.name)).collect();
    let mut targets = Vec::new();
    for (relay, place) in relays.into_iter().zip(0..) {
        let plain = name(&relay.address);
        let numbered = (2..).map(|number| format!("{plain}#{number}"));
        let mut names = core::iter::once(plain.clone()).chain(numbered);
        let name: Arc<str> = names.find(|name| !taken.contains(name.as_str())).unwrap_or_default().into();
        taken.insert(Arc::clone(&name));
        let priority = relay.priority.unwrap_or(if in_order { place } else { 0 });
        targets.push(Target { host: Arc::clone(&name), priority, weight: relay.weight });
        servers.push(Server {
            name,
            endpoint: endpoint(relay.address).into(),
            client: relay.client,
            ehlo: relay.ehlo,
            log_in: relay.log_in,
            policy: Some(relay.policy),
        });
    }
    if targets.is_empty() || targets.len() > MOST_RELAYS {
        return Err(Error::new(ErrorCode::Usage, format!("from 1 to {MOST_RELAYS} relays have to be named")));
    }
    // No domain has a comma in it, or a number sign.
    let names: Vec<&str> = targets.iter().map(|target| target.host.as_ref()).collect();
    let name = format!("{}#", names.join(",")).into();
    Ok(Arc::new(Destination { name, targets, fallback: None }))
}

impl LogIn {
    /// The server at `url`, with a user and a password: `pop3://user:password@host[:110]`, where TLS begins by STLS and is
    /// required, or `pop3s://user:password@host[:995]`. Both are percent-decoded.
    ///
    /// # Errors
    ///
    /// `usage` if it is not of this form. Nothing of it is repeated.
    pub fn at(url: &str) -> Result<Self, Error> {
        let usage = |what: &'static str| Error::new(ErrorCode::Usage, what);
        let Url { scheme, user, password, place } = Url::parse(url)?;
        let (tls, usual_port) = match scheme.as_str() {
            "pop3" => (Tls::StartTls, 110),
            "pop3s" => (Tls::Implicit, 995),
            _ => return Err(usage("the URL of a POP3 server begins with pop3:// or pop3s://")),
        };
        let Place::Host(host, port) = place else {
            return Err(usage("a POP3 server is not reached by a Unix socket"));
        };
        let (Some(user), Some(password)) = (user, password) else {
            return Err(usage("the URL of a POP3 server names a user and a password"));
        };
        let name = if host.is_ascii() { host } else { host.parse::<Domain>()?.to_ascii()?.as_str().to_owned() };
        let port = port.unwrap_or(usual_port);
        let authentication = Authentication {
            credentials: Credentials::password(user, password, None)?,
            mechanisms: None,
            dangerously_allow_plaintext: false,
            try_all: false,
            port,
            nonce: [0; 24], // another for each connection
        };
        let config = pop3::Config { tls, ..pop3::Config::new(name.clone(), authentication) };
        Ok(Self { endpoint: Endpoint::Host { name, port, addresses: Vec::new() }.into(), config })
    }
}

/// What it is called: its address, without a secret.
fn name(address: &ServerAddress) -> String {
    match address {
        ServerAddress::Host(host, port) => format!("{host}:{port}"),
        ServerAddress::Socket(path) => path.clone(),
    }
}

fn endpoint(address: ServerAddress) -> Endpoint {
    match address {
        ServerAddress::Host(name, port) => Endpoint::Host { name, port, addresses: Vec::new() },
        ServerAddress::Socket(path) => Endpoint::Socket(path),
    }
}
