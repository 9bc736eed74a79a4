//! Which sessions there are, and what they carry.

use okuru_core::ErrorCode;
use okuru_core::client::Progress;
use okuru_core::delivery::dispatcher::{Config, Destination, Quota};

use crate::fake::{Fake, MINUTE, SECOND, config};

fn relay() -> Destination {
    Destination::host("mx")
}

#[test]
fn no_more_connections_than_allowed_and_each_is_used_again() {
    let mut fake = Fake::new(config(2));
    (0..4).for_each(|id| fake.submit(id, &relay()));
    assert_eq!(fake.says(), "open 1 mx, open 2 mx");
    assert_eq!(fake.ready(2).says(), "send 0 by 2");
    assert_eq!(fake.ready(1).says(), "send 1 by 1");
    assert_eq!(fake.accept(0).says(), "0 accepted, send 2 by 2");
    assert_eq!(fake.accept(1).says(), "1 accepted, send 3 by 1");
    assert_eq!(fake.accept(3).accept(2).says(), "3 accepted, 2 accepted");
    fake.submit(4, &relay());
    assert_eq!(fake.says(), "send 4 by 2", "the one that was used last");
}

#[test]
fn one_message_opens_one_connection() {
    let mut fake = Fake::new(config(10));
    fake.submit(0, &relay());
    assert_eq!(fake.says(), "open 1 mx");
    fake.submit(1, &relay());
    assert_eq!(fake.says(), "open 2 mx");
    assert_eq!(fake.later(SECOND).says(), "");
}

#[test]
fn messages_go_behind_each_other_where_the_connection_wants_them() {
    let mut fake = Fake::new(config(1));
    (0..5).for_each(|id| fake.submit(id, &relay()));
    fake.says();
    assert_eq!(fake.ready(1).says(), "send 0 by 1");
    assert_eq!(fake.wants_more(1).says(), "send 1 by 1");
    assert_eq!(fake.says(), "");
    assert_eq!(fake.wants_more(1).says(), "send 2 by 1");
    assert_eq!(fake.accept(0).says(), "0 accepted");
    assert_eq!(fake.wants_more(1).says(), "send 3 by 1");
    assert_eq!(fake.accept(1).accept(2).accept(3).says(), "1 accepted, 2 accepted, 3 accepted, send 4 by 1");
}

#[test]
fn a_session_ends_after_so_many_messages_and_mailmax_goes_before() {
    let mut config = config(1);
    config.host.messages_per_connection = 3;
    for (offer, most) in [("", 3), ("LIMITS MAILMAX=2", 2), ("LIMITS MAILMAX=9", 3)] {
        let mut fake = Fake::new(config.clone());
        (0..9).for_each(|id| fake.submit(id, &relay()));
        fake.says();
        fake.ready_with(1, offer).says();
        for id in 0..most - 1 {
            assert_eq!(fake.accept(id).says(), format!("{id} accepted, send {} by 1", id + 1), "{offer}");
        }
        assert_eq!(fake.wants_more(1).says(), "", "{offer}: it has had its last");
        assert_eq!(fake.accept(most - 1).says(), format!("close 1, {} accepted", most - 1), "{offer}");
        assert_eq!(fake.quit(1).says(), "open 2 mx", "{offer}");
    }
}

#[test]
fn an_idle_session_is_closed_in_time() {
    let mut fake = Fake::new(config(1));
    fake.submit(0, &relay());
    fake.says();
    fake.ready(1).says();
    fake.accept(0).says();
    assert_eq!(fake.deadline, Some(fake.now + SECOND * 45));
    assert_eq!(fake.wait().says(), "close 1");
    assert_eq!(fake.quit(1).says(), "");
    assert_eq!(fake.deadline, None);
    assert_eq!(fake.dispatcher.metrics().hosts, 0, "nothing is left to be known");
}

#[test]
fn an_idle_session_is_checked_before_it_is_trusted() {
    let mut fake = Fake::new(config(1));
    fake.submit(0, &relay());
    fake.says();
    fake.ready(1).says();
    fake.accept(0).says();
    fake.later(SECOND * 5).submit(1, &relay());
    assert_eq!(fake.says(), "send 1 by 1", "not yet");
    fake.accept(1).says();
    fake.later(SECOND * 6).submit(2, &relay());
    assert_eq!(fake.says(), "check 1");
    assert_eq!(fake.checked(1).says(), "send 2 by 1");
}

#[test]
fn a_session_that_was_closed_while_idle_costs_nothing() {
    let mut fake = Fake::new(config(1));
    fake.submit(0, &relay());
    fake.says();
    fake.ready(1).says();
    fake.accept(0).says();
    // It is found out by the check,
    fake.later(SECOND * 20).submit(1, &relay());
    assert_eq!(fake.says(), "check 1");
    assert_eq!(fake.fail(1, ErrorCode::ProtocolClosed).says(), "open 2 mx");
    assert_eq!(fake.ready(2).says(), "send 1 by 2");
    fake.accept(1).says();
    // by itself,
    assert_eq!(fake.later(SECOND * 7).fail(2, ErrorCode::ProtocolClosed).says(), "");
    fake.submit(2, &relay());
    assert_eq!(fake.says(), "open 3 mx");
    fake.ready(3).says();
    fake.accept(2).says();
    // or only by sending.
    fake.later(SECOND * 2).submit(3, &relay());
    assert_eq!(fake.says(), "send 3 by 3");
    let lost = fake.lose(3, Progress::Envelope).fail(3, ErrorCode::ProtocolClosed).says();
    assert_eq!(lost, "open 4 mx");
    assert_eq!(fake.ready(4).says(), "send 3 by 4", "it is still the first attempt");
    assert_eq!(fake.accept(3).says(), "3 accepted");
    assert_eq!(fake.dispatcher.metrics().totals.moved, 1);
}

#[test]
fn a_session_is_closed_sooner_where_the_server_was_seen_to_do_so() {
    let mut fake = Fake::new(config(1));
    fake.submit(0, &relay());
    fake.says();
    fake.ready(1).says();
    fake.accept(0).says();
    fake.later(SECOND * 20).fail(1, ErrorCode::ProtocolClosed).says();
    fake.submit(1, &relay());
    fake.says();
    fake.ready(2).says();
    fake.accept(1).says();
    assert_eq!(fake.deadline, Some(fake.now + SECOND * 16));
}

#[test]
fn what_had_not_begun_moves_as_often_as_needed_what_had_once() {
    let mut fake = Fake::new(config(1));
    (0..3).for_each(|id| fake.submit(id, &relay()));
    fake.says();
    fake.ready(1).says();
    fake.wants_more(1).says();
    // The second was on its way behind the first; nothing of it had been sent.
    fake.accept(0).says();
    fake.lose_with(1, Progress::Queued, ErrorCode::LimitSession, Default::default());
    assert_eq!(fake.fail(1, ErrorCode::LimitSession).says(), "open 2 mx");
    assert_eq!(fake.ready(2).says(), "send 1 by 2");
    fake.accept(1).says();
    assert_eq!(fake.dispatcher.metrics().in_flight, 1);
    fake.lose(2, Progress::Envelope).fail(2, ErrorCode::ProtocolClosed).says();
    fake.submit(3, &relay());
    assert_eq!(fake.ready(3).says(), "send 2 by 3");
    fake.later(SECOND).lose(2, Progress::Envelope).fail(3, ErrorCode::ProtocolClosed);
    assert_eq!(fake.says(), "mx rests 30s", "this one had not shown that it works");
    assert_eq!(fake.tried.last().unwrap().again, Some(fake.now + MINUTE * 10));
}

#[test]
fn a_server_that_takes_less_pipelining_is_remembered() {
    let mut fake = Fake::new(config(2));
    fake.submit(0, &relay());
    fake.says();
    fake.ready(1).says();
    fake.dispatcher.pipelining_reduced(fake.session(1));
    fake.submit(1, &relay());
    assert_eq!(fake.says(), "open 2 mx reduced");
}

#[test]
fn without_tls_only_where_that_was_said() {
    for (allowed, expected) in [(true, "open 2 mx plain"), (false, "mx rests 30s")] {
        let mut config = config(2);
        config.host.without_tls = allowed;
        let mut fake = Fake::new(config);
        fake.submit(0, &relay());
        fake.says();
        assert_eq!(fake.fail(1, ErrorCode::TlsHandshake).says(), expected);
        if allowed {
            assert_eq!(fake.later(SECOND).fail(2, ErrorCode::ConnectRefused).says(), "mx rests 30s");
        }
    }
}

#[test]
fn sessions_are_shared_by_destinations_that_name_the_same_host() {
    let mut fake = Fake::new(Config { destination: Quota::default(), ..config(1) });
    let [one, two] = ["a.example", "b.example"].map(|name| Destination::failover(name, ["mx"]));
    fake.submit(0, &one);
    fake.submit(1, &two);
    fake.submit(2, &one);
    assert_eq!(fake.says(), "open 1 mx");
    assert_eq!(fake.ready(1).says(), "send 1 by 1");
    assert_eq!(fake.wants_more(1).says(), "", "others wait for it");
    assert_eq!(fake.accept(1).says(), "1 accepted, send 0 by 1");
    assert_eq!(fake.accept(0).says(), "0 accepted, send 2 by 1");
}

#[test]
fn connections_in_all_and_of_a_destination() {
    let quota = |connections| Quota { connections, ..Quota::default() };
    let mut fake = Fake::new(Config { quota: quota(3), destination: quota(2), ..config(10) });
    let [one, two] = ["a", "b"].map(|name| Destination::failover(name, [format!("mx.{name}")]));
    (0..4).for_each(|id| fake.submit(id, &one));
    assert_eq!(fake.says(), "open 1 mx.a, open 2 mx.a");
    (4..6).for_each(|id| fake.submit(id, &two));
    assert_eq!(fake.says(), "open 3 mx.b");
    fake.ready(1).ready(2).ready(3).says();
    // The others have to give way: at the latest when they have had their time.
    assert_eq!(fake.accept(0).says(), "0 accepted, send 2 by 2");
    assert_eq!(fake.later(SECOND * 6).accept(1).says(), "close 1, 1 accepted");
    assert_eq!(fake.quit(1).says(), "open 4 mx.b");
}
