//! Without retries: each message ends at its first attempt, as a plain client does it.

use okuru_core::ErrorCode;
use okuru_core::client::Progress;
use okuru_core::delivery::dispatcher::{Backoff, Config, Destination};

use crate::fake::{Fake, MINUTE, SECOND, config};

fn once() -> Config {
    let mut config = Config { retry: None, ..config(3) };
    config.host.rest = Backoff { first: SECOND * 10, most: SECOND * 10, jitter: 0 };
    config
}

fn relay() -> Destination {
    Destination::host("mx")
}

#[test]
fn what_is_deferred_ends() {
    let mut fake = Fake::new(once());
    fake.submit_to(0, &[(&[0, 1], &relay())]);
    fake.says();
    fake.ready(1).says();
    assert_eq!(fake.answer(0, &["250 Ok", "450 4.2.0 Later"]).says(), "0 accepted deferred");
}

#[test]
fn a_failure_to_connect_is_shared() {
    let mut fake = Fake::new(once());
    (0..5).for_each(|id| fake.submit(id, &relay()));
    assert_eq!(fake.says(), "open 1 mx, open 2 mx, open 3 mx");
    fake.later(SECOND).fail(1, ErrorCode::ConnectRefused);
    let said = fake.says();
    assert_eq!(said, "mx rests 10s, 0 deferred, 1 deferred, 2 deferred, 3 deferred, 4 deferred");
    fake.fail(2, ErrorCode::ConnectRefused).fail(3, ErrorCode::ConnectRefused);
    assert_eq!(fake.says(), "");
    // For some seconds nobody tries.
    fake.later(SECOND * 9).submit(5, &relay());
    assert_eq!(fake.says(), "5 deferred");
    assert_eq!(fake.outcomes[5].error.as_ref().unwrap().code(), ErrorCode::ConnectRefused);
    fake.later(SECOND * 2);
    (6..9).for_each(|id| fake.submit(id, &relay()));
    assert_eq!(fake.says(), "open 4 mx", "one tries for all");
    assert_eq!(
        fake.later(SECOND).fail(4, ErrorCode::ConnectRefused).says(),
        "mx rests 10s, 6 deferred, 7 deferred, 8 deferred"
    );
}

#[test]
fn a_session_that_closes_costs_nothing_but_one_that_never_works_does() {
    let mut fake = Fake::new(once());
    fake.submit(0, &relay());
    fake.says();
    fake.ready(1).says();
    fake.accept(0).says();
    fake.later(SECOND * 3).submit(1, &relay());
    fake.says();
    assert_eq!(fake.lose(1, Progress::Envelope).fail(1, ErrorCode::ProtocolClosed).says(), "open 2 mx");
    assert_eq!(fake.ready(2).says(), "send 1 by 2");
    fake.later(SECOND).lose(1, Progress::Envelope).fail(2, ErrorCode::ProtocolClosed);
    assert_eq!(fake.says(), "1 deferred, mx rests 10s");
}

#[test]
fn a_server_that_is_ready_and_goes_does_not_keep_anybody_for_ever() {
    let mut fake = Fake::new(once());
    fake.submit(0, &relay());
    fake.says();
    fake.ready(1).says();
    fake.lose(0, Progress::Queued).fail(1, ErrorCode::ProtocolClosed);
    assert_eq!(fake.says(), "mx rests 10s, 0 deferred");
    assert_eq!(fake.later(MINUTE).says(), "");
}
