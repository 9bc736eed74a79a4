//! What goes out: text that was parsed into values and is encoded again.
//!
//! - What was parsed is encoded and parsed again, and is the same.
//! - A command is one line: one CR LF, at its end, and no NUL.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use arbitrary::Unstructured;
use okuru_core::Error;
use okuru_core::syntax::{
    Argument, AuthParameter, BodyType, Capabilities, Command, DateTime, DeliverBy, Domain, EhloName, EnvelopeId,
    ForwardPath, Hold, HoldInterval, InitialResponse, MailParameters, Mailbox, MechanismName, MtPriority, Notify,
    OriginalRecipient, Parameter, RcptParameters, Reply, Ret, ReversePath,
};

use crate::bytes::{byte, rest};

/// Which kind of thing it is, and its text.
pub fn run(data: &[u8]) {
    let mut from = Unstructured::new(data);
    let kind = byte(&mut from);
    let bytes = rest(&mut from);
    let text = String::from_utf8_lossy(bytes);
    match kind % 20 {
        0 => command(bytes),
        1 => mailbox(&text),
        2 => reverse_path(&text),
        3 => forward_path(&text),
        4 => domain(&text),
        5 => same_again::<EhloName>(&text, |name| {
            one_line(&Command::Ehlo(name.clone()));
            one_line(&Command::Lhlo(name));
        }),
        6 => same_again::<Argument>(&text, |argument| {
            one_line(&Command::Vrfy(argument.clone()));
            one_line(&Command::Help(Some(argument)));
        }),
        7 => auth(&text),
        8 => same_again::<Parameter>(&text, parameter),
        9 => parameters(&text),
        10 => same_again::<EnvelopeId>(&text, |envid| {
            one_mail(MailParameters { envid: Some(envid), ..MailParameters::default() });
        }),
        11 => original_recipient(&text),
        12 => same_again::<DateTime>(&text, |moment| {
            one_mail(MailParameters { hold: Some(Hold::Until(moment)), ..MailParameters::default() });
        }),
        13 => value::<DeliverBy>(&text, |by| MailParameters { deliver_by: Some(by), ..MailParameters::default() }),
        14 => value::<MtPriority>(&text, |it| MailParameters { mt_priority: Some(it), ..MailParameters::default() }),
        15 => value::<BodyType>(&text, |body| MailParameters { body: Some(body), ..MailParameters::default() }),
        16 => value::<Ret>(&text, |ret| MailParameters { ret: Some(ret), ..MailParameters::default() }),
        17 => notify(&text),
        18 => hold(&text),
        _ => capabilities(bytes),
    }
}

/// Parses, and hands on what is the same if parsed again from what it shows.
fn same_again<T: FromStr<Err = Error> + Display + Clone + PartialEq + Debug>(text: &str, then: impl FnOnce(T)) {
    match text.parse::<T>() {
        Ok(value) => {
            let shown = value.to_string();
            assert!(!shown.chars().any(char::is_control), "{shown:?} holds a control character");
            assert_eq!(shown.parse().as_ref(), Ok(&value));
            then(value);
        }
        Err(error) => sentence(&error),
    }
}

fn value<T: FromStr<Err = Error>>(text: &str, parameters: impl FnOnce(T) -> MailParameters) {
    match text.parse() {
        Ok(value) => one_mail(parameters(value)),
        Err(error) => sentence(&error),
    }
}

/// An error can be shown on a terminal.
fn sentence(error: &Error) {
    let shown = error.to_string();
    assert!(shown.ends_with('.') && !shown.chars().any(char::is_control), "{shown:?}");
    assert!(shown.len() < 2000, "{} bytes of error", shown.len());
}

/// The line of a command, which stands for the same command.
fn one_line(command: &Command) {
    let mut line = Vec::new();
    command.encode(&mut line);
    let inside = line.strip_suffix(b"\r\n").expect("a command ends in CR LF");
    assert!(!inside.iter().any(|byte| b"\r\n\0".contains(byte)), "{}", line.escape_ascii());
    assert!(std::str::from_utf8(inside).is_ok());
    assert_eq!(Command::parse(&line).as_ref(), Ok(command), "{}", line.escape_ascii());
    assert_eq!(Command::parse(inside).as_ref(), Ok(command), "{}", line.escape_ascii());
}

fn one_mail(parameters: MailParameters) {
    one_line(&Command::Mail { path: ReversePath::Null, parameters: Box::new(parameters) });
}

fn one_rcpt(parameters: RcptParameters) {
    one_line(&Command::Rcpt { path: ForwardPath::Postmaster, parameters });
}

fn command(bytes: &[u8]) {
    match Command::parse(bytes) {
        Ok(command) => one_line(&command),
        Err(error) => {
            assert!(matches!(error.code().as_u16(), 500..=502));
            assert!(!error.to_string().chars().any(char::is_control), "{error}");
        }
    }
}

fn mailbox(text: &str) {
    same_again::<Mailbox>(text, |mailbox| {
        assert_eq!(format!("{}@{}", mailbox.local_part(), mailbox.domain()), mailbox.as_str());
        assert!(mailbox.domain().parse::<Domain>().is_ok());
        if let Ok(ascii) = mailbox.to_ascii() {
            assert!(ascii.is_ascii() && ascii.as_str().is_ascii());
            assert_eq!(ascii.local_part(), mailbox.local_part());
            assert_eq!(ascii.to_ascii().as_ref(), Ok(&ascii));
        }
        if let Ok(orcpt) = OriginalRecipient::try_from(&mailbox) {
            assert_eq!(orcpt.address(), mailbox.as_str());
            one_rcpt(RcptParameters { orcpt: Some(orcpt), ..RcptParameters::default() });
        }
        let auth = Some(AuthParameter::Mailbox(mailbox.clone()));
        one_mail(MailParameters { auth, ..MailParameters::default() });
        assert_eq!(format!("<{mailbox}>").parse(), Ok(ReversePath::Mailbox(mailbox.clone())));
        assert_eq!(format!("<{mailbox}>").parse(), Ok(ForwardPath::Mailbox(mailbox)));
    });
}

fn reverse_path(text: &str) {
    same_again::<ReversePath>(text, |path| {
        let command = Command::Mail { path, parameters: Box::default() };
        one_line(&command);
    });
}

fn forward_path(text: &str) {
    same_again::<ForwardPath>(text, |path| one_line(&Command::Rcpt { path, parameters: RcptParameters::default() }));
}

fn domain(text: &str) {
    same_again::<Domain>(text, |domain| {
        assert_eq!(domain.is_ascii(), domain.as_str().is_ascii());
        if let Ok(ascii) = domain.to_ascii() {
            assert!(ascii.is_ascii());
            assert_eq!(ascii.to_ascii().as_ref(), Ok(&ascii));
        }
    });
}

/// A mechanism, a space and an initial response.
fn auth(text: &str) {
    let (name, response) = text.split_once(' ').unwrap_or((text, ""));
    same_again::<MechanismName>(name, |mechanism| {
        one_line(&Command::Auth { mechanism: mechanism.clone(), initial_response: None });
        if let Ok(response) = response.parse::<InitialResponse>() {
            one_line(&Command::Auth { mechanism, initial_response: Some(response) });
        }
    });
}

fn parameter(parameter: Parameter) {
    let mut mail = MailParameters::default();
    if mail.add(parameter.clone()).is_ok() {
        one_mail(mail);
    }
    let mut rcpt = RcptParameters::default();
    if rcpt.add(parameter).is_ok() {
        one_rcpt(rcpt);
    }
}

/// Many, of both kinds; those that do not fit are left out.
fn parameters(text: &str) {
    let mut mail = MailParameters::default();
    let mut rcpt = RcptParameters::default();
    for parameter in text.split(' ').filter_map(|word| word.parse::<Parameter>().ok()) {
        let (before, result) = (mail.clone(), mail.add(parameter.clone()));
        match result {
            Ok(()) => assert_ne!(mail, before),
            Err(error) => sentence(&error),
        }
        let _ = rcpt.add(parameter);
    }
    one_mail(mail);
    one_rcpt(rcpt);
}

/// A type of address, a semicolon and an address, not encoded.
fn original_recipient(text: &str) {
    let (kind, address) = text.split_once(';').unwrap_or(("utf-8", text));
    match OriginalRecipient::new(kind, address) {
        Ok(orcpt) => {
            assert_eq!((orcpt.address_type(), orcpt.address()), (kind, address));
            one_rcpt(RcptParameters { orcpt: Some(orcpt), ..RcptParameters::default() });
        }
        Err(error) => sentence(&error),
    }
}

fn notify(text: &str) {
    match text.parse::<Notify>() {
        Ok(notify) => {
            assert_eq!(notify.as_str().parse(), Ok(notify));
            one_rcpt(RcptParameters { notify: Some(notify), ..RcptParameters::default() });
        }
        Err(error) => sentence(&error),
    }
}

fn hold(text: &str) {
    if let Ok(interval) = text.parse().map_or(Err(()), |seconds| HoldInterval::new(seconds).map_err(|_| ())) {
        one_mail(MailParameters { hold: Some(Hold::For(interval)), ..MailParameters::default() });
    }
}

/// The text of a reply to EHLO. What was read is said again, and read again.
fn capabilities(bytes: &[u8]) {
    let mut raw = Vec::new();
    for line in bytes.split(|&byte| byte == b'\n') {
        raw.extend_from_slice(b"250-");
        raw.extend(line.iter().filter(|byte| !b"\r\0".contains(byte)));
        raw.extend_from_slice(b"\r\n");
    }
    raw.extend_from_slice(b"250 HELP\r\n");
    let offered = read(&raw);
    let mut again = format!("250-{}\r\n", offered.server_name()).into_bytes();
    let mut words = 0;
    for keyword in offered.keywords() {
        assert_eq!(offered.keyword(&keyword.name().to_ascii_lowercase()).map(|it| it.name()), Some(keyword.name()));
        let said: Vec<&str> = std::iter::once(keyword.name()).chain(keyword.parameters()).collect();
        words += said.len();
        again.extend_from_slice(format!("250-{}\r\n", said.join(" ")).as_bytes());
    }
    again.extend_from_slice(b"250 HELP\r\n");
    // What comes twice is kept once, and what comes last counts.
    let lines = String::from_utf8_lossy(&raw).into_owned();
    let said =
        lines.lines().skip(1).map(|line| line[4..].to_ascii_uppercase().replace("AUTH=", "AUTH ")).collect::<Vec<_>>();
    if said.iter().map(|line| line.split_whitespace().count()).sum::<usize>() == words {
        assert_eq!(read(&again), offered, "{}", again.escape_ascii());
    }
}

fn read(raw: &[u8]) -> Capabilities {
    Capabilities::from_reply(&Reply::parse(raw).expect("it is made of whole lines with one code"))
}
