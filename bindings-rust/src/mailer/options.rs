//! Which way mail goes, and how: what a mailer is made from.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use okuru_core::Error;
use okuru_core::client::{Pipelining, ServerAddress, Tls};
use okuru_core::delivery::dispatcher::{self, Destination, HostPolicy, Quota, Rate, Retry};
use okuru_core::delivery::mailer::{self as core, Config, Direct, Event, LogIn, Server, add_relays};
use okuru_core::delivery::route::{self, Families, Policy};

use super::side::{Side, Sides};
use crate::logging;
use crate::options::Options;

/// What a [`Mailer`](super::Mailer) is made from: which way mail goes, how much of it, how often, and when again.
///
/// ```
/// use std::time::Duration;
/// use okuru::mailer::{MailerOptions, Rate, Retry, Way};
/// use okuru::Options;
///
/// # fn main() -> Result<(), okuru::Error> {
/// let relays = [Options::new("smtp://one.example.com")?, Options::new("smtp://two.example.com")?];
/// let options = MailerOptions::new(Way::relays(relays))
///     .connections(4)
///     .rate(Rate::per_second(20))
///     .retry(Retry { within: Duration::from_secs(3600), ..Retry::default() });
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MailerOptions {
    otherwise: Way,
    by_domain: Vec<(String, Way)>,
    direct: DirectOptions,
    connections: Option<u32>,
    dispatcher: dispatcher::Config,
    pub(super) deadline: Option<Duration>,
    pub(super) observer: Option<Observer>,
}

/// Told what happens.
pub(super) type Observer = Arc<dyn Fn(&Event) + Send + Sync>;

/// Which way mail goes.
#[derive(Clone, Debug)]
pub struct Way(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Relays(Vec<Relay>),
    #[cfg(feature = "dns")]
    Direct,
    #[cfg(feature = "dns")]
    DirectThen(Vec<Relay>),
}

/// A server that takes mail for everybody.
#[derive(Clone, Debug)]
pub struct Relay {
    options: Options,
    priority: Option<u16>,
    weight: u16,
    connections: Option<u32>,
    rates: Vec<Rate>,
    pop_login: Option<PopLogin>,
}

/// Where to log in by POP3 before mail is sent (POP before SMTP), and as whom.
#[derive(Clone, Debug)]
pub struct PopLogin {
    log_in: LogIn,
    expires: Duration,
}

/// How servers are found and used that the DNS names.
#[derive(Clone, Debug)]
pub struct DirectOptions {
    options: Options,
    port: u16,
    route: route::Config,
    pub(super) dns: Option<SocketAddr>,
}

/// Connections to a relay, where nothing else is said.
const USUAL_CONNECTIONS: u32 = 5;

impl MailerOptions {
    /// Mail goes this way; each message is tried once, over as many servers as may take it.
    pub fn new(way: impl Into<Way>) -> Self {
        let otherwise = way.into();
        let dispatcher = if otherwise.is_direct() {
            dispatcher::Config::direct()
        } else {
            dispatcher::Config::relay(USUAL_CONNECTIONS)
        };
        Self {
            otherwise,
            by_domain: Vec::new(),
            direct: DirectOptions::new(),
            connections: None,
            dispatcher: dispatcher::Config { retry: None, ..dispatcher },
            deadline: None,
            observer: None,
        }
    }

    /// Mail for this domain goes another way. With a dot before it: mail for every domain below it, but not for itself. The
    /// longest entry counts.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>, way: impl Into<Way>) -> Self {
        self.by_domain.push((domain.into(), way.into()));
        self
    }

    /// How servers are found and used that the DNS names.
    #[must_use]
    pub fn direct(mut self, direct: DirectOptions) -> Self {
        self.direct = direct;
        self
    }

    /// Connections at a time: to each relay that does not say [otherwise](Relay::connections), 5 without this; for direct
    /// delivery in all, 256 without this.
    #[must_use]
    pub fn connections(mut self, connections: u32) -> Self {
        self.connections = Some(connections);
        self
    }

    /// No more messages than this, all servers together. May be said several times; all hold.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.dispatcher.quota.rates.push(rate);
        self
    }

    /// What was deferred is tried again, so that its outcome comes later.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.dispatcher.retry = Some(retry);
        self
    }

    /// How long a message may take, from being handed over to its outcome, where it does not say
    /// [otherwise](crate::Message::deadline).
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Changes what else there is to be said of how much, how often and when again.
    #[must_use]
    pub fn limits(mut self, change: impl FnOnce(&mut dispatcher::Config)) -> Self {
        change(&mut self.dispatcher);
        self
    }

    /// Tells `observer` what happens, as it happens. It should not take long.
    #[must_use]
    pub fn observe(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// What the core wants to know, and what is kept beside it for each server.
    pub(super) fn build(&self) -> Result<(Config, Sides), Error> {
        let mut builder = Builder {
            sides: HashMap::new(),
            servers: Vec::new(),
            usual: self.dispatcher.host.clone(),
            connections: self.connections.unwrap_or(USUAL_CONNECTIONS),
        };
        let mut policy = Policy::new(builder.way(&self.otherwise)?);
        let mut is_direct = self.otherwise.is_direct();
        for (domain, way) in &self.by_domain {
            is_direct |= way.is_direct();
            policy.add(domain, builder.way(way)?)?;
        }
        let mut dispatcher = self.dispatcher.clone();
        if is_direct {
            dispatcher.quota.connections = self.connections.unwrap_or(dispatcher.quota.connections);
            dispatcher.route_age = dispatcher.route_age.or(dispatcher::Config::direct().route_age);
            dispatcher.host.without_tls |= self.direct.options.tls == Tls::Opportunistic;
        }
        let (direct, side) = self.direct.build()?;
        let config = Config {
            dispatcher,
            policy,
            servers: builder.servers,
            direct,
            host_name: dns_lookup::get_hostname().unwrap_or_default(),
        };
        Ok((config, Sides { by_name: builder.sides, direct: side }))
    }

    /// The name server that is asked, if it is not the system's.
    #[cfg(feature = "dns")]
    pub(super) fn dns(&self) -> Option<SocketAddr> {
        self.direct.dns
    }

    /// Whether any mail is delivered directly.
    #[cfg(feature = "dns")]
    pub(super) fn is_direct(&self) -> bool {
        self.otherwise.is_direct() || self.by_domain.iter().any(|(_, way)| way.is_direct())
    }
}

impl fmt::Debug for MailerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailerOptions")
            .field("otherwise", &self.otherwise)
            .field("by_domain", &self.by_domain)
            .field("direct", &self.direct)
            .finish_non_exhaustive()
    }
}

impl<W: Into<Way>> From<W> for MailerOptions {
    fn from(way: W) -> Self {
        Self::new(way)
    }
}

impl Way {
    /// To this relay.
    pub fn relay(relay: impl Into<Relay>) -> Self {
        Self(Kind::Relays(vec![relay.into()]))
    }

    /// To the first of these relays that works: each is used while all before it have failed. Those that have the same
    /// [priority](Relay::priority) share the mail.
    pub fn relays<R: Into<Relay>>(relays: impl IntoIterator<Item = R>) -> Self {
        let in_order = |(place, relay): (u16, R)| {
            let relay = relay.into();
            Relay { priority: Some(relay.priority.unwrap_or(place)), ..relay }
        };
        Self(Kind::Relays((0..).zip(relays).map(in_order).collect()))
    }

    /// To these relays by turns, as their [weights](Relay::weight) say.
    pub fn round_robin<R: Into<Relay>>(relays: impl IntoIterator<Item = R>) -> Self {
        Self(Kind::Relays(relays.into_iter().map(Into::into).collect()))
    }

    /// To the servers of each recipient's domain, as the DNS names them.
    #[cfg(feature = "dns")]
    pub fn direct() -> Self {
        Self(Kind::Direct)
    }

    /// To the servers of each recipient's domain; and to a relay (another way) where none of those can be reached, or they don't
    /// take mail from us. A way that is direct itself adds nothing.
    #[cfg(feature = "dns")]
    pub fn direct_then(relay: impl Into<Self>) -> Self {
        match relay.into().0 {
            Kind::Relays(relays) => Self(Kind::DirectThen(relays)),
            direct => Self(direct),
        }
    }

    #[cfg(feature = "dns")]
    fn is_direct(&self) -> bool {
        !matches!(self.0, Kind::Relays(_))
    }

    #[cfg(not(feature = "dns"))]
    fn is_direct(&self) -> bool {
        false
    }
}

impl From<Options> for Way {
    fn from(options: Options) -> Self {
        Self::relay(options)
    }
}

impl From<Relay> for Way {
    fn from(relay: Relay) -> Self {
        Self::relay(relay)
    }
}

impl Relay {
    /// The server of `options`. How long a message may take is not said there, but by [`MailerOptions::deadline`].
    pub fn new(options: Options) -> Self {
        Self { options, priority: None, weight: 1, connections: None, rates: Vec::new(), pop_login: None }
    }

    /// The lowest goes first; a higher one is used while all lower ones have failed.
    #[must_use]
    pub fn priority(mut self, priority: u16) -> Self {
        self.priority = Some(priority);
        self
    }

    /// How often it has its turn among those of the same priority that have a connection to spare; 1 without this.
    #[must_use]
    pub fn weight(mut self, weight: u16) -> Self {
        self.weight = weight;
        self
    }

    /// Connections at a time.
    #[must_use]
    pub fn connections(mut self, connections: u32) -> Self {
        self.connections = Some(connections);
        self
    }

    /// No more messages than this go to it. May be said several times; all hold.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rates.push(rate);
        self
    }

    /// Log in by POP3 before the first connection, and again when that has expired.
    #[must_use]
    pub fn pop_login(mut self, login: PopLogin) -> Self {
        self.pop_login = Some(login);
        self
    }
}

impl From<Options> for Relay {
    fn from(options: Options) -> Self {
        Self::new(options)
    }
}

impl PopLogin {
    /// The server at `url`, with a user and a password: `pop3://user:password@host[:110]`, where TLS begins by STLS and is
    /// required, or `pop3s://user:password@host[:995]`. Both are percent-decoded. Whom TLS trusts is what the relay's
    /// [`Options`] say.
    ///
    /// # Errors
    ///
    /// `usage` if it is not of this form.
    pub fn new(url: &str) -> Result<Self, Error> {
        Ok(Self { log_in: LogIn::at(url)?, expires: Duration::from_secs(600) })
    }

    /// When TLS begins, in place of what the URL says.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.log_in.config.tls = tls;
        self
    }

    /// Sends the password although nobody has verified the server: everybody on the way can read it.
    #[must_use]
    pub fn dangerously_allow_plaintext_auth(mut self, allow: bool) -> Self {
        self.log_in.config.authentication.dangerously_allow_plaintext = allow;
        self
    }

    fn log_in(&self, traced: bool) -> LogIn {
        let mut log_in = self.log_in.clone();
        log_in.config.trace = traced;
        log_in
    }

    /// How long a log-in holds; 10 minutes without this.
    #[must_use]
    pub fn expires(mut self, expires: Duration) -> Self {
        self.expires = expires;
        self
    }
}

impl DirectOptions {
    /// Port 25, by STARTTLS where it is offered, verified or not; the system's name servers.
    pub fn new() -> Self {
        let nowhere = ServerAddress::Host(String::new(), 25);
        Self::like(Options::at(nowhere, Default::default(), Tls::Opportunistic))
    }

    /// The servers are spoken to as these options say, apart from the address, the credentials and the deadline.
    pub fn like(options: Options) -> Self {
        Self { options, port: 25, route: route::Config::default(), dns: None }
    }

    /// Changes how the servers are spoken to.
    #[must_use]
    pub fn session(mut self, change: impl FnOnce(Options) -> Options) -> Self {
        self.options = change(self.options);
        self
    }

    /// Where they listen: 25 without this, and outside of tests.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Asks this name server, in place of the system's.
    #[must_use]
    pub fn name_server(mut self, address: SocketAddr) -> Self {
        self.dns = Some(address);
        self
    }

    /// We are the server of this name: mail that would go to it has come round. So has mail that would go to the name by which
    /// we [introduce](Options::ehlo_name) ourselves.
    ///
    /// # Errors
    ///
    /// `address.syntax` if it is no name.
    pub fn self_name(mut self, name: &str) -> Result<Self, Error> {
        self.route.ourselves.add_name(&name.parse()?)?;
        Ok(self)
    }

    /// We are the server at this address.
    #[must_use]
    pub fn self_address(mut self, address: IpAddr) -> Self {
        self.route.ourselves.add_address(address);
        self
    }

    /// Which addresses are used.
    #[must_use]
    pub fn families(mut self, families: Families) -> Self {
        self.route.families = families;
        self
    }

    fn build(&self) -> Result<(Direct, Arc<Side>), Error> {
        let mut route = self.route.clone();
        if let Some(name) = self.options.ehlo.as_ref().and_then(|name| name.to_string().parse().ok()) {
            route.ourselves.add_name(&name)?;
        }
        if let Some(source) = self.options.source {
            route.families = if source.is_ipv6() { Families::V6 } else { Families::V4 };
        }
        let traced = self.options.trace.is_some() || logging::wants_dialogue();
        let direct = Direct {
            port: self.port,
            client: self.options.config(None, self.options.tls, Pipelining::Streaming, traced),
            ehlo: self.options.ehlo.clone(),
            route: route.into(),
        };
        Ok((direct, Side::new(self.options.clone(), false)))
    }
}

impl Default for DirectOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Puts together what the core wants to know of relays.
struct Builder {
    sides: HashMap<Arc<str>, Arc<Side>>,
    servers: Vec<Server>,
    usual: HostPolicy,
    connections: u32,
}

impl Builder {
    fn way(&mut self, way: &Way) -> Result<route::Way<Arc<Destination>>, Error> {
        Ok(match &way.0 {
            Kind::Relays(relays) => route::Way::Relay(self.destination(relays)?),
            #[cfg(feature = "dns")]
            Kind::Direct => route::Way::Direct,
            #[cfg(feature = "dns")]
            Kind::DirectThen(relays) => route::Way::DirectThenRelay(self.destination(relays)?),
        })
    }

    fn destination(&mut self, relays: &[Relay]) -> Result<Arc<Destination>, Error> {
        let for_core: Vec<_> = relays.iter().map(|relay| self.relay(relay)).collect::<Result<_, _>>()?;
        let destination = add_relays(&mut self.servers, for_core, false)?;
        for (relay, target) in relays.iter().zip(&destination.targets) {
            let tls_by_pop = relay.pop_login.as_ref().is_some_and(|login| login.log_in.config.tls != Tls::None);
            self.sides.insert(Arc::clone(&target.host), Side::new(relay.options.clone(), tls_by_pop));
        }
        Ok(destination)
    }

    fn relay(&self, relay: &Relay) -> Result<core::Relay, Error> {
        let options = &relay.options;
        let traced = options.trace.is_some() || logging::wants_dialogue();
        let mut client = options.config(None, options.tls, Pipelining::Streaming, traced);
        client.authentication = options.authentication()?;
        let policy = HostPolicy {
            quota: Quota {
                connections: relay.connections.unwrap_or(self.connections),
                rates: relay.rates.clone(),
                warm_up: self.usual.quota.warm_up,
            },
            without_tls: options.tls == Tls::Opportunistic,
            log_in_every: relay.pop_login.as_ref().map(|login| login.expires),
            ..self.usual.clone()
        };
        Ok(core::Relay {
            address: options.address.clone(),
            client,
            ehlo: options.ehlo.clone(),
            log_in: relay.pop_login.as_ref().map(|login| login.log_in(traced)),
            policy,
            priority: relay.priority,
            weight: relay.weight,
        })
    }
}
