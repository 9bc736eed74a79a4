//! What names and values come to.

use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::time::Duration;

use super::*;
use crate::client::{Body, BodyDeclaration, Chunking, Pipelining, SmtpUtf8};
use crate::sasl::{Credentials, Mechanism};
use crate::syntax::{Header, Inspection, Newlines};

type Named = (&'static str, Value);

fn settings(options: &[Named]) -> Result<Settings, Error> {
    MailerOptions::new(options.iter().cloned())?.settings()
}

/// The settings with a server and these options.
fn with(option: &'static str, value: impl Into<Value>) -> Settings {
    settings(&[("server", "smtp://mx.example".into()), (option, value.into())]).expect(option)
}

fn shown(value: impl Debug) -> String {
    alloc::format!("{value:?}")
}

#[test]
fn each_option_of_a_server_has_its_effect() {
    let client = |name, value: Value| with(name, value).mailer.servers.remove(0).client;
    let seconds = Duration::from_secs;
    assert_eq!(client("tls", "none".into()).tls, Tls::None);
    assert_eq!(client("tls", "STARTTLS".into()).tls, Tls::StartTls);
    assert_eq!(client("tls_name", "other.example".into()).server_name, "other.example");
    assert_eq!(client("tlsName", "other.example".into()).server_name, "other.example");
    assert_eq!(client("tls-name", "other.example".into()).server_name, "other.example");
    assert_eq!(client("pipelining", "streaming".into()).pipelining, Pipelining::Streaming);
    assert_eq!(client("chunking", "never".into()).chunking, Chunking::Never);
    assert_eq!(client("max_reply", 100.0.into()).reply_limits.bytes, 100);
    assert!(client("trace", true.into()).trace);
    assert_eq!(client("greeting_timeout", 5.0.into()).timeouts.greeting, seconds(5));
    assert_eq!(client("reply_timeout", "7s".into()).timeouts.mail, seconds(7));
    let both = settings(&[
        ("server", "smtp://mx.example".into()),
        ("data_timeout", 3.0.into()),
        ("reply_timeout", 7.0.into()),
    ]);
    let timeouts = both.unwrap().mailer.servers[0].client.timeouts;
    assert_eq!((timeouts.data, timeouts.rcpt), (seconds(3), seconds(7)));
    assert_eq!(with("ehlo", "me.example").mailer.servers[0].ehlo.as_ref().unwrap().as_str(), "me.example");
}

#[test]
fn credentials_are_put_together() {
    let password = |user: &str, password: &str| Credentials::password(user, password, None).unwrap();
    for (options, expected) in [
        (vec![("server", "smtp://me:pw@mx.example".into())], password("me", "pw")),
        (vec![("server", "smtp://me@mx.example".into()), ("password", "pw".into())], password("me", "pw")),
        (
            vec![("server", "smtp://a:b@mx.example".into()), ("user", "me".into()), ("password", "pw".into())],
            password("me", "pw"),
        ),
        (
            vec![("server", "smtp://me@mx.example".into()), ("token", true.into())],
            Credentials::token(Some("me".into()), None).unwrap(),
        ),
        (
            vec![("server", "smtp://mx.example".into()), ("user", "me".into()), ("token", "ya29".into())],
            Credentials::token(Some("me".into()), Some("ya29".into())).unwrap(),
        ),
        (
            vec![("server", "smtp://mx.example".into()), ("auth", "EXTERNAL".into())],
            Credentials::external(None).unwrap(),
        ),
    ] {
        let authentication = settings(&options).unwrap().mailer.servers.remove(0).client.authentication.unwrap();
        assert_eq!(authentication.credentials, expected);
        assert_eq!(authentication.port, 587);
        assert!(!authentication.dangerously_allow_plaintext && !authentication.try_all);
    }
    let chosen = settings(&[
        ("server", "smtp://me:pw@mx.example".into()),
        ("auth", vec!["PLAIN", "LOGIN"].into()),
        ("allow_plaintext_auth", true.into()),
    ]);
    let authentication = chosen.unwrap().mailer.servers.remove(0).client.authentication.unwrap();
    assert_eq!(authentication.mechanisms, Some(vec![Mechanism::Plain, Mechanism::Login]));
    assert!(authentication.dangerously_allow_plaintext);
}

#[test]
fn servers_are_used_in_order_by_turns_or_as_they_say() {
    let places = |options: &[Named]| {
        let Way::Relay(destination) =
            settings(options).unwrap().mailer.policy.way(&"a.example".parse().unwrap()).clone()
        else {
            panic!("no relay");
        };
        destination.targets.iter().map(|it| (it.host.to_string(), it.priority, it.weight)).collect::<Vec<_>>()
    };
    let both: Value = vec!["smtp://one.example", "smtps://two.example"].into();
    let (one, two) = ("one.example:587".to_string(), "two.example:465".to_string());
    assert_eq!(places(&[("server", both.clone())]), [(one.clone(), 0, 1), (two.clone(), 1, 1)]);
    assert_eq!(places(&[("server", both), ("round_robin", true.into())]), [(one.clone(), 0, 1), (two.clone(), 0, 1)]);
    let table = Value::Table(vec![
        ("url".into(), "smtp://one.example".into()),
        ("weight".into(), 3.0.into()),
        ("priority".into(), 7.0.into()),
    ]);
    let list = Value::List(vec![table, "smtps://two.example".into()]);
    assert_eq!(places(&[("server", list)]), [(one, 7, 3), (two, 1, 1)]);
}

#[test]
fn what_one_server_says_goes_before_what_all_say() {
    let table = Value::Table(vec![
        ("url".into(), "smtp://one.example".into()),
        ("connections".into(), 2.0.into()),
        ("rate".into(), "5/s".into()),
        ("tls".into(), "none".into()),
    ]);
    let options = [
        ("server", Value::List(vec![table, "smtp://two.example".into()])),
        ("connections", 8.0.into()),
        ("rate", "100/m".into()),
    ];
    let mailer = settings(&options).unwrap().mailer;
    let quotas: Vec<_> = mailer.servers.iter().map(|server| server.policy.clone().unwrap().quota).collect();
    assert_eq!(quotas.iter().map(|quota| quota.connections).collect::<Vec<_>>(), [2, 8]);
    assert_eq!(quotas.iter().map(|quota| quota.rates.len()).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(mailer.servers.iter().map(|server| server.client.tls).collect::<Vec<_>>(), [Tls::None, Tls::StartTls]);
    assert_eq!(mailer.dispatcher.quota.rates, [dispatcher::Rate::per_minute(100)]);
}

#[test]
fn direct_delivery_has_its_own_defaults() {
    let direct = settings(&[("direct", true.into()), ("mx_port", 2525.0.into())]).unwrap().mailer;
    assert_eq!((direct.direct.port, direct.direct.client.tls), (2525, Tls::Opportunistic));
    assert_eq!((direct.dispatcher.quota.connections, direct.dispatcher.host.without_tls), (256, true));
    let both =
        [("fallback", Value::from("smtps://relay.example")), ("rate", "100/m".into()), ("connections", 9.0.into())];
    let both = settings(&both).unwrap().mailer;
    assert!(matches!(both.policy.way(&"a.example".parse().unwrap()), Way::DirectThenRelay(_)));
    assert_eq!((both.dispatcher.quota.connections, both.servers.len()), (9, 1));
    let v4 = settings(&[("direct", true.into()), ("source_address", "192.0.2.1".into())]).unwrap();
    assert_eq!(v4.mailer.direct.route.families, Families::V4);
}

#[test]
fn nothing_is_tried_again_unless_asked() {
    let retry = |name: &'static str, value: Value| with(name, value).mailer.dispatcher.retry;
    assert_eq!(retry("trace", true.into()), None);
    let for_a_minute = retry("retry_for", "1m".into()).unwrap();
    assert_eq!((for_a_minute.within, for_a_minute.backoff.first), (Duration::from_secs(60), Duration::from_secs(6)));
    assert_eq!(retry("tries", 3.0.into()).map(|retry| retry.tries), Some(3));
}

#[test]
fn messages_have_options_of_their_own() {
    let all = with("newlines", "refuse").message;
    let one = all.with(
        [("body", "8bitmime"), ("smtputf8", "never"), ("timeout", "5m"), ("notify", "success,delay")]
            .map(|(name, value)| (name, Value::from(value))),
    );
    let one = one.unwrap();
    let recipients = vec![one.recipient("bob@example.org", None, Some("robert@example.org")).unwrap()];
    let envelope = one.envelope(Some(""), recipients, Header::of(b"")).unwrap();
    assert!(shown(&envelope.recipients).contains("robert@example.org"));
    let message = one.message(Duration::from_secs(1), envelope, Body::Whole(Inspection::of(b"")));
    assert_eq!(message.declaration, BodyDeclaration::EightBitMime);
    assert_eq!((message.smtputf8, message.newlines), (SmtpUtf8::Never, Newlines::Refuse));
    assert_eq!(message.deadline, Some(Duration::from_secs(301)));
    assert!(message.envelope.recipients[0].parameters.notify.unwrap().success());
}

#[test]
fn envelopes_come_from_the_header_where_nothing_is_said() {
    let options = MessageOptions::default();
    let header = Header::of(b"From: ann@example.com\r\nTo: Bob <bob@example.org>\r\nBcc: eve@example.org\r\n\r\n");
    let envelope = options.envelope(None, Vec::new(), header).unwrap();
    assert_eq!(envelope.reverse_path.to_string(), "<ann@example.com>");
    assert_eq!(envelope.recipients.len(), 2);
    for (sender, header, code) in [
        (None, &b"To: a@b.example\r\n"[..], ErrorCode::MessageNoSender),
        (Some("a@b.example"), b"Subject: x\r\n", ErrorCode::MessageNoRecipients),
        (Some("a b"), b"To: a@b.example\r\n", ErrorCode::AddressSyntax),
    ] {
        assert_eq!(options.envelope(sender, Vec::new(), Header::of(header)).unwrap_err().code(), code);
    }
    for (text, path) in
        [("b@c.example", "<b@c.example>"), ("<b@c.example>", "<b@c.example>"), ("Postmaster", "<Postmaster>")]
    {
        assert_eq!(options.recipient(text, None, None).unwrap().path.to_string(), path);
    }
    for text in ["", "b@c\r\nDATA", "B <b@c.example>", "<>"] {
        assert_eq!(options.recipient(text, None, None).unwrap_err().code(), ErrorCode::AddressSyntax, "{text}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_in_one_sentence_without_its_value() {
    let server = || ("server", Value::from("smtp://mx.example"));
    for (options, what) in [
        (vec![], "no server was named, and no direct delivery asked for"),
        (vec![server(), ("tsl", "none".into())], "there is no option tsl"),
        (vec![server(), ("weight", 1.0.into())], "there is no option weight"),
        (
            vec![server(), ("direct", true.into())],
            "direct delivery uses no server; one to fall back to is the fallback",
        ),
        (
            vec![server(), ("tls", "hunter2".into())],
            "the option tls: one of none, opportunistic, starttls, implicit is wanted",
        ),
        (
            vec![server(), ("tls", true.into())],
            "the option tls: one of none, opportunistic, starttls, implicit is wanted",
        ),
        (vec![server(), ("connections", 0.0.into())], "the option connections: a whole number above zero is wanted"),
        (vec![server(), ("password", 1.0.into())], "the option password: a text is wanted"),
        (vec![server(), ("password", "hunter2".into())], "the option server: a password was given, and no user"),
        (vec![server(), ("user", "me".into())], "the option server: a user was given, and no password or token"),
        (vec![server(), ("trace", 1.0.into())], "the option trace: true or false is wanted"),
        (
            vec![server(), ("param", "SIZE=1".into())],
            "the option param: SIZE is counted and declared without being asked for",
        ),
        (vec![server(), ("selfAddress", "hunter2".into())], "the option selfAddress: an IP address is wanted"),
        (
            vec![("server", "imap://a:hunter2@mx".into())],
            "the option server: a server's URL begins with smtp://, smtps:// or lmtp://",
        ),
        (
            vec![server(), ("pop_before", "pop3://mx".into())],
            "the option pop_before: the URL of a POP3 server names a user and a password",
        ),
        (vec![("server", Value::Table(vec![]))], "the option server: a server has no url"),
        (vec![("server", Value::List(vec![]))], "no server was named, and no direct delivery asked for"),
    ] {
        let error = settings(&options).expect_err(what);
        assert_eq!((error.code(), error.what()), (ErrorCode::Usage, what));
    }
    let error = with("newlines", "fix").message.with([("connections", Value::from(1.0))]).unwrap_err();
    assert_eq!(error.what(), "there is no option connections");
}

#[test]
fn whoever_logs_in_by_pop3_before_does_so_again_when_that_has_expired() {
    let settings = settings(&[
        ("server", "smtp://mx.example".into()),
        ("pop_before", "pop3s://me:pw@pop.example".into()),
        ("pop_expires", "5m".into()),
    ]);
    let server = settings.unwrap().mailer.servers.remove(0);
    assert_eq!(server.log_in.unwrap().config.tls, Tls::Implicit);
    assert_eq!(server.policy.unwrap().log_in_every, Some(Duration::from_secs(300)));
}
