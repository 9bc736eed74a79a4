//! All that can be chosen, by name and as plain values: for hosts in languages that have keyword arguments or objects.
//!
//! The names are those of the command line, in `snake_case`, `camelCase` or `kebab-case`. A host keeps to itself what only
//! it can do (whom TLS trusts, proxies, sockets that are there already), hands everything else to
//! [`MailerOptions::new`], and gets what a [`Mailer`](crate::delivery::Mailer) is made from.
//!
//! | name | value |
//! |---|---|
//! | `server` | a URL ([`ServerUrl`](crate::client::ServerUrl)), or a list: each is used while those before it have failed. In place of a URL a table, with `url`, `priority`, `weight` and what else of this list is otherwise for that server |
//! | `round_robin` | flag: the servers are used by turns |
//! | `direct` | flag: to the servers of each recipient's domain |
//! | `fallback`, `direct_then_relay` | as `server`: the same, and there what none of those takes |
//! | `mx_port`, `self_address`, `self_name` | of direct delivery: the port, which is 25; addresses and names of our own |
//! | `connections` | to each server at a time, 1 if nothing is said; in all with `direct`, 256 |
//! | `messages_per_connection` | no bound if nothing is said; 100 with `direct` |
//! | `rate` | a text such as `100/m`, or several: no more than that, all servers together; in the table of a server, to that one |
//! | `retry_for`, `tries` | what was deferred is tried again: for so long, so often |
//! | `tls` | `none`, `opportunistic`, `starttls`, `implicit`; if nothing is said, what the URL says, `opportunistic` with `direct` |
//! | `tls_name` | the name that the certificate is for |
//! | `user`, `password`, `authzid` | who we are, and for whom we act |
//! | `token` | an OAuth token, or `true`: the host is asked whenever one is needed |
//! | `auth` | mechanisms, no others are used; `EXTERNAL` alone needs no password |
//! | `allow_plaintext_auth` | flag, dangerous: log in although nobody has verified the server |
//! | `try_all_mechanisms` | flag: the next one when one was refused |
//! | `ehlo` | what we call ourselves |
//! | `pipelining`, `chunking` | `none`, `message`, `session`, `streaming`; `auto`, `prefer`, `never` |
//! | `connect_timeout` | seconds or a text such as `30s`; told to the host, 30 s if nothing is said |
//! | `reply_timeout` | for each reply; one by one: `greeting_timeout`, `command_timeout`, `mail_timeout`, `rcpt_timeout`, `data_timeout`, `write_timeout`, `content_timeout`, `quit_timeout`, `tls_timeout` |
//! | `max_reply`, `max_reply_line`, `max_reply_lines` | octets of a reply, and of a line of it; lines of it |
//! | `in_flight_messages`, `in_flight_bytes`, `in_flight_bytes_per_second`, `in_flight_most_bytes` | what may be unanswered at `streaming` ([`InFlight`](crate::client::InFlight)) |
//! | `source_address` | told to the host; direct delivery then goes to addresses of its family only |
//! | `pop_before`, `pop_expires` | `pop3://user:password@host` ([`LogIn::at`](crate::delivery::mailer::LogIn::at)), for how long that holds |
//! | `trace` | flag: the dialogue is told |
//!
//! What can be said of single messages stands at [`MessageOptions`]; here it is said for all.

mod message;
mod server;
#[cfg(test)]
mod tests;
mod value;

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

pub use message::MessageOptions;
pub use value::Value;

use crate::client::Tls;
use crate::delivery::dispatcher::{self, Backoff, Destination, Retry};
use crate::delivery::mailer::{Config, Direct, Server, add_relays};
use crate::delivery::route::{self, Families, Policy, Way};
use crate::error::{Error, ErrorCode};
use crate::syntax::Domain;
use server::ServerOptions;
use value::in_option;

/// What is said of a mailer.
#[derive(Clone, Debug, Default)]
pub struct MailerOptions {
    servers: Vec<Value>,
    fallback: Vec<Value>,
    is_direct: bool,
    round_robin: bool,
    mx_port: Option<u16>,
    ourselves: route::Ourselves,
    common: ServerOptions,
    retry_for: Option<Duration>,
    tries: Option<u32>,
    connect_timeout: Option<Duration>,
    source_address: Option<IpAddr>,
    message: MessageOptions,
}

/// What it comes to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For the mailer. The name of this machine is still to be set.
    pub mailer: Config,
    /// What holds for messages that say nothing else.
    pub message: MessageOptions,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// Connect from there.
    pub source_address: Option<IpAddr>,
}

impl MailerOptions {
    /// Takes options by their names.
    ///
    /// # Errors
    ///
    /// `usage`, or what is wrong with an address or credentials, with the name of the option. No value is repeated in it.
    pub fn new<N: AsRef<str>>(options: impl IntoIterator<Item = (N, Value)>) -> Result<Self, Error> {
        let mut all = Self::default();
        set_all(options, |name, value| all.set(name, value))?;
        Ok(all)
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<bool, Error> {
        match name {
            "server" => self.servers = value.each().to_vec(),
            "fallback" | "direct_then_relay" => self.fallback = value.each().to_vec(),
            "direct" => self.is_direct = value.flag()?,
            "round_robin" => self.round_robin = value.flag()?,
            "mx_port" => self.mx_port = Some(value.small_count()?),
            "self_address" => {
                for address in value.each() {
                    self.ourselves.add_address(address.address()?);
                }
            }
            "self_name" => {
                for name in value.texts()? {
                    self.ourselves.add_name(&name.parse()?)?;
                }
            }
            "retry_for" => self.retry_for = Some(value.duration()?),
            "tries" => self.tries = Some(value.count()?),
            "connect_timeout" => self.connect_timeout = Some(value.duration()?),
            "source_address" => self.source_address = Some(value.address()?),
            name => return Ok(self.common.set(name, value)? || self.message.set(name, value)?),
        }
        Ok(true)
    }

    /// What it comes to.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), for what only shows when all has been said.
    pub fn settings(self) -> Result<Settings, Error> {
        let is_direct = self.is_direct || !self.fallback.is_empty();
        let mut servers = Vec::new();
        let way = match (is_direct, self.servers.is_empty(), self.fallback.is_empty()) {
            (true, false, _) => {
                return Err(usage("direct delivery uses no server; one to fall back to is the fallback"));
            }
            (true, true, true) => Way::Direct,
            (true, true, false) => Way::DirectThenRelay(self.relays("fallback", &self.fallback, &mut servers)?),
            (false, true, _) => return Err(usage("no server was named, and no direct delivery asked for")),
            (false, false, _) => Way::Relay(self.relays("server", &self.servers, &mut servers)?),
        };
        let mailer = Config {
            dispatcher: self.dispatcher(is_direct),
            policy: Policy::new(way),
            servers,
            direct: self.direct()?,
            host_name: String::new(),
        };
        Ok(Settings {
            mailer,
            message: self.message,
            connect_timeout: self.connect_timeout.unwrap_or(Duration::from_secs(30)),
            source_address: self.source_address,
        })
    }

    fn relays(&self, option: &str, places: &[Value], servers: &mut Vec<Server>) -> Result<Arc<Destination>, Error> {
        let mut usual = dispatcher::HostPolicy::default();
        if self.retry().is_none() {
            // Whoever sends again has changed something, or knows why.
            usual.rest = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(30), jitter: 20 };
        }
        let mut common = self.common.clone();
        common.rates.clear(); // for all together
        let relays = places.iter().map(|place| {
            let mut server = common.clone();
            let Value::Table(table) = place else {
                return server.relay(place.text()?, &usual);
            };
            let mut url = None;
            for (name, value) in table {
                let is_known = match canonical(name).as_str() {
                    "url" => value.text().map(|text| url = Some(text)).map(|()| true),
                    name => server.set_of_one(name, value),
                };
                known(name, is_known)?;
            }
            server.relay(url.ok_or_else(|| usage("a server has no url"))?, &usual)
        });
        let relays: Vec<_> = relays.collect::<Result<_, _>>().map_err(in_option(option))?;
        add_relays(servers, relays, !self.round_robin)
    }

    fn dispatcher(&self, is_direct: bool) -> dispatcher::Config {
        let mut config = match is_direct {
            true => dispatcher::Config::direct(),
            false => dispatcher::Config::relay(self.common.connections.unwrap_or(1)),
        };
        config.retry = self.retry();
        config.quota.rates = self.common.rates.clone();
        if is_direct {
            config.quota.connections = self.common.connections.unwrap_or(config.quota.connections);
            config.host.without_tls = self.tls_of_direct() == Tls::Opportunistic;
            config.host.messages_per_connection = self.common.most_messages(config.host.messages_per_connection);
        }
        config
    }

    /// Sooner than usual where there is little time.
    fn retry(&self) -> Option<Retry> {
        let usual = Retry::default();
        let within = self.retry_for.or(self.tries.map(|_| usual.within))?;
        let first = usual.backoff.first.min(within / 10).max(Duration::from_millis(200));
        let backoff = Backoff { first, ..usual.backoff };
        Some(Retry { backoff, within, tries: self.tries.unwrap_or(usual.tries), ..usual })
    }

    fn direct(&self) -> Result<Direct, Error> {
        let mut route = route::Config { ourselves: self.ourselves.clone(), ..route::Config::default() };
        if let Some(name) = self.common.ehlo.as_ref().and_then(|name| name.as_str().parse::<Domain>().ok()) {
            route.ourselves.add_name(&name)?;
        }
        if let Some(source) = self.source_address {
            route.families = if source.is_ipv6() { Families::V6 } else { Families::V4 };
        }
        Ok(Direct {
            port: self.mx_port.unwrap_or(25),
            client: self.common.client("", self.tls_of_direct()),
            ehlo: self.common.ehlo.clone(),
            route: route.into(),
        })
    }

    fn tls_of_direct(&self) -> Tls {
        self.common.tls.unwrap_or(Tls::Opportunistic)
    }
}

/// Sets each option by its name.
fn set_all<N: AsRef<str>>(
    options: impl IntoIterator<Item = (N, Value)>,
    mut set: impl FnMut(&str, &Value) -> Result<bool, Error>,
) -> Result<(), Error> {
    options.into_iter().try_for_each(|(name, value)| known(name.as_ref(), set(&canonical(name.as_ref()), &value)))
}

/// Says which option it was that is wrong, or is none.
fn known(name: &str, is_known: Result<bool, Error>) -> Result<(), Error> {
    match is_known {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::new(ErrorCode::Usage, format!("there is no option {name}"))),
        Err(error) => Err(in_option(name)(error)),
    }
}

/// `snake_case` for `camelCase` and `kebab-case`.
fn canonical(name: &str) -> String {
    let mut canonical = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            canonical.push('_');
        }
        canonical.push(if letter == '-' { '_' } else { letter.to_ascii_lowercase() });
    }
    canonical
}

fn usage(what: &'static str) -> Error {
    Error::new(ErrorCode::Usage, what)
}
