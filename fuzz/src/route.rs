//! A route, through a DNS that says anything in any order.
//!
//! - It comes to its end, with no more look-ups than the bound, and stays so.
//! - Hosts are within the bounds, in the order of their preferences, and none of them is ourselves.
//! - What is asked is a name in its canonical form; what is told can't steer a terminal.
//! - The same answers give the same route; those that come twice, or were not asked for, change nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use arbitrary::Unstructured;
use okuru_core::delivery::route::{
    Answer, Config, Exchange, Families, Leniency, Limits, Output, Query, QueryId, Records, Resolution, Route, Verdict,
};
use okuru_core::dns::Name;

use crate::bytes::{byte, flag, pick, short, text};

const NAMES: [&str; 8] =
    ["d.test", "a.test", "B.Test.", "us.test", ".", "192.0.2.1", "[192.0.2.2]", "ex\u{e4}mple.test"];

/// Bounds, a domain, and answers.
pub fn run(data: &[u8]) {
    let mut from = Unstructured::new(data);
    let config = config(&mut from);
    let domain =
        pick(&mut from, &["d.test", "D.TEST", "[192.0.2.7]", "[IPv6:2001:db8::1]", "[x:y]", "ex\u{e4}mple.test"]);
    let domain = domain.parse().expect("it is a domain");
    let seed = [byte(&mut from); 8];
    let mut route = Route::new(&domain, config.clone().into(), seed);
    let mut again = route.clone();
    let (mut open, mut asked) = (Vec::new(), 0);
    let mut now = Duration::ZERO;
    for _ in 0..200 {
        let output = route.poll(now);
        assert_eq!(output, again.poll(now));
        match output {
            Output::Resolve(query) => {
                is_canonical(&query.name);
                asked += 1;
                open.push(query);
            }
            Output::Wait { deadline } => {
                assert!(!open.is_empty(), "it waits for nothing");
                if from.is_empty() {
                    now = deadline;
                    route.deadline_passed(now);
                    again.deadline_passed(now);
                    assert!(route.is_done());
                    continue;
                }
                let query: Query = open.swap_remove(usize::from(byte(&mut from)) % open.len());
                let answer = answer(&mut from);
                route.dns_answer(query.id, answer.clone());
                again.dns_answer(query.id, answer.clone());
                again.dns_answer(query.id, answer.clone());
                again.dns_answer(QueryId(1000), answer);
            }
            Output::Done(resolution) => {
                assert!(asked <= config.limits.look_ups);
                look_at(&resolution, &config);
                route.dns_answer(QueryId(0), Answer::new(Records::Failed));
                route.deadline_passed(Duration::MAX);
                assert_eq!(route.poll(Duration::MAX), Output::Done(resolution));
                return;
            }
        }
    }
    panic!("it does not end: {route:?}");
}

fn config(from: &mut Unstructured<'_>) -> Config {
    let mut config = Config {
        families: pick(from, &[Families::Both, Families::V4, Families::V6]),
        leniency: Leniency { alias_as_exchange: flag(from), address_as_exchange: flag(from) },
        limits: Limits {
            exchanges: pick(from, &[500, 3, 1, 0]),
            hosts: pick(from, &[10, 2, 1, 0]),
            addresses: pick(from, &[8, 2, 1, 0]),
            aliases: pick(from, &[8, 1, 0]),
            look_ups: pick(from, &[60, 5, 1, 0]),
        },
        ..Config::default()
    };
    if flag(from) {
        config.ourselves.add_name(&"US.test".parse().expect("it is a domain")).expect("it is in ASCII");
        config.ourselves.add_address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)));
    }
    config
}

fn name(from: &mut Unstructured<'_>) -> String {
    if flag(from) { pick(from, &NAMES).into() } else { text(from) }
}

fn address(from: &mut Unstructured<'_>) -> IpAddr {
    match byte(from) % 4 {
        0 => IpAddr::V4(Ipv4Addr::new(192, 0, 2, byte(from) % 16)),
        1 => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, short(from))),
        2 => IpAddr::V4(Ipv4Addr::from_bits(u32::from_be_bytes([byte(from), byte(from), byte(from), byte(from)]))),
        _ => IpAddr::V6(Ipv4Addr::new(192, 0, 2, byte(from)).to_ipv6_mapped()),
    }
}

fn answer(from: &mut Unstructured<'_>) -> Answer {
    let count = |from: &mut Unstructured<'_>| byte(from) % 8;
    let records = match byte(from) % 6 {
        0 => {
            let exchange = |from: &mut Unstructured<'_>| Exchange { preference: short(from) % 4, host: name(from) };
            Records::Exchanges((0..count(from)).map(|_| exchange(from)).collect())
        }
        1 => Records::Addresses((0..count(from)).map(|_| address(from)).collect()),
        2 => Records::Alias(name(from)),
        3 => Records::NoData,
        4 => Records::NxDomain,
        _ => Records::Failed,
    };
    let canonical_name = flag(from).then(|| name(from));
    Answer { records, canonical_name, authenticated: flag(from) }
}

fn is_canonical(name: &Name) {
    assert!(!name.as_str().chars().any(|c| c.is_control() || c.is_ascii_uppercase() || !c.is_ascii()));
    assert_eq!(name.as_str().parse().as_ref(), Ok(name));
}

fn look_at(resolution: &Resolution, config: &Config) {
    let hosts = resolution.hosts();
    assert_eq!(hosts.is_empty(), resolution.enhanced.is_some());
    assert_eq!(hosts.is_empty(), resolution.error().is_some());
    assert_eq!(matches!(resolution.verdict, Verdict::Hosts(_)), !hosts.is_empty());
    // A domain without MX records, and an address literal, are hosts without being among the best of many.
    assert!(hosts.len() <= config.limits.hosts.max(1));
    assert!(hosts.is_sorted_by_key(|host| host.preference));
    let owns = config.ourselves != Config::default().ourselves;
    for host in hosts {
        assert!((1..=config.limits.addresses).contains(&host.addresses.len()));
        assert_eq!(host.name.canonical().as_ref(), Ok(&host.name));
        let is_ours = host.name.as_str() == "us.test" || host.addresses.contains(&Ipv4Addr::new(192, 0, 2, 9).into());
        assert!(!(owns && is_ours), "{host:?}");
        for address in &host.addresses {
            assert!(!address.is_unspecified() && !address.is_multicast());
        }
    }
    let told = resolution.skipped.iter().flat_map(|it| [&it.name, &it.why]).chain([&resolution.reason]);
    for told in told {
        assert!(!told.chars().any(char::is_control), "{told:?}");
    }
    assert!(resolution.skipped.len() <= config.limits.exchanges + config.limits.hosts + 1);
}
