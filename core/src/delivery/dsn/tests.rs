//! Whole notifications.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::client::{Envelope, Recipient};
use crate::delivery::dialogue::{HELLO, outcome};
use crate::delivery::route::{Config, Output, Resolution, Route};
use crate::syntax::{EnhancedCode, ForwardPath, Header, MailParameters, MessageDate, Notify, Reply, Ret};
use crate::{Error, ErrorCode};

const NOW: i64 = 1_795_328_000;
const UNIQUE: &str = "07070707070707070707070707070707";

fn envelope(from: &str, to: &[&str]) -> Envelope {
    let recipient = |text: &&str| Recipient::from(format!("<{text}>").parse::<ForwardPath>().unwrap());
    Envelope {
        reverse_path: from.parse().unwrap(),
        parameters: MailParameters::default(),
        recipients: to.iter().map(recipient).collect(),
    }
}

fn failed(recipient: usize, reply: &str) -> Fate {
    let reply = Reply::parse(reply.as_bytes()).unwrap();
    let status = reply.enhanced().unwrap_or(EnhancedCode { class: 5, subject: 0, detail: 0 });
    Fate {
        reply: Some(reply),
        remote_mta: Some("mx.example.org".parse().unwrap()),
        ..Fate::new(recipient, Action::Failed, status)
    }
}

fn report<'a>(envelope: &'a Envelope, fates: &'a [Fate]) -> Report<'a> {
    Report::new("mail.example.com".parse().unwrap(), envelope, fates, NOW, [7; 16])
}

fn text(report: &Report<'_>) -> String {
    String::from_utf8(report.notification().unwrap().content).unwrap()
}

/// Media type, encoding and content of each part.
fn parts(content: &[u8]) -> Vec<(String, String, Vec<u8>)> {
    let text = String::from_utf8_lossy(content).into_owned();
    let mut pieces = text.split(&format!("\r\n--=_{UNIQUE}")).map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(pieces.pop().as_deref(), Some("--\r\n"));
    pieces.remove(0);
    pieces
        .iter()
        .map(|piece| {
            let piece = piece.strip_prefix("\r\n").unwrap();
            let (header, body) = piece.split_once("\r\n\r\n").unwrap();
            let header = format!("{header}\r\n");
            let field = |name: &str| {
                let field = Header::of(header.as_bytes()).fields().find(|field| field.is(name));
                field.map(|field| String::from_utf8_lossy(field.body()).trim().to_string()).unwrap_or_default()
            };
            (field("Content-Type"), field("Content-Transfer-Encoding"), body.as_bytes().to_vec())
        })
        .collect()
}

/// Whether there is neither a CR nor an LF alone.
fn ends_are_canonical(text: &[u8]) -> bool {
    let count = |wanted: &[u8]| text.windows(wanted.len()).filter(|window| *window == wanted).count();
    count(b"\r") == count(b"\r\n") && count(b"\n") == count(b"\r\n")
}

#[test]
fn a_whole_one() {
    let mut envelope = envelope("<ann@example.com>", &["bob@example.org", "carol@example.net"]);
    envelope.parameters.envid = Some("QQ314159 a".parse().unwrap());
    envelope.recipients[0].parameters.orcpt =
        Some(crate::syntax::OriginalRecipient::new("rfc822", "bob+x@example.com").unwrap());
    let carol = Fate {
        error: Some(Error::new(ErrorCode::ConnectRefused, "nobody listens at 192.0.2.1")),
        last_attempt: Some(MessageDate::from_unix_seconds(NOW - 60)),
        ..Fate::new(
            1,
            Action::Delayed { until: Some(MessageDate::from_unix_seconds(NOW + 3600)) },
            EnhancedCode { class: 4, subject: 4, detail: 1 },
        )
    };
    let fates = [failed(0, "550-5.1.1 no such\r\n550 5.1.1 user\r\n"), carol];
    let report = Report {
        original: Original::Header(b"Subject: hello\nTo: bob\n\nbody"),
        arrival: Some(MessageDate::from_unix_seconds(NOW - 120)),
        ..report(&envelope, &fates)
    };
    let expected = "\
From: Mail Delivery System <MAILER-DAEMON@mail.example.com>
To: <ann@example.com>
Subject: Your message could not be delivered
Date: Sun, 22 Nov 2026 06:13:20 +0000
Message-ID: <07070707070707070707070707070707@mail.example.com>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
 boundary=\"=_07070707070707070707070707070707\"

--=_07070707070707070707070707070707
Content-Type: text/plain; charset=us-ascii

This is the mail system at mail.example.com.

Your message could not be delivered to the recipients below. Nobody tries any more.

<bob@example.org>
    mx.example.org said: 550 5.1.1 no such user

Your message has not been delivered yet to the recipients below. It need not be sent
again: it is still being tried.

<carol@example.net>
    nobody listens at 192.0.2.1
    It is tried until Sun, 22 Nov 2026 07:13:20 +0000.

--=_07070707070707070707070707070707
Content-Type: message/delivery-status

Original-Envelope-Id: QQ314159 a
Reporting-MTA: dns; mail.example.com
Arrival-Date: Sun, 22 Nov 2026 06:11:20 +0000

Original-Recipient: rfc822; bob+x@example.com
Final-Recipient: rfc822; bob@example.org
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.org
Diagnostic-Code: smtp; 550 5.1.1 no such user

Final-Recipient: rfc822; carol@example.net
Action: delayed
Status: 4.4.1
Diagnostic-Code: x-okuru; connect.refused: nobody listens at 192.0.2.1
Last-Attempt-Date: Sun, 22 Nov 2026 06:12:20 +0000
Will-Retry-Until: Sun, 22 Nov 2026 07:13:20 +0000

--=_07070707070707070707070707070707
Content-Type: text/rfc822-headers
Content-Transfer-Encoding: 7bit

Subject: hello
To: bob

--=_07070707070707070707070707070707--
";
    assert_eq!(text(&report), expected.replace('\n', "\r\n"));
    let notification = report.notification().unwrap();
    assert_eq!(notification.envelope, self::envelope("<>", &["ann@example.com"]));
}

#[test]
fn nobody_answers_a_notification() {
    let envelope = envelope("<>", &["bob@example.org"]);
    assert_eq!(report(&envelope, &[failed(0, "550 no\r\n")]).notification(), None);
}

#[test]
fn only_what_the_sender_wants_to_hear_is_told() {
    let status = |class| EnhancedCode { class, subject: 0, detail: 0 };
    let actions = [
        (Action::Failed, status(5)),
        (Action::Delayed { until: None }, status(4)),
        (Action::Relayed, status(2)),
        (Action::Delivered, status(2)),
    ];
    for (notify, expected) in [
        (None, &["failed", "delayed"][..]),
        (Some(Notify::NEVER), &[]),
        (Some(Notify::on(false, true, false)), &["failed"]),
        (Some(Notify::on(false, false, true)), &["delayed"]),
        (Some(Notify::on(true, false, false)), &["relayed", "delivered"]),
        (Some(Notify::on(true, true, true)), &["failed", "delayed", "relayed", "delivered"]),
    ] {
        let mut envelope = envelope("<ann@example.com>", &["a@x.org", "b@x.org", "c@x.org", "d@x.org"]);
        envelope.recipients.iter_mut().for_each(|recipient| recipient.parameters.notify = notify);
        let mut fates: Vec<Fate> =
            actions.iter().enumerate().map(|(index, (action, status))| Fate::new(index, *action, *status)).collect();
        fates.push(Fate::new(4, Action::Failed, status(5))); // there is no such recipient
        let told = report(&envelope, &fates).notification().map(|notification| {
            let status = String::from_utf8(parts(&notification.content)[1].2.clone()).unwrap();
            status.lines().filter_map(|line| line.strip_prefix("Action: ")).map(ToString::to_string).collect()
        });
        let told: Vec<String> = told.unwrap_or_default();
        assert_eq!(told, expected, "{notify:?}");
        assert_eq!(report(&envelope, &fates).notification().is_none(), expected.is_empty());
    }
}

#[test]
fn ret_says_how_much_comes_back() {
    let seven = b"Subject: hi\r\n\r\nbody\r\n".as_slice();
    let eight = "Subject: hi\r\n\r\nbödy".as_bytes();
    let global = "Subject: hï\r\n\r\nbody\r\n".as_bytes();
    let long = [b"Subject: hi\r\n\r\n", "x".repeat(999).as_bytes()].concat();
    let long_header = [b"Subject: ", "x".repeat(999).as_bytes()].concat();
    let (full, header) = (Some(Ret::Full), Some(Ret::Hdrs));
    let (all, top, utf8) = ("message/rfc822", "text/rfc822-headers", "message/global-headers");
    for (content, ret, seven_bit, from, media_type, encoding) in [
        (seven, full, false, "<a@b.test>", all, "7bit"),
        (seven, full, true, "<a@b.test>", all, "7bit"),
        (seven, header, false, "<a@b.test>", top, "7bit"),
        (seven, None, false, "<a@b.test>", top, "7bit"),
        (eight, full, false, "<a@b.test>", all, "8bit"),
        (eight, full, true, "<a@b.test>", top, "7bit"),
        (global, full, false, "<a@b.test>", utf8, "quoted-printable"),
        (global, None, true, "<a@b.test>", utf8, "quoted-printable"),
        (global, full, false, "<é@b.test>", "message/global", "8bit"),
        (global, None, false, "<é@b.test>", utf8, "8bit"),
        (seven, full, false, "<é@b.test>", all, "7bit"),
        (b"A: b\r\n\r\nx\0y", full, false, "<a@b.test>", top, "7bit"),
        (&long, full, false, "<a@b.test>", top, "7bit"),
        (&long_header, full, false, "<a@b.test>", top, "quoted-printable"),
        (b"A: b\n\nbare\rends", full, false, "<a@b.test>", all, "7bit"),
        (b"", full, false, "<a@b.test>", all, "7bit"),
    ] {
        let mut envelope = envelope(from, &["bob@example.org"]);
        envelope.parameters.ret = ret;
        let fates = [failed(0, "550 no\r\n")];
        let report = Report { original: Original::Message(content), seven_bit, ..report(&envelope, &fates) };
        let notification = report.notification().unwrap().content;
        let parts = parts(&notification);
        let found = (parts[2].0.as_str(), parts[2].1.as_str());
        assert_eq!(found, (media_type, encoding), "{} {ret:?} {from}", content.escape_ascii());
        let eight_bit = encoding == "8bit" || from.contains('é');
        let declared = Header::of(&notification).fields().any(|field| field.is("Content-Transfer-Encoding"));
        assert_eq!((declared, notification.is_ascii()), (eight_bit, !eight_bit));
        assert!(ends_are_canonical(&notification));
        assert!(notification.split(|byte| *byte == b'\n').all(|line| line.len() <= 999));
        if media_type == all {
            let lines = |text: &[u8]| String::from_utf8_lossy(text).replace("\r\n", "\n").replace('\r', "\n");
            assert_eq!(lines(&parts[2].2).trim_end(), lines(content).trim_end());
        }
    }
    // RET is about failures.
    let mut envelope = envelope("<a@b.test>", &["bob@example.org"]);
    envelope.parameters.ret = full;
    let delayed = Fate::new(0, Action::Delayed { until: None }, EnhancedCode { class: 4, subject: 0, detail: 0 });
    let fates = [delayed];
    let notification = Report { original: Original::Message(seven), ..report(&envelope, &fates) }.notification();
    assert_eq!(parts(&notification.unwrap().content)[2].0, top);
    // What went by REQUIRETLS comes back by it, and without its body.
    envelope.parameters.requiretls = true;
    let fates = [failed(0, "550 no\r\n")];
    let report = Report { original: Original::Message(seven), ..report(&envelope, &fates) };
    let notification = report.notification().unwrap();
    assert!(notification.envelope.parameters.requiretls);
    assert_eq!(parts(&notification.content)[2].0, top);
    let report = Report { original: Original::None, ..report };
    assert_eq!(parts(&report.notification().unwrap().content).len(), 2);
}

#[test]
fn a_large_header_is_cut_between_lines() {
    let header: Vec<u8> = (0..10_000).flat_map(|number| format!("X-{number}: y\r\n").into_bytes()).collect();
    let envelope = envelope("<a@b.test>", &["bob@example.org"]);
    let fates = [failed(0, "550 no\r\n")];
    let report = Report { original: Original::Header(&header), ..report(&envelope, &fates) };
    let returned = parts(&report.notification().unwrap().content).remove(2).2;
    assert!(returned.len() <= 64 << 10 && returned.len() > 60 << 10 && returned.ends_with(b": y\r\n"));
}

#[test]
fn addresses_outside_ascii() {
    let mut envelope = envelope("<ann@exämple.test>", &["josé@example.org"]);
    envelope.recipients[0].parameters.orcpt =
        Some(crate::syntax::OriginalRecipient::new("utf-8", "pépé@example.org").unwrap());
    let fates = [failed(0, "550 5.1.1 n\u{f6}\r\n")];
    #[cfg(feature = "idna")]
    {
        let report = report(&envelope, &fates);
        let notification = report.notification().unwrap();
        assert!(notification.content.is_ascii());
        assert_eq!(notification.envelope.recipients[0].path.as_str(), "ann@xn--exmple-cua.test");
        let parts = parts(&notification.content);
        assert_eq!((parts[0].0.as_str(), parts[0].1.as_str()), ("text/plain; charset=utf-8", "quoted-printable"));
        assert!(String::from_utf8_lossy(&parts[0].2).contains("<jos=C3=A9@example.org>"));
        let status = String::from_utf8(parts[1].2.clone()).unwrap();
        assert!(status.contains("Original-Recipient: utf-8; p\\x{E9}p\\x{E9}@example.org\r\n"), "{status}");
        assert!(status.contains("Final-Recipient: utf-8; jos\\x{E9}@example.org\r\n"), "{status}");
        assert!(status.contains("Diagnostic-Code: smtp; 550 5.1.1 n?\r\n"), "{status}");
    }
    envelope.reverse_path = "<änn@example.com>".parse().unwrap();
    let report = report(&envelope, &fates);
    let content = text(&report);
    assert!(content.contains("\r\nTo: <änn@example.com>\r\n"));
    let parts = parts(content.as_bytes());
    assert_eq!((parts[1].0.as_str(), parts[1].1.as_str()), ("message/global-delivery-status", "8bit"));
    let status = String::from_utf8(parts[1].2.clone()).unwrap();
    assert!(status.contains("Original-Recipient: utf-8; pépé@example.org\r\n"), "{status}");
    assert!(status.contains("Final-Recipient: utf-8; josé@example.org\r\n"), "{status}");
    assert!(status.contains("Diagnostic-Code: smtp; 550 5.1.1 nö\r\n"), "{status}");
}

#[test]
fn blanks_in_an_address_stay() {
    let envelope = envelope("<\"a  b\"@example.com>", &["\"c   d\"@example.org"]);
    let content = text(&report(&envelope, &[failed(0, "550 no\r\n")]));
    assert!(content.contains("\r\nTo: <\"a  b\"@example.com>\r\n"));
    assert!(content.contains("\r\nFinal-Recipient: rfc822; \"c   d\"@example.org\r\n"));
}

#[test]
fn a_hostile_server_writes_no_line_of_its_own() {
    let envelope = envelope("<ann@example.com>", &["bob@example.org"]);
    let long = format!("550-{}\r\n550 {}\r\n", "word ".repeat(2000), "y".repeat(20_000));
    for reply in [
        "550 no\x0b\x0cBcc: x@y\x1b[2J\x07\r\n",
        "550-a\r\n550-\r\n550---=_07070707070707070707070707070707--\r\n550-Action: delivered\r\n550 b\r\n",
        "550 \u{85}\u{2028}x\u{202e}\r\n",
        "550 a\u{0}".trim_end_matches('\0'),
        &long,
    ] {
        let reply = if reply.ends_with('\n') { reply.to_string() } else { format!("{reply}\r\n") };
        let content = text(&report(&envelope, &[failed(0, &reply)]));
        assert!(content.len() < 20_000 && content.is_ascii(), "{content}");
        assert!(!content.bytes().any(|byte| byte.is_ascii_control() && !matches!(byte, b'\r' | b'\n')));
        let lines: Vec<&str> = content.split("\r\n").collect();
        assert!(lines.iter().all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
        let starts = |prefix: &str| lines.iter().filter(|line| line.starts_with(prefix)).count();
        assert_eq!((starts("--=_"), starts("Action:"), starts("Bcc:"), starts("Diagnostic-Code:")), (3, 1, 0, 1));
    }
}

#[test]
fn domains_without_servers() {
    let resolution = |domain: &str| -> Resolution {
        let mut route = Route::new(&domain.parse().unwrap(), Config::default().into(), [0; 8]);
        route.deadline_passed(Duration::MAX);
        loop {
            match route.poll(Duration::ZERO) {
                Output::Done(resolution) => return *resolution,
                Output::Wait { .. } => route.deadline_passed(Duration::MAX),
                Output::Resolve(_) => {}
            }
        }
    };
    let temporary = resolution("d.test");
    let delayed = Action::Delayed { until: None };
    let fate = Fate::unrouted(0, delayed, &temporary).unwrap();
    assert_eq!(fate.status.to_string(), "4.4.3");
    assert_eq!(Fate::unrouted(0, Action::Failed, &temporary).unwrap().status.to_string(), "4.4.3");
    let invalid = resolution("[x:y]");
    assert_eq!(Fate::unrouted(0, Action::Failed, &invalid).unwrap().status.to_string(), "5.1.3");
    assert_eq!(Fate::unrouted(0, delayed, &invalid), None);
    assert_eq!(Fate::unrouted(0, Action::Relayed, &invalid), None);
    assert_eq!(Fate::unrouted(0, Action::Failed, &resolution("[192.0.2.1]")), None);
    let envelope = envelope("<ann@example.com>", &["bob@d.test"]);
    let content = text(&report(&envelope, &[fate])).replace("\r\n ", " ");
    assert!(content.contains("Diagnostic-Code: x-okuru; dns.temporary: the MX records of d.test can't be looked up"));
}

#[test]
fn outcomes_become_fates() {
    let delayed = Action::Delayed { until: None };
    let refused = [HELLO[0], HELLO[1], "250 ok\r\n250 2.1.5 ok\r\n550 5.1.1 who\r\n354 go\r\n", "250 ok\r\n"];
    let later = [HELLO[0], HELLO[1], "250 ok\r\n450 4.2.1 later\r\n552 x\r\n554 x\r\n"];
    for (replies, error, action, expected) in [
        (&refused[..], None, Action::Relayed, ["2.1.5", "-"]),
        (&refused, None, Action::Failed, ["-", "5.1.1"]),
        // Nobody knows what has become of the first.
        (&refused[..3], None, Action::Failed, ["-", "5.1.1"]),
        (&refused[..3], None, delayed, ["-", "-"]),
        (&later, None, Action::Failed, ["4.2.1", "5.0.0"]),
        (&later, None, delayed, ["4.2.1", "-"]),
        (&[], Some(ErrorCode::ConnectRefused), delayed, ["4.4.1", "4.4.1"]),
        (&[], Some(ErrorCode::MessageTooLarge), Action::Failed, ["5.3.4", "5.3.4"]),
        (&[], Some(ErrorCode::TlsHandshake), Action::Failed, ["4.7.0", "4.7.0"]),
        (&[], Some(ErrorCode::Cancelled), Action::Delivered, ["-", "-"]),
    ] {
        let outcome = outcome(replies, error.map(|code| Error::new(code, "it failed")));
        for (index, recipient) in outcome.recipients.iter().enumerate() {
            let fate = Fate::of(index, action, recipient, None);
            let status = fate.as_ref().map_or("-".into(), |fate| fate.status.to_string());
            assert_eq!(status, expected[index], "{replies:?} {error:?} {action:?}");
            assert!(fate.is_none_or(|fate| fate.reply.is_some() != fate.error.is_some()));
        }
    }
}
