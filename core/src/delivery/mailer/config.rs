//! How a mailer behaves: which servers there are, and which way mail goes.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::output::Endpoint;
use crate::client;
use crate::delivery::dispatcher::{self, Destination};
use crate::delivery::route::{self, Policy, Way};
use crate::pop3;
use crate::syntax::EhloName;

/// How a mailer behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// How much, how often, and when again.
    pub dispatcher: dispatcher::Config,
    /// Which way the mail for each domain goes. The hosts of a relay's [`Destination`] are the names of `servers`.
    pub policy: Policy<Arc<Destination>>,
    /// The servers that are known by name.
    pub servers: Vec<Server>,
    /// How those are used that the DNS names.
    pub direct: Direct,
    /// The name of this machine, for [`EhloName::of_host`].
    pub host_name: String,
}

impl Config {
    /// All mail goes to this server, over up to so many connections.
    pub fn relay(server: Server, connections: u32) -> Self {
        let name = Arc::clone(&server.name);
        Self::relays([server], Destination::host(name), connections)
    }

    /// All mail goes to these servers, as `destination` says, over up to so many connections to each.
    pub fn relays(servers: impl IntoIterator<Item = Server>, destination: Destination, connections: u32) -> Self {
        let servers: Vec<_> = servers.into_iter().collect();
        let ehlo = servers.first().and_then(|server| server.ehlo.clone());
        Self {
            dispatcher: dispatcher::Config::relay(connections),
            policy: Policy::new(Way::Relay(destination.into())),
            servers,
            direct: Direct { ehlo, ..Direct::default() },
            host_name: String::new(),
        }
    }

    /// All mail goes to the servers of each recipient's domain.
    pub fn direct(direct: Direct) -> Self {
        Self {
            dispatcher: dispatcher::Config::direct(),
            policy: Policy::new(Way::Direct),
            servers: Vec::new(),
            direct,
            host_name: String::new(),
        }
    }
}

/// A server that is known by name: a relay.
#[derive(Clone, Debug)]
pub struct Server {
    /// What destinations and events call it.
    pub name: Arc<str>,
    /// Where it is.
    pub endpoint: Arc<Endpoint>,
    /// How it is spoken to. The nonce of its authentication is replaced for each connection by what
    /// [`opened`](super::Mailer::opened) is given.
    pub client: client::Config,
    /// What we call ourselves; without it the name of this machine, or the address that the connection comes from.
    pub ehlo: Option<EhloName>,
    /// Log in there before the first connection (POP before SMTP), and again when that has expired:
    /// [`HostPolicy::log_in_every`](dispatcher::HostPolicy::log_in_every).
    pub log_in: Option<LogIn>,
    /// How much of it is used; the dispatcher's usual policy without.
    pub policy: Option<dispatcher::HostPolicy>,
}

/// Where to log in by POP3, and as whom.
#[derive(Clone, Debug)]
pub struct LogIn {
    /// Where the POP3 server is.
    pub endpoint: Arc<Endpoint>,
    /// How it is spoken to.
    pub config: pop3::Config,
}

/// How servers are used that the DNS names.
#[derive(Clone, Debug)]
pub struct Direct {
    /// Where they listen: 25, but in tests.
    pub port: u16,
    /// How they are spoken to. The name of the server is replaced by that of each.
    pub client: client::Config,
    /// What we call ourselves; without it the name of this machine, or the address that the connection comes from.
    pub ehlo: Option<EhloName>,
    /// How they are found.
    pub route: Arc<route::Config>,
}

impl Default for Direct {
    /// Port 25, TLS where it is offered.
    fn default() -> Self {
        let client = client::Config::new(String::new(), EhloName::of_host("", None));
        let client = client::Config { tls: client::Tls::Opportunistic, ..client };
        Self { port: 25, client, ehlo: None, route: Arc::default() }
    }
}
