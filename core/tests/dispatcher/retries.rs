//! What is tried again, and when.

use okuru_core::ErrorCode;
use okuru_core::client::{MessageId, Progress, State};
use okuru_core::delivery::dispatcher::{Config, Content, Destination, Retry};

use crate::fake::{Fake, MINUTE, SECOND, config, retry};

fn relay() -> Destination {
    Destination::host("mx")
}

#[test]
fn waits_double_and_tries_are_counted() {
    let mut fake = Fake::new(config(1));
    fake.submit(0, &relay());
    for (attempt, minutes) in [(1, 10), (2, 20), (3, 40), (4, 60)] {
        fake.goes();
        fake.answer(0, &["450 4.2.0 Not now"]);
        assert_eq!(fake.says(), "");
        let tried = fake.tried.last().unwrap();
        assert_eq!((tried.attempt, tried.deferred), (attempt, 1));
        assert_eq!(tried.again, Some(fake.now + MINUTE * minutes));
        assert_eq!(fake.dispatcher.metrics().deferred, 1);
        fake.now = tried.again.unwrap();
    }
    fake.goes();
    assert_eq!(fake.answer(0, &["450 4.2.0 Not now"]).says(), "0 deferred");
    assert_eq!(fake.tried.len(), 5);
    assert_eq!(fake.outcomes[0].recipients[0].reply.as_ref().unwrap().code(), 450);
    assert_eq!(fake.outcomes[0].round_trips, 5, "of all attempts");
}

#[test]
fn jitter_spreads_them() {
    let mut retry = retry();
    retry.backoff.jitter = 50;
    let mut fake = Fake::new(Config { retry: Some(retry), ..config(1) });
    (0..40).for_each(|id| fake.submit(id, &relay()));
    fake.says();
    fake.ready(1).says();
    for id in 0..40 {
        fake.answer(id, &["450 4.2.0 Not now"]).says();
    }
    let waits: std::collections::BTreeSet<_> = fake.tried.iter().map(|tried| tried.again.unwrap() - fake.now).collect();
    assert_eq!(waits.len(), 40);
    assert!(waits.iter().all(|wait| (MINUTE * 10..=MINUTE * 15).contains(wait)));
}

#[test]
fn it_ends_at_the_last_moment() {
    let mut fake = Fake::new(Config { retry: Some(Retry { within: MINUTE * 25, ..retry() }), ..config(1) });
    fake.submit(0, &relay());
    fake.says();
    fake.ready(1).says();
    fake.answer(0, &["450 4.2.0 Not now"]).says();
    fake.later(MINUTE * 10);
    fake.goes();
    assert_eq!(fake.answer(0, &["450 4.2.0 Not now"]).says(), "0 deferred", "20 minutes more would be too late");

    // Also while it waits for a connection.
    let retry = Retry { within: MINUTE * 25, tries: u32::MAX, ..retry() };
    let mut fake = Fake::new(Config { retry: Some(retry), ..config(1) });
    fake.submit(1, &relay());
    fake.says();
    let end = fake.now + MINUTE * 25;
    fake.later(SECOND).fail(1, ErrorCode::ConnectRefused).says();
    let mut said = String::new();
    let mut session = 1;
    while said != "1 deferred" {
        assert!(fake.now <= end, "{said}");
        said = fake.wait().says();
        if said.starts_with("open") {
            session += 1;
            fake.later(SECOND).fail(session, ErrorCode::ConnectRefused).says();
        }
    }
    assert_eq!(fake.outcomes[0].recipients[0].error().unwrap().code(), ErrorCode::ConnectRefused, "the reason is told");

    // Also while the host is just being tried once more.
    let mut fake = Fake::new(Config { retry: Some(retry), ..config(1) });
    fake.submit(1, &relay());
    fake.says();
    assert_eq!(fake.later(SECOND).fail(1, ErrorCode::ConnectRefused).says(), "mx rests 30s");
    assert!(fake.wait().says().starts_with("open"));
    assert_eq!(fake.later(MINUTE * 25).says(), "1 deferred");
    assert_eq!(fake.outcomes[0].recipients[0].error().unwrap().code(), ErrorCode::ConnectRefused);
}

#[test]
fn only_recipients_that_were_deferred_are_tried_again() {
    let mut fake = Fake::new(config(1));
    fake.submit_to(0, &[(&[0, 1, 2, 3], &relay())]);
    fake.says();
    assert_eq!(fake.ready(1).says(), "send 0 to [0, 1, 2, 3] by 1");
    fake.answer(0, &["250 Ok", "450 4.2.1 Later", "550 5.1.1 Nobody", "451 4.3.0 Later"]);
    assert_eq!(fake.says(), "");
    let tried = fake.tried[0].clone();
    assert_eq!((tried.accepted, tried.deferred, tried.rejected, tried.unknown), (1, 2, 1, 0));
    assert_eq!(fake.later(MINUTE * 10).goes(), "send 0 to [1, 3] by 2 again 2");
    fake.answer(0, &["250 Ok", "450 4.2.1 Later"]).says();
    assert_eq!(fake.later(MINUTE * 20).goes(), "send 0 to [3] by 3 again 3");
    assert_eq!(fake.answer(0, &["550 5.2.2 Full"]).says(), "0 accepted accepted rejected rejected");
    let codes: Vec<_> =
        fake.outcomes[0].recipients.iter().map(|it| it.reply.as_ref().unwrap().code().as_u16()).collect();
    assert_eq!(codes, [250, 250, 550, 550]);
    assert_eq!(fake.outcomes[0].error, None);
}

#[test]
fn what_is_refused_ends_at_once() {
    let mut fake = Fake::new(config(1));
    fake.submit(0, &relay());
    fake.says();
    fake.ready(1).says();
    assert_eq!(fake.refuse(0, "550 5.1.8 Bad sender").says(), "0 rejected");
}

#[test]
fn unknown_is_tried_again_only_where_duplicates_are_acceptable() {
    for (acceptable, expected) in [(false, "0 unknown"), (true, "")] {
        let retry = Retry { duplicates_are_acceptable: acceptable, ..retry() };
        let mut fake = Fake::new(Config { retry: Some(retry), ..config(1) });
        fake.submit(0, &relay());
        fake.says();
        fake.ready(1).says();
        fake.lose(0, Progress::Sent).fail(1, ErrorCode::ProtocolClosed);
        assert_eq!(
            fake.says().trim_start_matches("mx rests 30s").trim_start_matches(", ").replace(", mx rests 30s", ""),
            expected
        );
        assert_eq!(fake.tried[0].again.is_some(), acceptable);
        if acceptable {
            assert_eq!(fake.later(MINUTE * 10).says(), "open 2 mx");
            assert_eq!(fake.ready(2).says(), "send 0 by 2 again 2");
            assert_eq!(fake.accept(0).says(), "mx works, 0 accepted");
        }
    }
}

#[test]
fn content_that_is_spent_is_not_sent_again() {
    let mut fake = Fake::new(config(1));
    fake.submit(0, &relay());
    fake.says();
    fake.ready(1).says();
    fake.lose_with(0, Progress::Content, ErrorCode::ProtocolClosed, Content::Spent);
    assert_eq!(fake.says(), "0 deferred");
}

#[test]
fn greylisting_is_normal() {
    let mut fake = Fake::new(config(1));
    (0..3).for_each(|id| fake.submit(id, &relay()));
    fake.says();
    fake.ready(1).says();
    assert_eq!(fake.answer(0, &["450 4.2.0 Greylisted, see http://example.org"]).says(), "send 1 by 1");
    assert_eq!(fake.answer(1, &["451 4.7.1 Please try again later"]).says(), "send 2 by 1", "no rest, no slower");
    assert!(fake.tried.iter().all(|tried| tried.greylisted));
}

#[test]
fn a_message_can_be_cancelled_wherever_it_is() {
    let mut fake = Fake::new(config(1));
    (0..4).for_each(|id| fake.submit(id, &relay()));
    fake.says();
    fake.ready(1).says();
    assert_eq!(fake.answer(0, &["450 4.2.0 Not now"]).says(), "send 1 by 1");
    for id in [0, 1, 2, 7] {
        fake.dispatcher.cancel(fake.now, MessageId(id));
    }
    assert_eq!(fake.says(), "0 deferred, abort on 1, 2 deferred");
    assert_eq!(
        fake.lose_with(1, Progress::Envelope, ErrorCode::Cancelled, Content::Whole).says(),
        "1 deferred, send 3 by 1"
    );
    assert_eq!(fake.outcomes[1].recipients[0].error().unwrap().code(), ErrorCode::Cancelled);
    assert_eq!(fake.accept(3).says(), "3 accepted");
    assert_eq!(fake.outcomes.iter().filter(|outcome| outcome.recipients[0].state == State::Deferred).count(), 3);
}

#[test]
fn what_waits_while_no_host_can_be_reached_counts_each_failure_as_a_try() {
    let mut fake = Fake::new(Config { retry: Some(Retry { tries: 3, ..retry() }), ..config(1) });
    (0..3).for_each(|id| fake.submit(id, &relay()));
    fake.says();
    assert_eq!(fake.later(SECOND).fail(1, ErrorCode::ConnectRefused).says(), "mx rests 30s");
    fake.submit(3, &relay());
    assert_eq!(fake.wait().says(), "open 2 mx");
    assert_eq!(fake.later(SECOND).fail(2, ErrorCode::ConnectRefused).says(), "mx rests 60s");
    assert_eq!(fake.wait().says(), "open 3 mx");
    let said = fake.later(SECOND).fail(3, ErrorCode::TimeoutConnect).says();
    assert_eq!(said, "mx rests 120s, 0 deferred, 1 deferred, 2 deferred", "the one that came later has one more");
    assert_eq!(fake.outcomes[2].recipients[0].error().unwrap().code(), ErrorCode::TimeoutConnect);
}
