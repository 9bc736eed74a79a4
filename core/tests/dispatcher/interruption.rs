//! Stopped, and gone on with later.

use std::time::Duration;

use okuru_core::client::{MessageId, Progress};
use okuru_core::delivery::Dispatcher;
use okuru_core::delivery::dispatcher::{Config, Destination, Quota, Rate, Retry, WarmUp};
use okuru_core::{ErrorCode, delivery};

use crate::fake::{Fake, MINUTE, SECOND, config, envelope, retry};

fn go_on(fake: &Fake, config: Config, now: Duration, away: Duration, recipients: usize) -> Fake {
    let snapshot = fake.dispatcher.snapshot(fake.now);
    let mut dispatcher = Dispatcher::new(config, 2);
    dispatcher.restore(now, away, &snapshot, |_| Some(envelope(recipients))).unwrap();
    let text = String::from_utf8(dispatcher.snapshot(now)).unwrap();
    assert_eq!(text.lines().next(), Some("okuru-dispatcher 1"));
    Fake::with(dispatcher, now)
}

#[test]
fn recipients_keep_what_they_have_and_times_go_on() {
    let mut fake = Fake::new(config(1));
    fake.submit_to(7, &[(&[0, 1, 2], &Destination::failover("example.org", ["mx one", "-"]))]);
    fake.says();
    fake.ready(1).says();
    fake.answer(7, &["250 2.0.0 Ok", "450-4.2.0 Not\r\n450 4.2.0 now", "550 5.1.1 Nobody"]).says();
    // On another clock, four minutes later.
    let mut fake = go_on(&fake, config(1), SECOND, MINUTE * 4, 3);
    assert_eq!(fake.says(), "");
    assert_eq!(fake.deadline, Some(SECOND + MINUTE * 6));
    assert_eq!(fake.wait().says(), "open 1 mx one");
    assert_eq!(fake.ready(1).says(), "send 7 to [1] by 1 again 2");
    assert_eq!(fake.accept(7).says(), "7 accepted accepted rejected");
    let replies: Vec<_> = fake.outcomes[0].recipients.iter().map(|it| it.reply.as_ref().unwrap().to_string()).collect();
    assert_eq!(replies, ["250 2.0.0 Ok", "250 2.0.0 Ok", "550 5.1.1 Nobody"]);
}

#[test]
fn what_was_on_its_way_is_in_doubt() {
    for (acceptable, expected) in [(false, "0 unknown, open 1 mx"), (true, "open 1 mx")] {
        let config = Config { retry: Some(Retry { duplicates_are_acceptable: acceptable, ..retry() }), ..config(1) };
        let mut fake = Fake::new(config.clone());
        (0..2).for_each(|id| fake.submit(id, &Destination::host("mx")));
        fake.says();
        fake.ready(1).says();
        let mut fake = go_on(&fake, config, SECOND, SECOND, 1);
        assert_eq!(fake.says(), expected);
        assert_eq!(fake.ready(1).says(), format!("send {} by 1", u64::from(!acceptable)));
    }
}

#[test]
fn a_host_that_rests_goes_on_resting_and_is_known() {
    let mut fake = Fake::new(config(1));
    fake.submit(0, &Destination::host("mx"));
    fake.says();
    fake.ready(1).says();
    fake.dispatcher.pipelining_reduced(fake.session(1));
    fake.accept(0).says();
    fake.later(SECOND).fail(1, ErrorCode::ProtocolClosed).submit(1, &Destination::host("mx"));
    assert_eq!(fake.says(), "open 2 mx reduced");
    assert_eq!(fake.later(SECOND).fail(2, ErrorCode::ConnectRefused).says(), "mx rests 30s");
    let mut again = go_on(&fake, config(1), Duration::ZERO, SECOND * 10, 1);
    assert_eq!(again.says(), "");
    assert_eq!(again.deadline, Some(SECOND * 20));
    assert_eq!(again.wait().says(), "open 1 mx reduced");
    assert_eq!(again.fail(1, ErrorCode::ConnectRefused).says(), "mx rests 60s");
    // Without retries in the meantime, it ends with the reason that was kept.
    let mut once = go_on(&fake, Config { retry: None, ..config(1) }, Duration::ZERO, SECOND, 1);
    assert_eq!(once.says(), "1 deferred");
    assert_eq!(once.outcomes[0].error.as_ref().unwrap().code(), ErrorCode::ConnectRefused);
}

#[test]
fn rates_and_warm_ups_hold_across_it() {
    let day = SECOND * 1000;
    let warm_up = Some(WarmUp { first: 1, growth: 200, until: 100, day });
    let rates = vec![Rate::new(1, SECOND * 100)];
    let config = Config {
        quota: Quota { warm_up, ..Quota::default() },
        destination: Quota { rates, ..Quota::default() },
        ..config(1)
    };
    let mut fake = Fake::new(config.clone());
    (0..4).for_each(|id| fake.submit(id, &Destination::host("mx")));
    fake.says();
    fake.ready(1).says();
    assert_eq!(fake.accept(0).says(), "0 accepted");
    let mut same_day = go_on(&fake, config.clone(), SECOND, SECOND * 300, 1);
    assert_eq!(same_day.says(), "");
    assert_eq!(same_day.deadline, Some(SECOND * 701));
    let mut soon = go_on(&fake, config.clone(), SECOND, SECOND * 40, 1);
    soon.says();
    assert_eq!(soon.deadline, Some(SECOND + SECOND * 60), "the rate comes first");
    // Two days later there are four for the day.
    let mut later = go_on(&fake, config, SECOND, SECOND * 2500, 1);
    let mut sent = vec![];
    while sent.len() < 3 {
        let said = later.goes();
        match said.strip_prefix("send ") {
            Some(send) => {
                let id = send[..1].parse().unwrap();
                sent.push((id, later.now.as_secs()));
                later.accept(id);
            }
            None => {
                later.wait();
            }
        }
    }
    assert_eq!(sent, [(1, 1), (2, 101), (3, 201)]);
}

#[test]
fn a_fallback_is_kept() {
    let relay = Destination::host("relay");
    let destination = Destination { fallback: Some(relay.into()), ..Destination::failover("example.org", ["mx"]) };
    let mut fake = Fake::new(config(1));
    fake.submit(0, &destination);
    let mut fake = go_on(&fake, config(1), SECOND, SECOND, 1);
    assert_eq!(fake.says(), "open 1 mx");
    let said = fake.fail(1, ErrorCode::ConnectRefused).says();
    assert_eq!(said, "mx rests 30s, 0 from example.org to relay, open 2 relay");
}

#[test]
fn messages_whose_envelope_is_gone_are_dropped() {
    let mut fake = Fake::new(config(1));
    (0..3).for_each(|id| fake.submit(id, &Destination::host("mx")));
    fake.says();
    fake.ready(1).says();
    fake.lose_with(0, Progress::Envelope, ErrorCode::ProtocolClosed, Default::default()).says();
    let snapshot = fake.dispatcher.snapshot(fake.now);
    let mut dispatcher = Dispatcher::new(config(1), 2);
    dispatcher.restore(SECOND, SECOND, &snapshot, |id| (id == MessageId(2)).then(|| envelope(1))).unwrap();
    assert_eq!(dispatcher.metrics().messages, 1);
    assert_eq!(Fake::with(dispatcher, SECOND).says().matches("open").count(), 1);
}

#[test]
fn what_is_no_snapshot_is_refused_and_never_panics() {
    let mut fake = Fake::new(config(1));
    fake.submit_to(0, &[(&[0, 1], &Destination::failover("example.org", ["mx"]))]);
    fake.says();
    fake.ready(1).says();
    fake.answer(0, &["450 4.2.0 Later", "250 Ok"]).says();
    fake.submit_to(1, &[(&[0, 1], &Destination::host("dead"))]);
    fake.says();
    fake.fail(2, ErrorCode::ConnectRefused).says();
    let snapshot = fake.dispatcher.snapshot(fake.now);
    let restore = |snapshot: &[u8]| {
        let mut dispatcher = Dispatcher::new(config(1), 2);
        dispatcher.restore(SECOND, SECOND, snapshot, |_| Some(envelope(2))).map(|()| dispatcher)
    };
    assert!(restore(&snapshot).is_ok());
    let outputs = |dispatcher: &mut Dispatcher| {
        let mut now = SECOND;
        for _ in 0..50 {
            match dispatcher.poll(now) {
                delivery::dispatcher::Output::Wait { deadline: Some(deadline) } => now = deadline,
                delivery::dispatcher::Output::Wait { deadline: None } => return,
                _ => {}
            }
        }
    };
    let mut refused = 0;
    for index in 0..snapshot.len() {
        for byte in *b"0 \n-%z\xff" {
            let mut spoilt = snapshot.clone();
            spoilt[index] = byte;
            match restore(&spoilt) {
                Ok(mut dispatcher) => outputs(&mut dispatcher),
                Err(error) => {
                    assert!(matches!(error.code().family(), "usage" | "protocol"), "{error}");
                    refused += 1;
                }
            }
        }
        let _ = restore(&snapshot[..index]);
    }
    assert!(refused > snapshot.len());
    assert!(fake.dispatcher.restore(SECOND, SECOND, &snapshot, |_| None).is_err(), "it is not new");
    assert_eq!(fake.dispatcher.metrics().messages, 2);
}
