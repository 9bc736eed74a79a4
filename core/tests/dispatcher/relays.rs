//! Several hosts for the same messages.

use okuru_core::ErrorCode;
use okuru_core::delivery::dispatcher::{Config, Destination, Target};

use crate::fake::{Fake, SECOND, config, failure};

fn failover() -> Destination {
    Destination::failover("relays", ["first", "second"])
}

#[test]
fn the_second_is_used_while_the_first_has_failed() {
    let mut fake = Fake::new(config(1));
    (0..3).for_each(|id| fake.submit(id, &failover()));
    assert_eq!(fake.says(), "open 1 first");
    assert_eq!(fake.fail(1, ErrorCode::ConnectRefused).says(), "first rests 30s, open 2 second");
    assert_eq!(fake.ready(2).says(), "send 0 by 2");
    assert_eq!(fake.accept(0).says(), "0 accepted, send 1 by 2");
    // When it has rested, one message tries it. The others don't wait for that.
    (3..6).for_each(|id| fake.submit(id, &failover()));
    assert_eq!(fake.later(SECOND * 30).says(), "open 3 first");
    assert_eq!(fake.accept(1).says(), "1 accepted, send 2 by 2");
    assert_eq!(fake.ready(3).says(), "send 3 by 3");
    assert_eq!(fake.wants_more(3).says(), "", "just one");
    assert_eq!(fake.accept(2).says(), "2 accepted, send 4 by 2");
    assert_eq!(fake.accept(3).says(), "first works, 3 accepted, send 5 by 3");
}

#[test]
fn a_host_that_fails_again_rests_longer() {
    let mut fake = Fake::new(config(5));
    let relay = Destination::host("mx");
    fake.submit(0, &relay);
    assert_eq!(fake.says(), "open 1 mx");
    for (session, rest) in [(1, 30), (2, 60), (3, 120), (4, 240)] {
        assert_eq!(fake.later(SECOND).fail(session, ErrorCode::ConnectRefused).says(), format!("mx rests {rest}s"));
        (0..20).for_each(|id| fake.submit(session as u64 * 100 + id, &relay));
        assert_eq!(fake.says(), "", "nobody knocks");
        assert_eq!(fake.wait().says(), format!("open {} mx", session + 1), "one tries");
        assert_eq!(fake.says(), "");
    }
    assert_eq!(fake.ready(5).says(), "send 0 by 5 again 5");
    let said = fake.accept(0).says();
    assert!(said.starts_with("mx works, 0 accepted, send 100 by 5 again 4, open 6 mx"), "{said}");
}

#[test]
fn connections_that_fail_together_fail_once() {
    let mut fake = Fake::new(config(3));
    (0..3).for_each(|id| fake.submit(id, &Destination::host("mx")));
    assert_eq!(fake.says(), "open 1 mx, open 2 mx, open 3 mx");
    let code = ErrorCode::ConnectRefused;
    assert_eq!(fake.later(SECOND).fail(1, code).fail(2, code).fail(3, code).says(), "mx rests 30s");
}

#[test]
fn a_connection_that_fails_beside_others_only_shows_the_limit() {
    let mut fake = Fake::new(config(3));
    (0..6).for_each(|id| fake.submit(id, &Destination::host("mx")));
    fake.says();
    assert_eq!(fake.ready(1).ready(2).says(), "send 0 by 2, send 1 by 1");
    assert_eq!(fake.fail_with(3, failure(ErrorCode::ReplyClosing, Some("421 Too many"))).says(), "mx slowed to 2");
    assert_eq!(fake.accept(0).says(), "0 accepted, send 2 by 2");
}

#[test]
fn equals_take_turns_and_weights_are_shares() {
    let share = |weights: [u16; 2]| {
        let mut destination = Destination::round_robin("relays", ["a", "b"]);
        destination.targets.iter_mut().zip(weights).for_each(|(target, weight)| target.weight = weight);
        let mut fake = Fake::new(Config { retry: None, ..config(1) });
        let mut counts = [0, 0];
        let mut hosts = Vec::new();
        for id in 0..80 {
            fake.submit(id, &destination);
            let mut said = fake.says();
            if let Some(host) = said.strip_prefix("open ").and_then(|it| it.split(' ').nth(1)) {
                hosts.push(host.to_owned());
                said = fake.ready(hosts.len()).says();
            }
            let session: usize = said.rsplit(' ').next().unwrap().parse().unwrap();
            counts[usize::from(hosts[session - 1] == "b")] += 1;
            fake.accept(id).says();
        }
        counts
    };
    assert_eq!(share([1, 1]), [40, 40]);
    assert_eq!(share([3, 1]), [60, 20]);
    assert_eq!(share([0, 7]), [10, 70]);
}

#[test]
fn a_message_that_is_deferred_as_a_whole_goes_to_the_next_host_at_once() {
    let mut fake = Fake::new(config(1));
    fake.submit(0, &failover());
    fake.says();
    fake.ready(1).says();
    assert_eq!(fake.refuse(0, "452 4.3.1 Disk full").says(), "open 2 second");
    assert_eq!(fake.ready(2).says(), "send 0 by 2");
    assert_eq!(fake.refuse(0, "451 4.3.0 Not now").says(), "", "both have said no");
    assert_eq!(fake.tried.iter().map(|tried| tried.attempt).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(fake.later(SECOND * 600).goes(), "send 0 by 3 again 2");
}

#[test]
fn a_recipient_that_is_deferred_is_not_offered_to_the_next_host() {
    let mut fake = Fake::new(config(1));
    fake.submit(0, &failover());
    fake.says();
    fake.ready(1).says();
    assert_eq!(fake.answer(0, &["450 4.7.1 Greylisted"]).says(), "");
    assert!(fake.tried[0].greylisted);
    assert_eq!(fake.tried[0].again, Some(fake.now + SECOND * 600));
}

#[test]
fn a_refusal_of_the_session_is_final_only_if_all_hosts_say_it() {
    let mut fake = Fake::new(config(1));
    (0..2).for_each(|id| fake.submit(id, &failover()));
    fake.says();
    let refused = || failure(ErrorCode::AuthRefused, Some("535 5.7.8 Wrong password"));
    assert_eq!(fake.fail_with(1, refused()).says(), "first rests 30s, open 2 second");
    assert_eq!(fake.fail_with(2, refused()).says(), "second rests 30s, 0 rejected, 1 rejected");
    assert_eq!(fake.outcomes[0].error.as_ref().unwrap().code(), ErrorCode::AuthRefused);
    assert_eq!(fake.outcomes[0].recipients[0].reply.as_ref().unwrap().code(), 535);
}

#[test]
fn more_hosts_than_can_be_looked_at_do_no_harm() {
    let mut fake = Fake::new(config(1));
    let targets = (0..200).map(|index| Target { priority: index, ..Target::new(format!("mx{index}")) }).collect();
    fake.submit(0, &Destination { name: "many".into(), targets, fallback: None });
    for session in 1..=64 {
        assert_eq!(fake.says(), format!("open {session} mx{}", session - 1));
        fake.fail(session, ErrorCode::ConnectRefused);
        assert!(matches!(fake.dispatcher.poll(fake.now), okuru_core::delivery::dispatcher::Output::Event(_)));
    }
    assert_eq!(fake.says(), "");
}
