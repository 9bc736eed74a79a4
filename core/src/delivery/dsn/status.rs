//! The part for machines (RFC 3464 §2, RFC 6533 §4).

use alloc::format;
use alloc::vec::Vec;

use super::fate::{Action, Fate};
use super::lines::{exact_field, field};
use super::report::Report;
use crate::client::Recipient;
use crate::syntax::recipient_in_notification;

// RFC 3464 §2.1
//
//   delivery-status-content = per-message-fields 1*( CRLF per-recipient-fields )

/// Appends the fields; `unicode` for `message/global-delivery-status`.
pub(super) fn write(report: &Report<'_>, told: &[(&Fate, &Recipient)], unicode: bool, out: &mut Vec<u8>) {
    if let Some(envid) = &report.envelope.parameters.envid {
        exact_field("Original-Envelope-Id", envid.as_str(), unicode, out);
    }
    field("Reporting-MTA", &format!("dns; {}", report.reporting_mta), unicode, out);
    if let Some(arrival) = report.arrival {
        field("Arrival-Date", &format!("{arrival}"), unicode, out);
    }
    for (fate, recipient) in told {
        out.extend_from_slice(b"\r\n");
        write_recipient(fate, recipient, unicode, out);
    }
}

fn write_recipient(fate: &Fate, recipient: &Recipient, unicode: bool, out: &mut Vec<u8>) {
    if let Some(orcpt) = &recipient.parameters.orcpt {
        exact_field("Original-Recipient", &orcpt.in_notification(unicode), unicode, out);
    }
    exact_field("Final-Recipient", &recipient_in_notification(recipient.path.as_str(), unicode), unicode, out);
    field("Action", fate.action.as_str(), unicode, out);
    field("Status", &format!("{}", fate.status), unicode, out);
    if let Some(remote_mta) = &fate.remote_mta {
        field("Remote-MTA", &format!("dns; {remote_mta}"), unicode, out);
    }
    if let Some(reply) = &fate.reply {
        field("Diagnostic-Code", &format!("smtp; {reply}"), unicode, out);
    } else if let Some(error) = &fate.error {
        field("Diagnostic-Code", &format!("x-okuru; {}: {}", error.code(), error.what()), unicode, out);
    }
    if let Some(last_attempt) = fate.last_attempt {
        field("Last-Attempt-Date", &format!("{last_attempt}"), unicode, out);
    }
    if let Action::Delayed { until: Some(until) } = fate.action {
        field("Will-Retry-Until", &format!("{until}"), unicode, out);
    }
}
