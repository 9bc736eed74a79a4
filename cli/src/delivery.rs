//! Which way messages go, as the command line or a configuration says.

use std::time::Duration;

use okuru::mailer::{Backoff, DirectOptions, Event, MailerOptions, PopLogin, Relay, Retry, Way};
use okuru::{Chunking, Options, Pipelining, Tls};
use okuru_core::pop3;

use crate::arguments::{MailerArguments, WayArguments};
use crate::connection::{self, log_in};
use crate::envelope::in_option;
use crate::exit::{Failure, usage};
use crate::trace::{Tracer, pop3_line};

/// Which way messages go, and how.
#[derive(Clone, Copy)]
pub(crate) struct Delivery<'a> {
    pub(crate) way: &'a WayArguments,
    pub(crate) pipelining: Pipelining,
    pub(crate) chunking: Chunking,
    pub(crate) deadline: Option<Duration>,
    pub(crate) tracer: Option<&'a Tracer>,
}

impl Delivery<'_> {
    /// Whether one connection to one server does not do.
    pub(crate) fn wants_mailer(&self) -> bool {
        let MailerArguments { direct, direct_then_relay, connections, rate, retry_for, pop_before, resume, .. } =
            &self.way.mailer;
        *direct
            || direct_then_relay.is_some()
            || connections.is_some()
            || rate.is_some()
            || retry_for.is_some()
            || pop_before.is_some()
            || resume.is_some()
            || self.way.server.len() > 1
    }

    /// The one server.
    pub(crate) fn options(&self) -> Result<Options, Failure> {
        self.relay(self.way.server.first().map_or("", String::as_str))
    }

    /// Many connections, or many servers.
    pub(crate) fn mailer_options(&self) -> Result<MailerOptions, Failure> {
        let asked = &self.way.mailer;
        let mut options = MailerOptions::new(self.ways()?);
        if asked.direct || asked.direct_then_relay.is_some() {
            options = options.direct(self.direct()?);
        } else {
            options = options.connections(1);
        }
        if let Some(connections) = asked.connections {
            options = options.connections(connections);
        }
        if let Some(rate) = asked.rate {
            options = options.rate(rate);
        }
        if let Some(within) = asked.retry_for {
            options = options.retry(retry(within));
        }
        if let Some(deadline) = self.deadline {
            options = options.deadline(deadline);
        }
        if let Some(tracer) = self.tracer.cloned() {
            options = options.observe(move |event| {
                if let Event::LogIn { event: pop3::Event::Trace(trace), .. } = event {
                    tracer(&pop3_line(trace));
                }
            });
        }
        Ok(options)
    }

    fn ways(&self) -> Result<Way, Failure> {
        let asked = &self.way.mailer;
        if asked.direct {
            return match asked.pop_before {
                Some(_) => Err(usage("--pop-before needs a server to send by, which --direct has not")),
                None => Ok(Way::direct()),
            };
        }
        let urls = match &asked.direct_then_relay {
            Some(url) => std::slice::from_ref(url),
            None => &self.way.server,
        };
        let mut relays = Vec::new();
        for url in urls {
            let mut relay = Relay::new(self.relay(url)?);
            if let Some(url) = &asked.pop_before {
                let login = PopLogin::new(url).map_err(in_option("--pop-before"))?;
                relay = relay.pop_login(login.dangerously_allow_plaintext_auth(self.way.login.allow_plaintext_auth));
            }
            relays.push(relay);
        }
        Ok(match (&asked.direct_then_relay, asked.round_robin) {
            (Some(_), _) => Way::direct_then(Way::relays(relays)),
            (None, true) => Way::round_robin(relays),
            (None, false) => Way::relays(relays),
        })
    }

    /// A server that takes mail for everybody.
    fn relay(&self, url: &str) -> Result<Options, Failure> {
        let options = connection::options(url, &self.way.connection, self.tracer)?;
        let options = self.transferring(log_in(options, &self.way.login)?);
        Ok(match self.deadline {
            Some(deadline) => options.deadline(deadline),
            None => options,
        })
    }

    fn direct(&self) -> Result<DirectOptions, Failure> {
        let connection = &self.way.connection;
        // The address is that of each server; only what stands beside it counts.
        let options = connection::options("smtp://localhost", connection, self.tracer)?;
        let tls = connection.tls.map_or(Tls::Opportunistic, Into::into);
        let mut direct = DirectOptions::like(self.transferring(options.tls(tls)));
        let asked = &self.way.mailer;
        if let Some(port) = asked.mx_port {
            direct = direct.port(port);
        }
        if let Some(address) = asked.dns.dns {
            direct = direct.name_server(address);
        }
        for address in &asked.dns.self_address {
            direct = direct.self_address(*address);
        }
        Ok(direct)
    }

    fn transferring(&self, options: Options) -> Options {
        options.pipelining(self.pipelining).chunking(self.chunking)
    }
}

/// Sooner than usual where there is little time.
fn retry(within: Duration) -> Retry {
    let usual = Retry::default();
    let first = usual.backoff.first.min(within / 10).max(Duration::from_millis(200));
    Retry { backoff: Backoff { first, ..usual.backoff }, within, ..usual }
}
