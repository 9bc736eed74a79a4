//! What is accepted arrives as it was sent: every level, DATA and BDAT, both clients, each server.

use std::collections::HashSet;

use okuru::{Content, ErrorCode, Mechanism, Message, Options, State, Summary};

use crate::harness::{Books, Client, Dialogue, Kind, Letter, Piecemeal, Servers, Way, all_ways, options};

/// A service, and what is special about it.
struct Place {
    options: fn(&Servers) -> Options,
    to: [&'static str; 2],
    hops: usize,
    offers_chunking: bool,
    offers_8bitmime: bool,
    offers_smtputf8: bool,
    /// Whether a last line that came by BDAT without its end is given one.
    ends_lines: bool,
    logs_in: bool,
}

const POSTFIX: Place = Place {
    options: |servers| servers.in_clear("mx"),
    to: ["bob@example.test", "somebody@example.test"],
    hops: 1,
    offers_chunking: true,
    offers_8bitmime: true,
    offers_smtputf8: true,
    ends_lines: true,
    logs_in: false,
};

const DOVECOT_LMTP: Place = Place {
    options: |servers| options(&format!("lmtp://127.0.0.1:{}", servers.dovecot("lmtp"))),
    to: ["bob@example.test", "alice@example.test"],
    offers_smtputf8: false,
    ends_lines: false,
    ..POSTFIX
};

#[test]
fn postfix_in_clear() {
    send_in_every_way(&POSTFIX);
}

#[test]
fn postfix_without_pipelining_and_chunking() {
    send_in_every_way(&Place { options: |servers| servers.in_clear("plain"), offers_chunking: false, ..POSTFIX });
}

#[test]
fn postfix_without_extensions() {
    send_in_every_way(&Place {
        options: |servers| servers.in_clear("bare"),
        offers_chunking: false,
        offers_8bitmime: false,
        offers_smtputf8: false,
        ..POSTFIX
    });
}

#[test]
fn postfix_by_starttls_with_scram() {
    send_in_every_way(&Place {
        options: |servers| logged_in(servers, &format!("smtp://localhost:{}", servers.postfix("submission"))),
        logs_in: true,
        ..POSTFIX
    });
}

#[test]
fn postfix_by_implicit_tls_with_scram() {
    send_in_every_way(&Place {
        options: |servers| logged_in(servers, &format!("smtps://localhost:{}", servers.postfix("submissions"))),
        logs_in: true,
        ..POSTFIX
    });
}

#[test]
fn dovecot_by_lmtp_over_tcp() {
    send_in_every_way(&DOVECOT_LMTP);
}

#[test]
fn dovecot_by_lmtp_over_a_unix_socket() {
    send_in_every_way(&Place {
        options: |servers| options(&format!("lmtp://{}", servers.lmtp_socket().display())),
        ..DOVECOT_LMTP
    });
}

#[test]
fn dovecot_submission_by_starttls_with_scram() {
    send_in_every_way(&Place {
        options: |servers| logged_in(servers, &format!("smtp://localhost:{}", servers.dovecot("submission"))),
        hops: 2,
        offers_smtputf8: false,
        logs_in: true,
        ..POSTFIX
    });
}

fn logged_in(servers: &Servers, url: &str) -> Options {
    let alice = &servers.users()[0];
    let options = options(url).ca_file(&servers.told.tls.ca);
    options.password(&alice.name, alice.password.as_str()).expect("the passwords of the tests can be sent")
}

fn send_in_every_way(place: &Place) {
    let servers = Servers::shared();
    let mut books = Books::new(servers).hops(place.hops);
    let mut queue_ids = HashSet::new();
    for way in all_ways() {
        let dialogue = Dialogue::default();
        let mut client = way.client(dialogue.of((place.options)(servers)));
        let info = client.connect().unwrap_or_else(|error| panic!("{error}; {way}"));
        assert_eq!(info.mechanism, place.logs_in.then_some(Mechanism::ScramSha256), "{way}");
        let (letters, messages): (Vec<_>, Vec<_>) = make_letters(place, way).into_iter().unzip();
        let outcomes = client.send_many(messages);
        client.close();
        let told = dialogue.text();
        assert_eq!(dialogue.count("QUIT"), 1, "one session; {way}\n{told}");
        let by_bdat = way.prefers_bdat() && place.offers_chunking;
        assert_eq!((dialogue.count("BDAT") > 0, dialogue.count("DATA") > 0), (by_bdat, !by_bdat), "{way}");
        for (letter, outcome) in letters.into_iter().zip(&outcomes) {
            let note = format!("{way}: {}", letter.note);
            if let Some(expected) = letter.refused_with {
                let error = outcome.error.as_ref().unwrap_or_else(|| panic!("no error; {note}"));
                assert_eq!((outcome.summary(), error.code()), (Summary::Rejected, expected), "{note}");
                books.enter(letter.letter, outcome, &note);
                continue;
            }
            assert!(outcome.recipients.iter().all(|it| it.state == State::Accepted), "{outcome:#?}; {note}\n{told}");
            assert!(outcome.recipients.iter().all(|it| it.reply.as_ref().is_some_and(|it| it.code() == 250)), "{note}");
            let queue_id = outcome.queue_id().unwrap_or_else(|| panic!("no queue id; {note}\n{outcome:#?}"));
            assert!(queue_ids.insert(queue_id.to_owned()), "{queue_id} was there before; {note}");
            let mut content = letter.letter.delivered();
            if !content.ends_with(b"\n") && (place.ends_lines || !by_bdat) {
                content.push(b'\n');
            }
            books.enter_with(letter.letter, outcome, content, &note);
        }
    }
    books.balance();
}

/// A letter of the matrix.
struct Sent {
    letter: Letter,
    note: String,
    /// Where the server does not offer what it needs.
    refused_with: Option<ErrorCode>,
}

fn make_letters(place: &Place, way: Way) -> Vec<(Sent, Message)> {
    let mut letters = Vec::new();
    let mut add = |letter: Letter, note: &str, message: Message, refused_with: Option<ErrorCode>| {
        letters.push((Sent { letter, note: note.to_owned(), refused_with }, message));
    };
    for (name, content) in contents() {
        let letter = Letter::new(&place.to, &content);
        let eight_bit = !content.is_ascii();
        let refused_with = (eight_bit && !place.offers_8bitmime).then_some(ErrorCode::MessageNeeds8bitmime);
        add(letter.clone(), name, letter.message(), refused_with);
        if eight_bit && !place.offers_8bitmime {
            // That its content is not 7-bit would be found on the way: see `limits`.
            continue;
        }
        let letter = Letter::new(&place.to, &content);
        let streamed = match way.kind {
            Kind::Blocking => letter.streamed(),
            Kind::Tokio => letter.message_of(Content::async_reader(Piecemeal::new(letter.content.clone()), None)),
        };
        add(letter, &format!("{name}, streamed"), streamed, None);
    }
    let international = Letter::new(&place.to, "Subject: smörgåsbord ☃\r\n\r\nSmörgåsbord\r\n".as_bytes());
    let refused_with = (!place.offers_smtputf8).then_some(ErrorCode::MessageNeedsSmtputf8);
    add(international.clone(), "a header beyond ASCII", international.message(), refused_with);
    let refused_with = (!place.offers_smtputf8).then_some(ErrorCode::AddressNeedsSmtputf8);
    let letter = Letter::plain(&["josé@example.test", place.to[0]]).from("josé@example.test");
    add(letter.clone(), "addresses beyond ASCII", letter.message(), refused_with);
    letters
}

/// What a client or a server could get wrong. Each begins within a header.
fn contents() -> [(&'static str, Vec<u8>); 9] {
    let mut long_header = b"X-Folded: begin".to_vec();
    (0..2000).for_each(|number| long_header.extend_from_slice(format!("\r\n\tfolded {number} ").as_bytes()));
    long_header.extend_from_slice(b"\r\nX-Long: ");
    long_header.extend_from_slice(&[b'l'; 5000]);
    long_header.extend_from_slice(b"\r\n\r\nbody\r\n");
    [
        (
            "7-bit",
            b"Subject: a line  \r\n\twith a tab \r\nBcc: x@y\r\n\r\nHello! \r\n\r\n \t\r\nFrom here\r\n\r\n".to_vec(),
        ),
        ("8-bit", b"Subject: bytes\r\n\r\ncaf\xc3\xa9 \xff\xfe\x80\r\n\xa0\r\n".to_vec()),
        ("dots", b"Subject: dots\r\n\r\n.\r\n..\r\n.one\r\n...\r\n.\r\n.\r\nend.\r\n.\r\n".to_vec()),
        ("LF alone", b"Subject: unix\n\n.\nline\n..\n\n.\n".to_vec()),
        ("CR and LF mixed", b"Subject: mixed\r\n\r\none\rtwo\n.\r.\n\r\nthree\r\r\n.\n".to_vec()),
        ("no last line end", b"Subject: no end\r\n\r\nHello\r\n.".to_vec()),
        ("no body", b"Subject: nothing\r\n\r\n".to_vec()),
        ("long headers", long_header),
        ("1 MB", make_megabyte()),
    ]
}

/// Lines of every length, with dots at their beginnings.
fn make_megabyte() -> Vec<u8> {
    let mut content = b"Subject: large\r\n\r\n".to_vec();
    let mut state = 1_u32;
    while content.len() < 1 << 20 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = (state >> 16) as usize % 200;
        let first = if state >> 29 == 0 { b'.' } else { b'a' + (state >> 24) as u8 % 26 };
        content.extend(std::iter::repeat_n(first, length));
        content.extend_from_slice(b"\r\n");
    }
    content
}

#[test]
fn an_international_domain_goes_by_its_ascii_form() {
    let servers = Servers::shared();
    let mut books = Books::new(servers);
    for way in all_ways() {
        let dialogue = Dialogue::default();
        let mut client: Client = way.client(dialogue.of(servers.in_clear("bare")));
        let mut letter = Letter::plain(&["somebody@exämple.test"]);
        let outcome = client.send(letter.message());
        assert_eq!(outcome.summary(), Summary::Accepted, "{outcome:#?}; {way}");
        assert!(dialogue.text().contains("somebody@xn--exmple-cua.test"), "{way}");
        letter.to = vec!["somebody@xn--exmple-cua.test".to_owned()];
        books.enter(letter, &outcome, &way);
    }
    books.balance();
}
