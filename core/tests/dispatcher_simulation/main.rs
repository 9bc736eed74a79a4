//! Many messages to many servers, in virtual time: servers that defer, stall, greylist, die and come back.
//!
//! Each run prints its seed; `OKURU_SEED=n` runs that one again.

mod books;
mod random;
mod server;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use okuru_core::client::{MessageId, State};
use okuru_core::delivery::Dispatcher;
use okuru_core::delivery::dispatcher::{
    Backoff, Capacity, Config, Destination, Group, HostPolicy, Parcel, Quota, Rate, Retry, Target, Way,
};

use books::check_rate;
use random::Random;
use server::{Nature, Server};
use world::World;

const SECOND: Duration = Duration::from_secs(1);

/// What the user does, beside sending.
#[derive(Clone, Copy, Default)]
struct Habits {
    allows_duplicates: bool,
    /// After about so many steps the dispatcher is stopped, and another goes on from its snapshot.
    interrupts: u64,
}

/// How large a run is.
#[derive(Clone, Copy)]
struct Size {
    messages: u64,
    domains: u64,
}

#[test]
fn a_hundred_thousand_messages_to_a_thousand_domains() {
    for seed in seeds(1) {
        run(seed, Size { messages: 100_000, domains: 1000 }, Habits::default());
    }
}

#[test]
fn worlds_that_are_stopped_and_go_on() {
    for seed in seeds(20) {
        run(seed, Size { messages: 1000, domains: 25 }, Habits { interrupts: 1000, ..Habits::default() });
    }
}

#[test]
fn many_small_worlds() {
    for seed in seeds(40) {
        run(seed, Size { messages: 1000, domains: 25 }, Habits { allows_duplicates: seed % 4 == 0, interrupts: 0 });
    }
}

fn seeds(count: u64) -> std::ops::Range<u64> {
    let given = std::env::var("OKURU_SEED").ok().and_then(|seed| seed.parse().ok());
    given.map_or(1..count + 1, |seed: u64| seed..seed + 1)
}

fn config(allows_duplicates: bool) -> Config {
    Config {
        quota: Quota { connections: 150, rates: vec![Rate { burst: 20, ..Rate::per_second(400) }], warm_up: None },
        host: HostPolicy {
            quota: Quota { connections: 8, rates: vec![Rate { burst: 40, ..Rate::per_minute(1200) }], warm_up: None },
            messages_per_connection: 50,
            idle: SECOND * 30,
            ..HostPolicy::default()
        },
        destination: Quota { connections: 4, rates: vec![Rate { burst: 10, ..Rate::per_minute(900) }], warm_up: None },
        retry: Some(Retry {
            backoff: Backoff { first: SECOND * 330, most: SECOND * 3600, jitter: 20 },
            tries: 12,
            within: SECOND * 3600 * 12,
            duplicates_are_acceptable: allows_duplicates,
        }),
        capacity: Capacity { ready: 5000, ready_per_destination: 100, deliveries: 40_000, destinations: 10_000 },
        route_age: None,
    }
}

/// The hosts of each domain. Some big ones are shared by many.
fn hosts_of(domain: u64, random: &mut Random) -> Vec<Target> {
    let count = 1 + random.below(3);
    (0..count)
        .map(|index| {
            let host = match random.per_cent(20) {
                true => format!("big{}", random.below(5)),
                false => format!("mx{index}.d{domain}"),
            };
            Target { priority: random.below(2) as u16, weight: 1 + random.below(3) as u16, ..Target::new(host) }
        })
        .collect()
}

fn run(seed: u64, size: Size, habits: Habits) {
    println!("OKURU_SEED={seed}: {} messages, {} domains", size.messages, size.domains);
    let mut random = Random::new(seed);
    let mut servers = BTreeMap::new();
    let destinations: Vec<_> = (0..size.domains)
        .map(|domain| {
            let mut targets = hosts_of(domain, &mut random);
            targets.sort_by(|one, other| one.host.cmp(&other.host));
            targets.dedup_by(|one, other| one.host == other.host);
            for target in &targets {
                let host = target.host.to_string();
                let is_big = host.starts_with("big");
                let nature = match is_big {
                    true => Nature { pace: 10, ..Nature::default() },
                    false => Nature::draw(&mut random),
                };
                servers.entry(host).or_insert_with(|| Server::new(nature));
            }
            Arc::new(Destination { name: format!("d{domain}").into(), targets, fallback: None })
        })
        .collect();
    let config = config(habits.allows_duplicates);
    let mut world = World::new(Dispatcher::new(config.clone(), seed), servers, random);
    world.books.allows_duplicates = habits.allows_duplicates;
    let mut submitted = BTreeMap::new();
    let mut most_held = 0;
    loop {
        while (submitted.len() as u64) < size.messages && world.dispatcher.wants_message() {
            let id = submitted.len() as u64;
            submitted.insert(id, world.now);
            submit(&mut world, id, &destinations);
        }
        if submitted.len() as u64 == size.messages {
            world.dispatcher.finish();
        }
        if habits.interrupts > 0 && world.random.below(habits.interrupts) == 0 {
            world.dispatcher.stop();
        }
        world.drain();
        let metrics = world.dispatcher.metrics();
        most_held = most_held.max(metrics.queued + metrics.in_flight + metrics.deferred);
        if world.is_done && (world.books.outcomes.len() as u64) < size.messages {
            go_on(&mut world, &config, seed);
            continue;
        }
        if world.is_done {
            break;
        }
        assert!(world.outputs < size.messages * 100, "at {:?} it is busy without getting on: {metrics:?}", world.now);
        // A user changes his mind.
        if world.random.below(2000) == 0 {
            let id = world.random.below(size.messages);
            world.dispatcher.cancel(world.now, MessageId(id));
        } else {
            assert!(world.step(), "nothing will ever happen, and messages are left: {metrics:?}");
        }
    }
    world.books.check_outcomes(size.messages);
    assert!(world.sessions.is_empty(), "all sessions are closed");
    assert!(most_held <= config.capacity.deliveries + 2, "{most_held} deliveries held");
    check_rates(&world, &config);
    if habits.interrupts == 0 {
        let looked_at = check_fairness(&world, &submitted, &destinations);
        assert!(looked_at > 0 || size.domains < 100, "there are domains in order");
    }
    let metrics = world.dispatcher.metrics();
    let count = |state| world.books.outcomes.values().flatten().filter(|it| **it == state).count() as u64;
    assert_eq!(metrics.totals.accepted, count(State::Accepted));
    assert_eq!((metrics.messages, metrics.queued, metrics.in_flight, metrics.deferred), (0, 0, 0, 0));
    assert!(metrics.totals.accepted > size.messages / 2, "{metrics:?}");
    println!("  {:?} virtual, {} steps, {metrics:?}", world.now, world.outputs);
}

/// Another dispatcher goes on, some time later.
fn go_on(world: &mut World, config: &Config, seed: u64) {
    let before = world.dispatcher.metrics();
    let snapshot = world.dispatcher.snapshot(world.now);
    let away = SECOND * world.random.below(1000) as u32;
    world.now += away;
    world.is_done = false;
    world.dispatcher = Dispatcher::new(config.clone(), seed + 1);
    let envelopes: BTreeMap<_, _> = [1, 2, 3, 4].map(|count| (count, world.envelope(count))).into();
    let count = |id: MessageId| world.domains.range((id.0, 0)..(id.0 + 1, 0)).count();
    world.dispatcher.restore(world.now, away, &snapshot, |id| envelopes.get(&count(id)).cloned()).unwrap();
    let after = world.dispatcher.metrics();
    assert_eq!((before.messages, before.deferred, before.totals), (after.messages, after.deferred, after.totals));
    assert_eq!((before.queued, before.in_flight), (after.queued, 0));
}

fn submit(world: &mut World, id: u64, destinations: &[Arc<Destination>]) {
    let count = destinations.len() as u64;
    // Some domains have more than their share.
    let draw = |random: &mut Random| match random.per_cent(30) {
        true => random.below(5.min(count)),
        false => random.below(count),
    };
    let first = draw(&mut world.random);
    let mut domains = vec![first; 1 + world.random.below(3) as usize];
    if world.random.per_cent(10) {
        domains.push(draw(&mut world.random));
    }
    let mut groups: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for (domain, recipient) in domains.iter().zip(0..) {
        groups.entry(*domain).or_default().push(recipient);
        world.domains.insert((id, recipient), format!("d{domain}"));
    }
    let groups = groups
        .into_iter()
        .map(|(domain, recipients)| Group { recipients, way: Way::To(Arc::clone(&destinations[domain as usize])) });
    let parcel =
        Parcel { id: MessageId(id), envelope: world.envelope(domains.len()), groups: groups.collect(), deadline: None };
    world.dispatcher.submit(world.now, parcel).unwrap();
}

fn check_rates(world: &World, config: &Config) {
    check_rate(&world.books.sends, config.quota.rates[0], "all");
    for (host, sends) in &world.books.sends_by_host {
        check_rate(sends, config.host.quota.rates[0], host);
    }
    for (domain, sends) in &world.books.sends_by_domain {
        check_rate(sends, config.destination.rates[0], domain);
    }
    assert!(world.most_sessions <= config.quota.connections as usize, "{} connections", world.most_sessions);
    for (host, most) in &world.most_sessions_by_host {
        assert!(*most <= config.host.quota.connections, "{most} connections to {host}");
    }
}

/// Where all hosts of a domain are in order and its own, and it has no more than its share, nothing waits for long, though
/// slow servers would take all connections for hours.
fn check_fairness(world: &World, submitted: &BTreeMap<u64, Duration>, destinations: &[Arc<Destination>]) -> u64 {
    let is_fine = |destination: &Destination| {
        let is_own = |host: &str| !host.starts_with("big");
        let is_fine = |host: &str| is_own(host) && world.servers[host].nature.is_healthy();
        destination.targets.iter().all(|target| is_fine(&target.host))
    };
    let fine: BTreeMap<_, _> = destinations.iter().map(|it| (it.name.to_string(), is_fine(it))).collect();
    let mut longest = Duration::ZERO;
    let mut looked_at = 0;
    for ((message, domain), sent) in &world.first_sends {
        let is_small = domain[1..].parse::<u64>().unwrap() >= 5;
        if fine[domain] && is_small {
            looked_at += 1;
            longest = longest.max(*sent - submitted[message]);
        }
    }
    println!("  {looked_at} messages of small domains in order: the longest wait was {longest:?}");
    assert!(longest < SECOND * 60, "{longest:?}");
    looked_at
}
