//! Servers that take less than others: fewer recipients, smaller messages, fewer kinds of content.

use okuru::{BodyDeclaration, Content, Error, ErrorCode, Newlines, Outcome, State, Summary};

use crate::harness::{Books, Dialogue, Letter, Servers, all_ways};

fn codes(outcome: &Outcome) -> Vec<(State, Option<ErrorCode>)> {
    outcome.recipients.iter().map(|it| (it.state, it.error().as_ref().map(Error::code))).collect()
}

#[test]
fn recipients_beyond_the_limit_go_in_further_transactions() {
    let servers = Servers::shared();
    let limit = servers.limit("few_recipients");
    let addresses: Vec<String> = (0..2 * limit + 2).map(|number| format!("r{number}@example.test")).collect();
    let mut addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    addresses[1] = "reject@example.test";
    let mut books = Books::new(servers);
    for way in all_ways() {
        let dialogue = Dialogue::default();
        let mut client = way.client(dialogue.of(servers.in_clear("few_recipients")));
        let letters = [
            Letter::plain(&["bob@example.test"]),
            Letter::plain(&addresses),
            Letter::plain(&addresses),
            Letter::plain(&addresses),
            Letter::plain(&["bob@example.test"]),
        ];
        let [first, whole, stream, together, last] = &letters;
        let messages = vec![
            first.message(),
            whole.message(),
            stream.streamed(),
            together.message().all_or_nothing(true),
            last.message(),
        ];
        let outcomes = client.send_many(messages);
        let accepted = (State::Accepted, None);
        let mut expected = vec![accepted; addresses.len()];
        expected[1] = (State::Rejected, Some(ErrorCode::ReplyRejected));
        assert_eq!(codes(&outcomes[0]), [accepted], "{way}");
        assert_eq!(codes(&outcomes[1]), expected, "{way}");
        // What can't be read again goes to those whom the server took at first.
        expected[limit + 1..].fill((State::Deferred, Some(ErrorCode::ReplyDeferred)));
        assert_eq!(codes(&outcomes[2]), expected, "{way}");
        assert_eq!(outcomes[2].recipients[limit + 1].reply.as_ref().map(|it| it.code().as_u16()), Some(452), "{way}");
        expected[..=limit].fill((State::Deferred, Some(ErrorCode::CancelledAllOrNothing)));
        expected[1] = (State::Rejected, Some(ErrorCode::ReplyRejected));
        assert_eq!(codes(&outcomes[3]), expected, "{way}");
        assert_eq!(codes(&outcomes[4]), [accepted], "{way}");
        // Of 3, 3 and 1 recipients.
        assert_eq!(dialogue.count("MAIL"), 1 + 3 + 1 + 1 + 1, "{way}\n{}", dialogue.text());
        for (letter, outcome) in letters.into_iter().zip(&outcomes) {
            books.enter(letter, outcome, &way);
        }
    }
    books.balance();
}

#[test]
fn a_server_may_say_late_that_a_message_is_too_large() {
    let servers = Servers::shared();
    let large = b"0123456789abcde\r\n".repeat(servers.limit("small_message") / 8);
    let mut books = Books::new(servers);
    for way in all_ways() {
        let mut client = way.client(servers.in_clear("small"));
        let to = &["bob@example.test", "defer@example.test"][..];
        let letters =
            [Letter::plain(to), Letter::new(to, &large), Letter::plain(to), Letter::new(to, &large), Letter::plain(to)];
        let messages =
            letters.iter().enumerate().map(|(place, it)| if place == 3 { it.streamed() } else { it.message() });
        let outcomes = client.send_many(messages.collect());
        let deferred = (State::Deferred, Some(ErrorCode::ReplyDeferred));
        for (place, (letter, outcome)) in letters.into_iter().zip(&outcomes).enumerate() {
            let (first, reply) = match place {
                1 | 3 => ((State::Rejected, Some(ErrorCode::ReplyRejected)), 552),
                _ => ((State::Accepted, None), 250),
            };
            assert_eq!(codes(outcome), [first, deferred], "{way}: number {place}\n{outcome:#?}");
            let code = outcome.recipients[0].reply.as_ref().map(|it| it.code().as_u16());
            assert_eq!(code, Some(reply), "{way}: number {place}");
            books.enter(letter, outcome, &way);
        }
    }
    books.balance();
}

#[test]
fn what_can_not_be_sent_is_not_sent() {
    let servers = Servers::shared();
    let mut books = Books::new(servers);
    for way in all_ways() {
        let dialogue = Dialogue::default();
        let mut client = way.client(dialogue.of(servers.in_clear("mx")));
        let letters: Vec<Letter> = (0..8).map(|_| Letter::plain(&["bob@example.test"])).collect();
        let too_large = Some(servers.limit("message") as u64 + 1);
        let content = |place: usize| letters[place].content.as_slice().to_vec();
        let bare = Letter::new(&["bob@example.test"], b"\nbare\n");
        let messages = vec![
            letters[0].message(),
            letters[1].message_of(Content::reader(std::io::repeat(b'x'), too_large)),
            letters[2].message().body_declaration(BodyDeclaration::BinaryMime),
            letters[3].message_of("8-bit: \u{e9}\r\n\r\n").body_declaration(BodyDeclaration::SevenBit),
            bare.message().newlines(Newlines::Refuse),
            letters[5].message_of(Content::file("/nonexistent/letter.eml")),
            letters[6].message_of(Content::reader(std::io::Cursor::new(content(6)), Some(1))),
            letters[7].message(),
        ];
        let outcomes = client.send_many(messages);
        let seen: Vec<_> = outcomes.iter().map(|outcome| codes(outcome)[0]).collect();
        let rejected = |code| (State::Rejected, Some(code));
        let expected = [
            (State::Accepted, None),
            rejected(ErrorCode::MessageTooLarge),
            rejected(ErrorCode::MessageNeedsBinarymime),
            rejected(ErrorCode::MessageNeeds8bitmime),
            rejected(ErrorCode::MessageBareNewline),
            (State::Deferred, Some(ErrorCode::MessageUnreadable)),
            rejected(ErrorCode::MessageSizeMismatch),
            (State::Accepted, None),
        ];
        assert_eq!(seen, expected, "{way}\n{outcomes:#?}");
        for (letter, outcome) in letters.into_iter().zip(&outcomes) {
            books.enter(letter, outcome, &way);
        }
        // Only the size turns out on the way.
        assert!(dialogue.count("MAIL") <= 4, "{way}\n{}", dialogue.text());
    }
    books.balance();
}

#[test]
fn a_stream_that_turns_out_to_be_8_bit_is_not_sent_where_that_is_not_offered() {
    let servers = Servers::shared();
    let mut books = Books::new(servers);
    for way in all_ways() {
        let mut client = way.client(servers.in_clear("bare"));
        let late = [b"Subject: late\r\n\r\n", b"seven\r\n".repeat(20_000).as_slice(), b"eight: \xe9\r\n"].concat();
        let letters = [
            Letter::plain(&["bob@example.test"]),
            Letter::new(&["bob@example.test", "somebody@example.test"], &late),
            Letter::plain(&["bob@example.test"]),
        ];
        let outcomes = client.send_many(letters.iter().map(Letter::streamed).collect());
        let summaries: Vec<Summary> = outcomes.iter().map(Outcome::summary).collect();
        assert_eq!(summaries, [Summary::Accepted, Summary::Rejected, Summary::Accepted], "{way}\n{outcomes:#?}");
        assert_eq!(codes(&outcomes[1])[0].1, Some(ErrorCode::MessageNeeds8bitmime), "{way}");
        for (letter, outcome) in letters.into_iter().zip(&outcomes) {
            books.enter(letter, outcome, &way);
        }
    }
    books.balance();
}
