//! A DNS that is written down.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use okuru_core::dns::{Answer, Exchange, Query, QueryKind, Records};
use okuru_core::policy::spf::{Check, Config, Output, Request, Verdict};

/// Names in lower case, and what is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zone(pub(crate) HashMap<String, Vec<Entry>>);

/// Something at a name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    Text(String),
    Address(IpAddr),
    Exchange(u16, String),
    Pointer(String),
    Alias(String),
    /// Questions about what is not there are not answered.
    Timeout,
}

impl Zone {
    /// What a resolver says, which follows aliases.
    pub(crate) fn look_up(&self, query: &Query) -> Answer {
        let mut name = query.name.as_str().to_owned();
        for _ in 0..8 {
            let Some(entries) = self.0.get(&name) else {
                return Answer::new(Records::NxDomain);
            };
            match entries.iter().find_map(|entry| if let Entry::Alias(target) = entry { Some(target) } else { None }) {
                Some(target) => name = target.trim_end_matches('.').to_lowercase(),
                None => return Answer::new(records(query.kind, entries)),
            }
        }
        Answer::new(Records::Failed)
    }
}

fn records(kind: QueryKind, entries: &[Entry]) -> Records {
    let some = |pick: fn(&Entry) -> bool| entries.iter().any(pick);
    let found = match kind {
        QueryKind::Txt if some(|it| matches!(it, Entry::Text(_))) => {
            let text = |it: &Entry| if let Entry::Text(text) = it { Some(text.clone().into_bytes()) } else { None };
            Some(Records::Texts(entries.iter().filter_map(text).collect()))
        }
        QueryKind::A if some(|it| matches!(it, Entry::Address(IpAddr::V4(_)))) => {
            Some(addresses(entries, IpAddr::is_ipv4))
        }
        QueryKind::Aaaa if some(|it| matches!(it, Entry::Address(IpAddr::V6(_)))) => {
            Some(addresses(entries, IpAddr::is_ipv6))
        }
        QueryKind::Mx if some(|it| matches!(it, Entry::Exchange(..))) => {
            let exchange = |it: &Entry| match it {
                Entry::Exchange(preference, host) => Some(Exchange { preference: *preference, host: host.clone() }),
                _ => None,
            };
            Some(Records::Exchanges(entries.iter().filter_map(exchange).collect()))
        }
        QueryKind::Ptr if some(|it| matches!(it, Entry::Pointer(_))) => {
            let name = |it: &Entry| if let Entry::Pointer(name) = it { Some(name.clone()) } else { None };
            Some(Records::Names(entries.iter().filter_map(name).collect()))
        }
        _ => None,
    };
    match found {
        Some(found) => found,
        None if entries.contains(&Entry::Timeout) => Records::Failed,
        None => Records::NoData,
    }
}

fn addresses(entries: &[Entry], wanted: fn(&IpAddr) -> bool) -> Records {
    let address = |it: &Entry| if let Entry::Address(address) = it { Some(*address) } else { None };
    Records::Addresses(entries.iter().filter_map(address).filter(wanted).collect())
}

/// In which order answers come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Order {
    First,
    Last,
}

/// Runs a check in `zone`; gives its verdict, and how often it had to wait.
pub(crate) fn check(request: &Request, config: &Arc<Config>, zone: &Zone, order: Order) -> (Verdict, usize) {
    let mut check = Check::new(request.clone(), Arc::clone(config));
    let (mut open, mut turns) = (VecDeque::new(), 0);
    loop {
        match check.poll(Duration::ZERO) {
            Output::Resolve(query) => open.push_back(query),
            Output::Done(verdict) => return (*verdict, turns),
            Output::Wait { deadline } => {
                assert_eq!(deadline, config.timeout);
                turns += 1;
                assert!(!open.is_empty(), "it waits for nothing");
                // All that was asked at once is answered at once.
                while let Some(query) = if order == Order::First { open.pop_front() } else { open.pop_back() } {
                    check.dns_answer(query.id, zone.look_up(&query));
                    // A second answer to the same question is ignored.
                    check.dns_answer(query.id, Answer::new(Records::Failed));
                }
            }
        }
    }
}
