//! Each refusal that a server can be asked for ends in the right outcome for each recipient, and touches no other message of
//! the same session.

use okuru::{ErrorCode, Outcome, Pipelining, State};

use crate::harness::{Books, Client, Letter, Servers, Way, all_ways};

const BOB: &str = "bob@example.test";

/// A message that is refused, and how.
struct Case {
    from: &'static str,
    to: &'static [&'static str],
    header: &'static str,
    /// For each recipient.
    expected: &'static [Expected],
}

#[derive(Clone, Copy)]
struct Expected {
    state: State,
    code: u16,
    enhanced: &'static str,
    text: &'static str,
    error: Option<ErrorCode>,
}

const TAKEN: Expected = Expected { state: State::Accepted, code: 250, enhanced: "2.1.5", text: "Ok", error: None };

const fn rejected(enhanced: &'static str, text: &'static str) -> Expected {
    Expected { state: State::Rejected, code: 550, enhanced, text, error: Some(ErrorCode::ReplyRejected) }
}

const fn deferred(enhanced: &'static str, text: &'static str) -> Expected {
    Expected { state: State::Deferred, code: 450, enhanced, text, error: Some(ErrorCode::ReplyDeferred) }
}

const fn closing(text: &'static str) -> Expected {
    Expected { state: State::Deferred, code: 421, enhanced: "4.3.2", text, error: Some(ErrorCode::ReplyClosing) }
}

const UNKNOWN_HERE: Expected = rejected("5.1.1", "recipient refused");
const NOT_NOW: Expected = deferred("4.2.1", "recipient deferred");
const USUAL: Case = Case { from: "alice@example.test", to: &[BOB], header: "", expected: &[TAKEN] };

/// The session goes on behind each of these.
const REFUSED: &[Case] = &[
    Case {
        from: "refused-sender@example.test",
        to: &[BOB, "reject@example.test"],
        expected: &[rejected("5.7.1", "sender refused"), rejected("5.7.1", "sender refused")],
        ..USUAL
    },
    Case { from: "deferred-sender@example.test", expected: &[deferred("4.7.1", "sender deferred")], ..USUAL },
    Case { to: &["reject@example.test"], expected: &[UNKNOWN_HERE], ..USUAL },
    Case { to: &["defer@example.test"], expected: &[NOT_NOW], ..USUAL },
    Case {
        to: &["reject@example.test", BOB, "defer@example.test", "somebody@example.test", "bob@elsewhere.test"],
        expected: &[
            UNKNOWN_HERE,
            TAKEN,
            NOT_NOW,
            TAKEN,
            Expected { code: 554, ..rejected("5.7.1", "Relay access denied") },
        ],
        ..USUAL
    },
    Case { to: &["defer@example.test", "reject@example.test"], expected: &[NOT_NOW, UNKNOWN_HERE], ..USUAL },
    Case {
        from: "refused-at-data@example.test",
        to: &[BOB, "reject@example.test", "somebody@example.test"],
        expected: &[rejected("5.7.1", "refused at DATA"), UNKNOWN_HERE, rejected("5.7.1", "refused at DATA")],
        ..USUAL
    },
    Case { from: "deferred-at-data@example.test", expected: &[deferred("4.7.1", "deferred at DATA")], ..USUAL },
    Case {
        from: "refused-content@example.test",
        to: &["defer@example.test", BOB],
        expected: &[NOT_NOW, rejected("5.7.1", "content refused")],
        ..USUAL
    },
    Case { from: "deferred-content@example.test", expected: &[deferred("4.7.1", "content deferred")], ..USUAL },
    Case { header: "X-Refuse: yes\r\n", expected: &[rejected("5.7.1", "header refused")], ..USUAL },
];

/// The session ends with each of these.
const ENDED: &[Case] = &[
    Case { to: &["hang-up@example.test"], expected: &[closing("closing at the recipient")], ..USUAL },
    Case {
        to: &["reject@example.test", BOB, "hang-up@example.test"],
        expected: &[UNKNOWN_HERE, closing("closing at the recipient"), closing("closing at the recipient")],
        ..USUAL
    },
    Case { from: "hang-up-at-data@example.test", expected: &[closing("closing at DATA")], ..USUAL },
    Case {
        from: "hang-up-after-content@example.test",
        to: &[BOB, "defer@example.test"],
        expected: &[closing("closing after the content"), NOT_NOW],
        ..USUAL
    },
];

impl Case {
    fn letter(&self) -> Letter {
        let rest = format!("{}Subject: asks for trouble\r\n\r\n.\r\n", self.header);
        Letter::new(self.to, rest.as_bytes()).from(self.from)
    }

    fn check(&self, outcome: &Outcome, note: &str) {
        assert_eq!(outcome.recipients.len(), self.expected.len());
        for (recipient, expected) in outcome.recipients.iter().zip(self.expected) {
            let reply = recipient.reply.as_ref().unwrap_or_else(|| panic!("no reply; {note}\n{outcome:#?}"));
            let enhanced = reply.enhanced().map(|enhanced| enhanced.to_string());
            let error = recipient.error().map(|error| error.code());
            assert_eq!(
                (recipient.state, reply.code().as_u16(), enhanced.as_deref(), error),
                (expected.state, expected.code, Some(expected.enhanced), expected.error),
                "{note}\n{outcome:#?}"
            );
            assert!(reply.text().contains(expected.text), "{reply}; {note}");
        }
    }
}

#[test]
fn a_refused_message_does_not_touch_the_others() {
    let servers = Servers::shared();
    let mut books = Books::new(servers);
    for way in all_ways() {
        let mut client = way.client(servers.in_clear("mx"));
        for streamed in [false, true] {
            // A message that is taken stands before, between and behind them.
            let cases: Vec<&Case> = REFUSED.iter().flat_map(|case| [&USUAL, case]).chain([&USUAL]).collect();
            send(&mut client, &cases, way, streamed, &mut books);
        }
    }
    books.balance();
}

#[test]
fn refused_messages_behind_each_other_do_not_touch_each_other() {
    let servers = Servers::shared();
    let mut books = Books::new(servers);
    for way in all_ways() {
        let cases: Vec<&Case> = REFUSED.iter().chain(REFUSED.iter().rev()).collect();
        send(&mut way.client(servers.in_clear("mx")), &cases, way, false, &mut books);
    }
    books.balance();
}

fn send(client: &mut Client, cases: &[&Case], way: Way, streamed: bool, books: &mut Books<'_>) {
    let letters: Vec<Letter> = cases.iter().map(|case| case.letter()).collect();
    let message = |letter: &Letter| if streamed { letter.streamed() } else { letter.message() };
    let outcomes = client.send_many(letters.iter().map(message).collect());
    for ((case, letter), outcome) in cases.iter().zip(letters).zip(&outcomes) {
        let note = format!("{way}, streamed {streamed}: from {} to {:?}{}", case.from, case.to, case.header);
        case.check(outcome, &note);
        books.enter(letter, outcome, &note);
    }
}

#[test]
fn a_session_that_ends_costs_no_other_message() {
    let servers = Servers::shared();
    let mut books = Books::new(servers);
    for way in all_ways() {
        for case in ENDED {
            let cases = [&USUAL, &USUAL, case, &USUAL, &USUAL];
            let letters: Vec<Letter> = cases.iter().map(|case| case.letter()).collect();
            let mut client = way.client(servers.in_clear("mx"));
            let outcomes = client.send_many(letters.iter().map(Letter::message).collect());
            let in_flight = way.level == Pipelining::Streaming && way.prefers_bdat();
            for (place, (letter, outcome)) in letters.into_iter().zip(&outcomes).enumerate() {
                let note = format!("{way}: number {place}, from {} to {:?}", case.from, case.to);
                match place {
                    // Nobody knows what the server makes of content that it has, but did not come to.
                    2 if in_flight && case.to.len() > 1 && case.to.contains(&"hang-up@example.test") => {
                        let states: Vec<State> = outcome.recipients.iter().map(|it| it.state).collect();
                        assert_eq!(states, [State::Rejected, State::Unknown, State::Deferred], "{note}\n{outcome:#?}");
                    }
                    2 => case.check(outcome, &note),
                    // Their content was under way when the server hung up: nobody knows what it made of that.
                    3.. if in_flight && outcome.recipients[0].state == State::Unknown => {}
                    _ => USUAL.check(outcome, &note),
                }
                books.enter(letter, outcome, &note);
            }
        }
    }
    books.balance();
}

#[test]
fn all_or_nothing() {
    let servers = Servers::shared();
    let mut books = Books::new(servers);
    for way in all_ways() {
        let mut client = way.client(servers.in_clear("mx"));
        let letters = [
            Letter::plain(&[BOB, "somebody@example.test"]),
            Letter::plain(&[BOB, "reject@example.test", "somebody@example.test"]),
            Letter::plain(&["defer@example.test", BOB]),
            Letter::plain(&[BOB]),
        ];
        let outcomes = client.send_many(letters.iter().map(|it| it.message().all_or_nothing(true)).collect());
        let seen = outcomes.iter().map(|outcome| outcome.recipients.iter().map(shown).collect::<Vec<_>>());
        let expected: [&[&str]; 4] = [
            &["accepted", "accepted"],
            &["deferred cancelled.all_or_nothing", "rejected reply.rejected", "deferred cancelled.all_or_nothing"],
            &["deferred reply.deferred", "deferred cancelled.all_or_nothing"],
            &["accepted"],
        ];
        assert_eq!(seen.collect::<Vec<_>>(), expected, "{way}");
        for (letter, outcome) in letters.into_iter().zip(&outcomes) {
            books.enter(letter, outcome, &way);
        }
    }
    books.balance();
}

fn shown(recipient: &okuru::RecipientOutcome) -> String {
    match recipient.error() {
        Some(error) => format!("{} {}", recipient.state, error.code()),
        None => recipient.state.to_string(),
    }
}
