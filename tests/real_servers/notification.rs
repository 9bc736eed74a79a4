//! What a sender hears of a message that did not arrive: the notification comes by way of a real server, and is read by somebody
//! else's parser.

use mail_parser::{MessageParser, MimeHeaders as _, PartType};
use okuru::blocking::Client;
use okuru::dsn::{Action, Fate, Original, Report};
use okuru::{Message, State, Summary};

use crate::harness::{Letter, Servers};

#[test]
fn a_refused_message_comes_back_to_its_sender() {
    let servers = Servers::shared();
    let mut client = Client::new(servers.in_clear("mx"));
    let letter = Letter::plain(&["bob@example.test", "reject@example.test"]);
    let outcome = client.send(letter.message());
    assert_eq!(outcome.summary(), Summary::Partial, "{outcome:#?}");

    let fates: Vec<Fate> = (0..)
        .zip(&outcome.recipients)
        .filter(|(_, recipient)| recipient.state == State::Rejected)
        .filter_map(|(place, recipient)| Fate::of(place, Action::Failed, recipient, "mail.test".parse().ok()))
        .collect();
    let report = Report {
        original: Original::Header(b"Subject: plain\r\n"),
        ..Report::new(
            "mx.example.test".parse().expect("a name"),
            &outcome.envelope,
            &fates,
            1_795_328_000,
            *b"0123456789abcdef",
        )
    };
    let notification = report.notification().expect("its sender wants to hear of it");
    let first_line = notification.content.split(|&byte| byte == b'\r').next().expect("there is one").to_vec();
    let message = Message::with_envelope(notification.envelope, notification.content);
    let outcome = client.send(message);
    assert_eq!(outcome.summary(), Summary::Accepted, "{outcome:#?}");
    assert!(report_on_it(&fates, &outcome).is_none(), "nobody is told of a notification");

    let copies = servers.post.wait_for(&first_line, 1);
    let [copy] = copies.as_slice() else { panic!("{copies:?}") };
    assert_eq!((copy.from.as_str(), copy.to.as_str()), ("", "alice@example.test"));
    let parsed = MessageParser::default().parse(&copy.content).expect("a message");
    let media_type = parsed.content_type().expect("it has one");
    assert_eq!((media_type.ctype(), media_type.subtype()), ("multipart", Some("report")));
    assert_eq!(media_type.attribute("report-type"), Some("delivery-status"));
    let status = parsed.parts.iter().find(|part| part.is_content_type("message", "delivery-status"));
    let status = match &status.expect("it has a status").body {
        PartType::Text(text) => text.to_string(),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("{other:?}"),
    };
    for field in [
        "Reporting-MTA: dns; mx.example.test",
        "Final-Recipient: rfc822; reject@example.test",
        "Action: failed",
        "Status: 5.1.1",
    ] {
        assert!(status.contains(field), "no {field}: {status}");
    }
    assert!(!status.contains("bob@example.test"), "he got it: {status}");
    // What was sent to bob is left to whoever asks for it.
    servers.post.wait_for(letter.first_line(), 1);
}

fn report_on_it(fates: &[Fate], outcome: &okuru::Outcome) -> Option<okuru::dsn::Notification> {
    let name = "mx.example.test".parse().expect("a name");
    Report::new(name, &outcome.envelope, fates, 1_795_328_000, [7; 16]).notification()
}
