//! LMTP answers the content once for each recipient (RFC 2033 §4.2).

use okuru::{Outcome, State};

use crate::harness::{Books, Letter, Servers, all_ways, options};

const MIXED: [&str; 5] =
    ["alice@example.test", "nobody@example.test", "full@example.test", "full-for-now@example.test", "bob@example.test"];

fn states(outcome: &Outcome) -> Vec<(State, u16)> {
    let shown = |it: &okuru::RecipientOutcome| (it.state, it.reply.as_ref().map_or(0, |reply| reply.code().as_u16()));
    outcome.recipients.iter().map(shown).collect()
}

#[test]
fn each_recipient_has_its_own_outcome() {
    let servers = Servers::shared();
    let mut books = Books::new(servers);
    for way in all_ways() {
        for url in [
            format!("lmtp://127.0.0.1:{}", servers.dovecot("lmtp")),
            format!("lmtp://{}", servers.lmtp_socket().display()),
        ] {
            let mut client = way.client(options(&url));
            let letters = [
                Letter::plain(&["bob@example.test"]),
                Letter::plain(&MIXED),
                Letter::plain(&["full@example.test"]),
                Letter::plain(&["nobody@example.test"]),
                Letter::plain(&["full-for-now@example.test", "alice@example.test"]),
                Letter::plain(&MIXED),
                Letter::plain(&["alice@example.test", "bob@example.test"]),
            ];
            let messages = letters.iter().enumerate();
            let messages = messages.map(|(place, it)| if place == 5 { it.streamed() } else { it.message() });
            let outcomes = client.send_many(messages.collect());
            let (taken, unknown) = ((State::Accepted, 250), (State::Rejected, 550));
            let (full, full_for_now) = ((State::Rejected, 552), (State::Deferred, 452));
            let mixed = [taken, unknown, full, full_for_now, taken];
            let expected: [&[_]; 7] =
                [&[taken], &mixed, &[full], &[unknown], &[full_for_now, taken], &mixed, &[taken, taken]];
            for (place, (letter, outcome)) in letters.into_iter().zip(&outcomes).enumerate() {
                assert_eq!(states(outcome), expected[place], "{way}: number {place}\n{outcome:#?}");
                books.enter(letter, outcome, &way);
            }
        }
    }
    books.balance();
}

#[test]
fn all_or_nothing_holds_until_the_content() {
    let servers = Servers::shared();
    let mut books = Books::new(servers);
    for way in all_ways() {
        let mut client = way.client(options(&format!("lmtp://127.0.0.1:{}", servers.dovecot("lmtp"))));
        let letters = [
            Letter::plain(&["alice@example.test", "nobody@example.test", "bob@example.test"]),
            // Who has no room is known only behind the content, and then nobody can be stopped.
            Letter::plain(&["alice@example.test", "full@example.test", "bob@example.test"]),
            Letter::plain(&["alice@example.test", "bob@example.test"]),
        ];
        let outcomes = client.send_many(letters.iter().map(|it| it.message().all_or_nothing(true)).collect());
        let just = |outcome| states(outcome).into_iter().map(|(state, _)| state).collect::<Vec<_>>();
        let (accepted, rejected, deferred) = (State::Accepted, State::Rejected, State::Deferred);
        assert_eq!(just(&outcomes[0]), [deferred, rejected, deferred], "{way}");
        assert_eq!(just(&outcomes[1]), [accepted, rejected, accepted], "{way}");
        assert_eq!(just(&outcomes[2]), [accepted, accepted], "{way}");
        for (letter, outcome) in letters.into_iter().zip(&outcomes) {
            books.enter(letter, outcome, &way);
        }
    }
    books.balance();
}
