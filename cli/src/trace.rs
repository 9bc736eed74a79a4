//! The dialogue, for people: `C: ` what we say, `S: ` what the server says.

use std::io::{self, Write as _};

use okuru_core::client::Trace;
use okuru_core::syntax::Reply;

/// Shows a line of the dialogue on standard error.
pub(crate) fn show(trace: &Trace) {
    let mut lines = String::new();
    match trace {
        Trace::Sent(line) => push(&mut lines, "C: ", &printable(line)),
        Trace::SentContent(octets) => push(&mut lines, "C: ", &content(*octets)),
        Trace::Received(reply) => reply_lines(reply).for_each(|line| push(&mut lines, "S: ", &line)),
        Trace::Tls => push(&mut lines, "-- ", "TLS"),
    }
    // Nobody is left to tell, should standard error be closed.
    let _ = io::stderr().write_all(lines.as_bytes());
}

/// The lines of a reply as they came, with what could steer a terminal replaced.
pub(crate) fn reply_lines(reply: &Reply) -> impl Iterator<Item = String> {
    String::from_utf8_lossy(reply.raw()).lines().map(printable).collect::<Vec<_>>().into_iter()
}

/// What stands for content.
pub(crate) fn content(octets: u64) -> String {
    format!("({octets} octets of content)")
}

fn push(lines: &mut String, prefix: &str, line: &str) {
    lines.push_str(prefix);
    lines.push_str(line);
    lines.push('\n');
}

fn printable(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
