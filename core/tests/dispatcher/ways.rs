//! Where messages go is not always known, nor always the same.

use std::sync::Arc;

use okuru_core::client::State;
use okuru_core::delivery::dispatcher::{Config, Destination, Target, Unrouted};
use okuru_core::{Error, ErrorCode};

use crate::fake::{Fake, MINUTE, SECOND, config, failure};

fn direct_then_relay() -> Destination {
    Destination { fallback: Some(Arc::new(Destination::host("relay"))), ..Destination::failover("example.org", ["mx"]) }
}

#[test]
fn what_cannot_be_reached_directly_goes_by_the_relay() {
    let mut fake = Fake::new(config(1));
    (0..2).for_each(|id| fake.submit(id, &direct_then_relay()));
    fake.says();
    let said = fake.fail(1, ErrorCode::ConnectRefused).says();
    assert_eq!(said, "mx rests 30s, 0 from example.org to relay, open 2 relay, 1 from example.org to relay");
    assert_eq!(fake.ready(2).says(), "send 0 by 2");
    assert_eq!(fake.accept(0).says(), "0 accepted, send 1 by 2");
    // The relay is the last resort.
    fake.answer(1, &["550 5.7.1 Refused"]);
    assert_eq!(fake.says(), "1 rejected");
}

#[test]
fn a_sender_that_is_refused_by_policy_goes_by_the_relay() {
    let mut fake = Fake::new(config(1));
    fake.submit_to(0, &[(&[0, 1, 2, 3], &direct_then_relay())]);
    fake.says();
    fake.ready(1).says();
    fake.answer(0, &["250 Ok", "550 5.7.1 You are on a list", "550 5.1.1 Nobody", "450 4.2.0 Later"]);
    assert_eq!(fake.says(), "0 from example.org to relay, open 2 relay");
    assert_eq!(fake.ready(2).says(), "send 0 to [1] by 2");
    assert_eq!(fake.accept(0).says(), "");
    assert_eq!(fake.later(MINUTE * 10).goes(), "send 0 to [3] by 3 again 2");
    assert_eq!(fake.accept(0).says(), "0 accepted accepted rejected accepted");
}

#[test]
fn the_hosts_of_a_destination_are_asked_for_when_they_are_needed() {
    let mut fake = Fake::new(config(1));
    let unknown = Destination { name: "example.org".into(), targets: Vec::new(), fallback: None };
    (0..2).for_each(|id| fake.submit(id, &unknown));
    assert_eq!(fake.says(), "route example.org");
    assert_eq!(fake.later(SECOND).says(), "", "once");
    fake.dispatcher.routed(fake.now, "example.org", Ok(&[Target::new("mx")]));
    assert_eq!(fake.says(), "open 1 mx");
    fake.dispatcher.routed(fake.now, "example.com", Ok(&[Target::new("mx")]));
    assert_eq!(fake.ready(1).says(), "send 0 by 1");
}

#[test]
fn no_such_domain_refuses_and_a_failure_to_look_is_tried_again() {
    let mut fake = Fake::new(config(1));
    let [one, two] =
        ["no.example", "later.example"].map(|name| Destination { targets: Vec::new(), ..Destination::host(name) });
    fake.submit(0, &one);
    fake.submit(1, &two);
    assert_eq!(fake.says(), "route no.example, route later.example");
    let unrouted = |state, code| Err(Unrouted { state, error: Error::new(code, "it was not found") });
    fake.dispatcher.routed(fake.now, "no.example", unrouted(State::Rejected, ErrorCode::DnsNoSuchHost));
    fake.dispatcher.routed(fake.now, "later.example", unrouted(State::Deferred, ErrorCode::DnsTemporary));
    assert_eq!(fake.says(), "0 rejected");
    assert_eq!(fake.outcomes[0].error.as_ref().unwrap().code(), ErrorCode::DnsNoSuchHost);
    for seconds in [30, 60, 120] {
        assert_eq!(fake.deadline, Some(fake.now + SECOND * seconds));
        assert_eq!(fake.wait().says(), "route later.example");
        fake.dispatcher.routed(fake.now, "later.example", unrouted(State::Deferred, ErrorCode::DnsTemporary));
        assert_eq!(fake.says(), "");
    }
    assert_eq!(fake.wait().says(), "route later.example");
    fake.dispatcher.routed(fake.now, "later.example", unrouted(State::Deferred, ErrorCode::DnsTemporary));
    assert_eq!(fake.says(), "1 deferred", "that was the fifth time");
}

#[test]
fn hosts_that_are_old_are_asked_for_again_and_used_meanwhile() {
    let mut fake = Fake::new(Config { route_age: Some(MINUTE * 5), ..config(1) });
    let destination = Destination::failover("example.org", ["old"]);
    fake.submit(0, &destination);
    fake.says();
    fake.ready(1).says();
    fake.answer(0, &["450 4.2.0 Later"]).says();
    assert_eq!(fake.later(MINUTE * 10).says(), "close 1, route example.org");
    assert_eq!(fake.quit(1).says(), "open 2 old");
    fake.dispatcher.routed(fake.now, "example.org", Ok(&[Target::new("new")]));
    assert_eq!(fake.says(), "", "a connection is on its way");
    assert_eq!(fake.fail(2, ErrorCode::ConnectRefused).says(), "old rests 30s, open 3 new");
    assert_eq!(fake.ready(3).says(), "send 0 by 3 again 2");
}

#[test]
fn pop_before_smtp() {
    let mut config = config(2);
    config.host.log_in_every = Some(MINUTE * 10);
    let mut fake = Fake::new(config);
    let relay = Destination::host("mx");
    (0..2).for_each(|id| fake.submit(id, &relay));
    assert_eq!(fake.says(), "log in at mx");
    fake.dispatcher.logged_in(fake.now, "mx", Ok(()));
    assert_eq!(fake.says(), "open 1 mx, open 2 mx");
    fake.ready(1).ready(2).says();
    assert_eq!(fake.accept(0).accept(1).says(), "0 accepted, 1 accepted");
    assert_eq!(fake.later(MINUTE * 9).says(), "close 1, close 2");
    fake.quit(1).quit(2);
    fake.submit(2, &relay);
    assert_eq!(fake.says(), "open 3 mx", "it still holds");
    fake.ready(3).says();
    fake.accept(2).says();
    assert_eq!(fake.later(MINUTE).says(), "close 3");
    fake.quit(3).submit(3, &relay);
    assert_eq!(fake.says(), "log in at mx");
    fake.dispatcher.logged_in(fake.now, "mx", Err(failure(ErrorCode::AuthUnavailable, None)));
    assert_eq!(fake.says(), "mx rests 30s");
    assert_eq!(fake.wait().says(), "log in at mx");
    fake.dispatcher.logged_in(fake.now, "mx", Err(failure(ErrorCode::AuthRefused, None)));
    assert_eq!(fake.says(), "mx rests 60s, 3 rejected", "nobody gains by saying a wrong password again");
}
