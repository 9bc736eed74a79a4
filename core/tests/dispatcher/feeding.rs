//! Whoever feeds the dispatcher is held back, fairly; and the end.

use okuru_core::ErrorCode;
use okuru_core::client::MessageId;
use okuru_core::delivery::dispatcher::{Capacity, Config, Destination, Group, Parcel, Unrouted, Way};

use crate::fake::{Fake, MINUTE, SECOND, config, envelope};

#[test]
fn no_more_is_wanted_than_can_be_sent_soon() {
    let capacity = Capacity { ready: 3, ready_per_destination: 3, ..Capacity::default() };
    let mut fake = Fake::new(Config { capacity, ..config(1) });
    let mut fed = 0;
    let mut feed = |fake: &mut Fake| {
        while fake.dispatcher.wants_message() {
            fake.submit(fed, &Destination::host("mx"));
            fed += 1;
        }
        fed
    };
    assert_eq!(feed(&mut fake), 3);
    fake.says();
    fake.ready(1).says();
    assert_eq!(feed(&mut fake), 4, "one is on its way");
    fake.accept(0).says();
    assert_eq!(feed(&mut fake), 5);
}

#[test]
fn a_million_messages_are_never_held_at_once() {
    const MESSAGES: u64 = 1_000_000;
    let relay = Destination::host("mx");
    let mut config = config(1);
    config.host.messages_per_connection = u32::MAX;
    let mut fake = Fake::new(config);
    let (mut fed, mut most) = (0, 0);
    fake.submit(fed, &relay);
    fake.says();
    fake.ready(1);
    for sent in 0..MESSAGES {
        while fed + 1 < MESSAGES && fake.dispatcher.wants_message() {
            fed += 1;
            fake.submit(fed, &relay);
        }
        most = most.max(fake.dispatcher.metrics().messages);
        fake.says();
        fake.accept(sent);
        fake.outcomes.clear();
        fake.tried.clear();
    }
    fake.says();
    let metrics = fake.dispatcher.metrics();
    assert_eq!((metrics.totals.accepted, metrics.messages), (MESSAGES, 0));
    assert!(most <= Capacity::default().ready + 1, "{most}");
}

#[test]
fn one_slow_destination_does_not_stop_the_others() {
    let capacity = Capacity { ready: 10, ready_per_destination: 2, deliveries: 50, ..Capacity::default() };
    let mut fake = Fake::new(Config { capacity, ..config(1) });
    (0..20).for_each(|id| fake.submit(id, &Destination::host("slow")));
    assert!(fake.dispatcher.wants_message(), "of these only two count");
    for id in 20..28 {
        assert!(fake.dispatcher.wants_message());
        fake.submit(id, &Destination::host(format!("mx{id}")));
    }
    assert!(!fake.dispatcher.wants_message());
}

#[test]
fn what_waits_to_be_tried_again_counts_in_all_but_is_not_ready() {
    let capacity = Capacity { ready: 2, ready_per_destination: 2, deliveries: 6, ..Capacity::default() };
    let mut fake = Fake::new(Config { capacity, ..config(1) });
    let mut fed = 0;
    fake.submit(0, &Destination::host("mx"));
    fake.says();
    fake.ready(1).says();
    while fake.dispatcher.wants_message() {
        fed += 1;
        fake.submit(fed, &Destination::host("mx"));
        if fed >= 2 {
            fake.answer(fed - 2, &["450 4.2.0 Greylisted"]).says();
        }
    }
    let metrics = fake.dispatcher.metrics();
    assert_eq!((metrics.deferred + metrics.queued + metrics.in_flight, metrics.messages), (6, 6));
    assert!(metrics.deferred >= 3);
}

#[test]
fn destinations_are_forgotten_when_nothing_is_to_be_known() {
    let capacity = Capacity { destinations: 3, ..Capacity::default() };
    let mut fake = Fake::new(Config { capacity, ..config(1) });
    for id in 0..100 {
        assert!(fake.dispatcher.wants_message(), "{id}");
        fake.submit(id, &Destination::host(format!("mx{id}")));
        fake.says();
        fake.ready(id as usize + 1).says();
        fake.accept(id).says();
        assert_eq!(fake.dispatcher.metrics().destinations, 0);
        assert_eq!(fake.later(MINUTE).says(), format!("close {}", id + 1));
        fake.quit(id as usize + 1).says();
        assert_eq!(fake.dispatcher.metrics().hosts, 0);
    }
}

#[test]
fn what_makes_no_sense_is_not_taken() {
    let mut fake = Fake::new(config(1));
    let relay = std::sync::Arc::new(Destination::host("mx"));
    let mut submit = |id, count, groups: &[&[u32]]| {
        let way = || Way::To(std::sync::Arc::clone(&relay));
        let groups = groups.iter().map(|recipients| Group { recipients: recipients.to_vec(), way: way() }).collect();
        let parcel = Parcel { id: MessageId(id), envelope: envelope(count), groups, deadline: None };
        fake.dispatcher.submit(fake.now, parcel).map_err(|error| error.code())
    };
    assert_eq!(submit(0, 2, &[&[1], &[0]]), Ok(()));
    assert_eq!(submit(0, 1, &[&[0]]), Err(ErrorCode::Usage), "the number is in use");
    for groups in [&[&[0][..]][..], &[&[0, 0]], &[&[0, 1], &[1]], &[&[0, 2]], &[]] {
        assert_eq!(submit(1, 2, groups), Err(ErrorCode::Usage), "{groups:?}");
    }
    assert_eq!(submit(1, 0, &[]), Err(ErrorCode::Usage), "nobody to send it to");
    assert_eq!(fake.dispatcher.metrics().messages, 1);
}

#[test]
fn recipients_without_a_way_have_their_outcome_with_the_others() {
    let mut fake = Fake::new(config(1));
    let nowhere = |state| {
        let error = okuru_core::Error::new(ErrorCode::DnsNoSuchHost, "there is no such domain");
        Way::Nowhere(Unrouted { state, error })
    };
    let rejected = okuru_core::client::State::Rejected;
    let groups = vec![
        Group { recipients: vec![1], way: nowhere(rejected) },
        Group { recipients: vec![0], way: Way::To(Destination::host("mx").into()) },
    ];
    let parcel = Parcel { id: MessageId(0), envelope: envelope(2), groups, deadline: None };
    fake.dispatcher.submit(fake.now, parcel).unwrap();
    fake.says();
    fake.ready(1).says();
    assert_eq!(fake.accept(0).says(), "0 accepted rejected");
    let groups = vec![Group { recipients: vec![0], way: nowhere(rejected) }];
    let parcel = Parcel { id: MessageId(1), envelope: envelope(1), groups, deadline: None };
    fake.dispatcher.submit(fake.now, parcel).unwrap();
    assert_eq!(fake.says(), "1 rejected");
}

#[test]
fn it_finishes_when_every_message_has_ended() {
    let mut fake = Fake::new(config(1));
    (0..2).for_each(|id| fake.submit(id, &Destination::host("mx")));
    fake.says();
    fake.dispatcher.finish();
    assert!(!fake.dispatcher.wants_message());
    fake.ready(1).says();
    assert_eq!(fake.accept(0).says(), "0 accepted, send 1 by 1");
    assert_eq!(fake.answer(1, &["450 4.2.0 Later"]).says(), "");
    assert_eq!(fake.later(MINUTE * 10).says(), "close 1");
    assert_eq!(fake.quit(1).says(), "open 2 mx");
    assert_eq!(fake.ready(2).says(), "send 1 by 2 again 2");
    assert_eq!(fake.accept(1).says(), "1 accepted, close 2");
    assert_eq!(fake.quit(2).says(), "done");
    assert_eq!(fake.says(), "done");
}

#[test]
fn it_stops_when_nothing_is_on_its_way() {
    let mut fake = Fake::new(config(2));
    (0..4).for_each(|id| fake.submit(id, &Destination::host("mx")));
    fake.says();
    fake.ready(1).says();
    fake.dispatcher.stop();
    assert_eq!(fake.says(), "close 2");
    assert_eq!(fake.quit(2).says(), "");
    assert_eq!(fake.later(SECOND).accept(0).says(), "close 1, 0 accepted");
    assert_eq!(fake.quit(1).says(), "done");
    assert_eq!(fake.dispatcher.metrics().messages, 3);
}
