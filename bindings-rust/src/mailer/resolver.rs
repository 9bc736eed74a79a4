//! Asking the DNS, for whoever delivers directly.

use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::ready;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use okuru_core::delivery::route::{self, Resolution, Route};
use okuru_core::dns::{Answer, Exchange, Inquiry, Output, Query, QueryKind, Records};
use okuru_core::syntax::Domain;
use okuru_core::{Error, ErrorCode};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// Asks the DNS. Clones share what they remember.
///
/// An answer counts as authenticated where the name server says that it is, on this very machine: from elsewhere, anybody on
/// the way could have said so.
#[derive(Clone)]
pub struct Resolver {
    resolver: TokioResolver,
    is_trusted: bool,
}

impl Resolver {
    /// Asks the name servers that this system is configured with. This reads a file.
    ///
    /// # Errors
    ///
    /// `usage` if the system's configuration can't be read.
    pub fn system() -> Result<Self, Error> {
        let mut builder = TokioResolver::builder_tokio().map_err(|error| unusable(&error))?;
        builder.options_mut().use_hosts_file = ResolveHosts::Never;
        let resolver = builder.build().map_err(|error| unusable(&error))?;
        Ok(Self { resolver, is_trusted: false })
    }

    /// Asks this name server, which has to look up what it does not know.
    ///
    /// # Errors
    ///
    /// `usage` if that can't be set up.
    pub fn server(address: SocketAddr) -> Result<Self, Error> {
        let mut server = NameServerConfig::udp_and_tcp(address.ip());
        for connection in &mut server.connections {
            connection.port = address.port();
        }
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let mut builder = TokioResolver::builder_with_config(config, Default::default());
        builder.options_mut().use_hosts_file = ResolveHosts::Never;
        let resolver = builder.build().map_err(|error| unusable(&error))?;
        Ok(Self { resolver, is_trusted: address.ip().is_loopback() })
    }

    /// Makes a look-up of a machine.
    pub async fn look_up(&self, query: &Query) -> Answer {
        let Ok(mut name) = Name::from_labels(query.name.labels().map(str::as_bytes)) else {
            return Answer::new(Records::NxDomain);
        };
        name.set_fqdn(true);
        let kind = match query.kind {
            QueryKind::Mx => RecordType::MX,
            QueryKind::A => RecordType::A,
            QueryKind::Aaaa => RecordType::AAAA,
            QueryKind::Txt => RecordType::TXT,
            QueryKind::Ptr => RecordType::PTR,
        };
        match self.resolver.lookup(name.clone(), kind).await {
            Ok(found) => Answer {
                records: records(query.kind, found.answers()),
                canonical_name: canonical_name(&name, kind, found.answers()),
                authenticated: self.is_trusted && found.message().metadata.authentic_data,
            },
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => Answer::new(match none.response_code {
                ResponseCode::NXDomain => Records::NxDomain,
                ResponseCode::NoError => Records::NoData,
                _ => Records::Failed,
            }),
            Err(_) => Answer::new(Records::Failed),
        }
    }

    /// Finds the servers of a domain.
    pub async fn route(&self, domain: &Domain, config: Arc<route::Config>) -> Resolution {
        let mut random = [0; 8];
        // Without random numbers, servers of the same preference are tried in the same order each time.
        let _ = getrandom::fill(&mut random);
        self.settle(Route::new(domain, config, random)).await
    }

    /// Drives a machine that asks the DNS to its end.
    pub async fn settle<M: Inquiry>(&self, mut machine: M) -> M::Found {
        let clock = Instant::now();
        let mut asked = JoinSet::new();
        loop {
            match machine.poll(clock.elapsed()) {
                Output::Resolve(query) => {
                    let resolver = self.clone();
                    asked.spawn(async move { (query.id, resolver.look_up(&query).await) });
                }
                Output::Done(found) => return *found,
                Output::Wait { deadline } => {
                    // Beyond what the clock can say is never.
                    let end = clock.checked_add(deadline).unwrap_or(clock + Duration::from_secs(3600));
                    let answered = poll_fn(|context| match ready!(asked.poll_join_next(context)) {
                        Some(answered) => std::task::Poll::Ready(answered),
                        None => std::task::Poll::Pending,
                    });
                    match timeout_at(end, answered).await {
                        Ok(Ok((id, answer))) => machine.dns_answer(id, answer),
                        // The look-up has gone wrong; the machine gives up on it in time.
                        Ok(Err(_)) => {}
                        Err(_) => machine.deadline_passed(clock.elapsed().max(deadline)),
                    }
                }
            }
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

fn records(kind: QueryKind, found: &[Record]) -> Records {
    let records = match kind {
        QueryKind::Mx => Records::Exchanges(found.iter().filter_map(exchange).collect()),
        QueryKind::A | QueryKind::Aaaa => Records::Addresses(found.iter().filter_map(|it| it.data.ip_addr()).collect()),
        QueryKind::Txt => Records::Texts(found.iter().filter_map(text).collect()),
        QueryKind::Ptr => Records::Names(found.iter().filter_map(pointer).collect()),
    };
    let is_empty = match &records {
        Records::Exchanges(all) => all.is_empty(),
        Records::Addresses(all) => all.is_empty(),
        Records::Texts(all) => all.is_empty(),
        Records::Names(all) => all.is_empty(),
        _ => false,
    };
    if is_empty { Records::NoData } else { records }
}

fn text(record: &Record) -> Option<Vec<u8>> {
    match &record.data {
        RData::TXT(strings) => Some(strings.txt_data.concat()),
        _ => None,
    }
}

fn pointer(record: &Record) -> Option<String> {
    match &record.data {
        RData::PTR(name) => Some(name.to_ascii()),
        _ => None,
    }
}

fn exchange(record: &Record) -> Option<Exchange> {
    match &record.data {
        RData::MX(mx) => Some(Exchange { preference: mx.preference, host: mx.exchange.to_ascii() }),
        _ => None,
    }
}

/// The name that the records belong to, if that is not the one that was asked for.
fn canonical_name(asked: &Name, kind: RecordType, found: &[Record]) -> Option<String> {
    let owner = &found.iter().find(|record| record.record_type() == kind)?.name;
    (owner.to_lowercase() != asked.to_lowercase()).then(|| owner.to_ascii())
}

fn unusable(error: &NetError) -> Error {
    Error::new(ErrorCode::Usage, format!("the DNS can't be asked: {error}"))
}
