//! The server dies while it takes mail: what the client says became of each message is still true.

use std::io::{self, Read};
use std::sync::Arc;

use okuru::{Chunking, Content, ErrorCode, InFlight, Outcome, Pipelining, Progress, State, Summary};

use crate::harness::{BOTH, Books, Dialogue, Letter, Servers, Way};

const BOB: [&str; 1] = ["bob@example.test"];

/// The ways that keep much in flight, and those that keep little.
fn ways() -> impl Iterator<Item = Way> {
    let levels = [Pipelining::Streaming, Pipelining::Session];
    levels.into_iter().flat_map(|level| {
        let chunking = if level == Pipelining::Streaming { Chunking::Prefer } else { Chunking::Never };
        BOTH.map(|kind| Way { kind, level, chunking })
    })
}

#[test]
fn a_crash_in_the_middle_of_many_messages() {
    let servers = Servers::start(&["postfix"]);
    for way in ways() {
        let dialogue = Dialogue::default();
        // Together they are more than may be in flight.
        let in_flight = InFlight { bytes: 128 << 10, bytes_per_second: 0, ..InFlight::default() };
        let mut client = way.client(dialogue.of(servers.in_clear("mx").in_flight(in_flight)));
        let body = [b"Subject: one of many\r\n\r\n", b"a line of text\r\n".repeat(250).as_slice()].concat();
        let letters: Vec<Letter> = (0..150).map(|_| Letter::new(&BOB, &body)).collect();
        let mut killed = 0;
        let outcomes = client.send_many_and(letters.iter().map(Letter::message).collect(), |told| {
            if told == 30 {
                killed = servers.kill_smtpd("mx");
            }
        });
        client.close();
        assert!(killed > 0, "nothing was killed; {way}");
        assert_eq!(dialogue.count("EHLO"), 2, "another session; {way}");
        let count = |state| outcomes.iter().filter(|outcome| outcome.recipients[0].state == state).count();
        assert!(count(State::Accepted) >= 30, "{way}");
        assert_eq!(count(State::Rejected), 0, "{way}");
        // The last of them went over the session behind the crash.
        assert_eq!(outcomes.last().map(Outcome::summary), Some(Summary::Accepted), "{way}");
        let at_risk = count(State::Unknown) + count(State::Deferred);
        match way.level {
            Pipelining::Streaming => assert!(at_risk > 0, "nothing was in flight; {way}"),
            // The one whose content was under way.
            _ => assert!(at_risk <= 1, "{at_risk}; {way}"),
        }
        servers.wait_for_empty_queues();
        let mut books = Books::new(&servers);
        for (letter, outcome) in letters.into_iter().zip(&outcomes) {
            books.enter(letter, outcome, &format!("{way}: {:?}", outcome.progress));
        }
        books.balance();
    }
}

/// Content during which the server is killed.
struct Deadly {
    content: io::Cursor<Vec<u8>>,
    servers: Arc<Servers>,
    killed: usize,
}

impl Read for Deadly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let middle = self.content.get_ref().len() as u64 / 2;
        if self.content.position() > middle && self.killed == 0 {
            self.killed = self.servers.kill_smtpd("mx");
            assert!(self.killed > 0, "nothing was killed");
        }
        let most = buffer.len().min(16 << 10);
        self.content.read(&mut buffer[..most])
    }
}

#[test]
fn a_crash_in_the_middle_of_a_content() {
    let servers = Arc::new(Servers::start(&["postfix"]));
    for way in ways() {
        let mut client = way.client(servers.in_clear("mx"));
        let body = [b"Subject: large\r\n\r\n", b"a line of text\r\n".repeat(100_000).as_slice()].concat();
        let letters = [Letter::plain(&BOB), Letter::new(&BOB, &body), Letter::plain(&BOB)];
        let [before, cut, behind] = &letters;
        let content = io::Cursor::new(cut.content.clone());
        let deadly = Content::reader(Deadly { content, servers: Arc::clone(&servers), killed: 0 }, None);
        let outcomes = client.send_many(vec![before.message(), cut.message_of(deadly), behind.message()]);
        client.close();
        let states: Vec<State> = outcomes.iter().map(|outcome| outcome.recipients[0].state).collect();
        assert_eq!(states, [State::Accepted, State::Deferred, State::Accepted], "{way}\n{:#?}", outcomes[1]);
        assert_eq!(outcomes[1].progress, Progress::Content, "{way}");
        let code = outcomes[1].error.as_ref().map(okuru::Error::code);
        assert!(matches!(code, Some(ErrorCode::ConnectLost | ErrorCode::ProtocolClosed)), "{code:?}; {way}");
        servers.wait_for_empty_queues();
        let mut books = Books::new(&servers);
        for (letter, outcome) in letters.into_iter().zip(&outcomes) {
            books.enter(letter, outcome, &way);
        }
        books.balance();
    }
}

#[test]
fn a_crash_between_messages_is_not_noticed() {
    let servers = Servers::start(&["postfix"]);
    let mut books = Books::new(&servers);
    for way in ways() {
        let dialogue = Dialogue::default();
        let mut client = way.client(dialogue.of(servers.in_clear("mx")));
        for _ in 0..2 {
            let letters = [Letter::plain(&BOB), Letter::plain(&BOB)];
            let outcomes = client.send_many(letters.iter().map(Letter::message).collect());
            for (letter, outcome) in letters.into_iter().zip(&outcomes) {
                assert_eq!(outcome.summary(), Summary::Accepted, "{outcome:#?}; {way}");
                books.enter(letter, outcome, &way);
            }
            assert!(servers.kill_smtpd("mx") > 0, "nothing was killed; {way}");
        }
        assert_eq!(dialogue.count("EHLO"), 2, "{way}");
    }
    books.balance();
}
