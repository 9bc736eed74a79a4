//! How much in what time.

use std::time::Duration;

use okuru_core::delivery::dispatcher::{Config, Destination, Quota, Rate, WarmUp};

use crate::fake::{Fake, MINUTE, SECOND, config};

fn at_most(rate: Rate) -> Quota {
    Quota { rates: vec![rate], ..Quota::default() }
}

/// When each of so many messages to these destinations goes, counted from the beginning.
fn moments(config: Config, destinations: &[Destination], count: u64) -> Vec<(u64, u64)> {
    let mut fake = Fake::new(config);
    let begin = fake.now;
    for id in 0..count {
        fake.submit(id, &destinations[id as usize % destinations.len()]);
    }
    let (mut moments, mut sessions) = (Vec::new(), 0);
    while moments.len() < count as usize {
        let said = fake.says();
        for word in said.split(", ").filter(|word| !word.is_empty()) {
            let mut words = word.split(' ');
            match words.next() {
                Some("open") => {
                    sessions += 1;
                    fake.ready(sessions);
                }
                Some("check") => {
                    let session = words.next().unwrap().parse().unwrap();
                    fake.checked(session);
                }
                Some("close") => {
                    let session = words.next().unwrap().parse().unwrap();
                    fake.quit(session);
                }
                Some("send") => {
                    let id = words.next().unwrap().parse().unwrap();
                    moments.push((id, (fake.now - begin).as_secs()));
                    fake.accept(id);
                }
                _ => {}
            }
        }
        if said.is_empty() {
            fake.wait();
        }
    }
    moments
}

#[test]
fn in_all() {
    let config = Config { quota: at_most(Rate::per_minute(20)), ..config(5) };
    let hosts = ["a", "b", "c"].map(Destination::host);
    let moments = moments(config, &hosts, 7);
    assert_eq!(moments.iter().map(|(_, at)| *at).collect::<Vec<_>>(), [0, 3, 6, 9, 12, 15, 18]);
}

#[test]
fn for_a_host() {
    let mut config = config(5);
    config.host.quota.rates = vec![Rate { burst: 2, ..Rate::per_minute(4) }];
    // Two destinations by the same host take turns; a third has its own.
    let shared = ["a", "b"].map(|name| Destination::failover(name, ["big"]));
    let [one, two] = shared;
    let moments = moments(config, &[one, two, Destination::host("c")], 9);
    let of = |rest: u64| moments.iter().filter(move |(id, _)| id % 3 == rest).map(|(_, at)| *at).collect::<Vec<_>>();
    assert_eq!(of(2), [0, 0, 20]);
    let mut both = [of(0), of(1)].concat();
    both.sort_unstable();
    assert_eq!(both, [0, 0, 20, 40, 60, 80]);
    assert!(of(0)[1] < 60 && of(1)[1] < 60, "{moments:?}");
}

#[test]
fn for_a_destination() {
    let config = Config { destination: at_most(Rate::per_second(1)), ..config(5) };
    let [slow, other] = ["a", "b"].map(|name| Destination::failover(name, ["big"]));
    assert_eq!(moments(config, &[slow, other], 4), [(0, 0), (1, 0), (2, 1), (3, 1)]);
}

#[test]
fn one_for_itself() {
    let mut fake = Fake::new(config(5));
    fake.dispatcher.set_destination("slow", at_most(Rate::per_minute(1)));
    let [slow, other] = ["slow", "other"].map(|name| Destination::failover(name, ["big"]));
    for id in 0..2 {
        fake.submit(id, &slow);
        fake.submit(id + 2, &other);
    }
    fake.says();
    fake.ready(1).ready(2).ready(3);
    assert_eq!(fake.says().matches("send").count(), 3);
    assert_eq!(fake.deadline, Some(fake.now + MINUTE));
}

#[test]
fn warming_up() {
    let day = Duration::from_secs(24 * 60 * 60);
    let warm_up = Some(WarmUp { first: 2, growth: 150, until: 100, day });
    let config = Config { quota: Quota { warm_up, ..Quota::default() }, ..config(5) };
    let moments = moments(Config { retry: None, ..config }, &[Destination::host("mx")], 12);
    let days: Vec<_> = moments.iter().map(|(_, at)| at / day.as_secs()).collect();
    assert_eq!(days, [0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3]);
}

#[test]
fn too_much_halves_the_connections_and_they_creep_up_again() {
    let mut fake = Fake::new(config(8));
    let relay = Destination::host("mx");
    (0..400).for_each(|id| fake.submit(id, &relay));
    fake.says();
    for session in 1..=8 {
        fake.ready(session);
    }
    assert_eq!(fake.says().matches("send").count(), 8);
    fake.later(SECOND);
    // Two complaints about what was begun at the same time are one.
    fake.answer(0, &["450 4.7.1 Too many connections"]).answer(1, &["450 4.7.1 Too many connections"]);
    let said = fake.says();
    assert!(said.starts_with("mx slowed to 4"), "{said}");
    assert_eq!(said.matches("slowed").count(), 1);
    let before = fake.dispatcher.metrics();
    assert_eq!(before.deferred, 2);
    // No more than 4 are opened, and there is some time between messages.
    assert!(fake.deadline.unwrap() <= fake.now + SECOND);
}

#[test]
fn nothing_is_opened_before_it_is_allowed() {
    let config = Config { quota: at_most(Rate::per_minute(1)), ..config(1) };
    let mut fake = Fake::new(config);
    (0..2).for_each(|id| fake.submit(id, &Destination::host("mx")));
    assert_eq!(fake.goes(), "send 0 by 1");
    assert_eq!(fake.accept(0).says(), "0 accepted");
    assert_eq!(fake.wait().says(), "close 1");
    assert_eq!(fake.quit(1).says(), "");
    assert_eq!(fake.wait().says(), "open 2 mx");
    assert_eq!(fake.now, SECOND * 1000 + MINUTE);
}
