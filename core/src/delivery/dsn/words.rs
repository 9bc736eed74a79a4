//! The part for people (RFC 6522 §3).

use alloc::format;
use alloc::vec::Vec;

use super::fate::{Action, Fate};
use super::lines::indented;
use super::report::Report;
use crate::client::Recipient;

/// The subject, by the worst that has happened.
pub(super) fn subject(told: &[(&Fate, &Recipient)]) -> &'static str {
    let any = |wanted: fn(Action) -> bool| told.iter().any(|(fate, _)| wanted(fate.action));
    if any(|action| action == Action::Failed) {
        "Your message could not be delivered"
    } else if any(|action| matches!(action, Action::Delayed { .. })) {
        "Your message has not been delivered yet"
    } else {
        "Your message has been delivered or passed on"
    }
}

/// The text, in UTF-8.
pub(super) fn text(report: &Report<'_>, told: &[(&Fate, &Recipient)]) -> Vec<u8> {
    let mut out = format!("This is the mail system at {}.\r\n", report.reporting_mta).into_bytes();
    for (kind, heading) in [
        ("failed", "Your message could not be delivered to the recipients below. Nobody tries any more."),
        (
            "delayed",
            "Your message has not been delivered yet to the recipients below. It need not be sent\r\nagain: it is still being tried.",
        ),
        (
            "relayed",
            "Your message has been passed on for the recipients below, to a server that does not\r\nreport what becomes of it.",
        ),
        ("delivered", "Your message has been delivered to the recipients below."),
    ] {
        let of_kind = || told.iter().filter(|(fate, _)| fate.action.as_str() == kind);
        if of_kind().next().is_none() {
            continue;
        }
        out.extend_from_slice(format!("\r\n{heading}\r\n").as_bytes());
        for (fate, recipient) in of_kind() {
            out.extend_from_slice(format!("\r\n<{}>\r\n", recipient.path.as_str()).as_bytes());
            write_reason(fate, &mut out);
        }
    }
    out
}

fn write_reason(fate: &Fate, out: &mut Vec<u8>) {
    match (&fate.reply, &fate.error, &fate.remote_mta) {
        (Some(reply), _, Some(remote_mta)) => indented(&format!("{remote_mta} said: {reply}"), true, out),
        (Some(reply), _, None) => indented(&format!("The server said: {reply}"), true, out),
        (None, Some(error), Some(remote_mta)) => indented(&format!("{remote_mta}: {}", error.what()), true, out),
        (None, Some(error), None) => indented(error.what(), true, out),
        (None, None, _) => indented(&format!("Status {}", fate.status), true, out),
    }
    if let Action::Delayed { until: Some(until) } = fate.action {
        indented(&format!("It is tried until {until}."), true, out);
    }
}
