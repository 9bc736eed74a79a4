//! The dialogue, for people: `C: ` what we say, `S: ` what the server says.

use std::io::{self, Write as _};
use std::sync::Arc;

use okuru_core::client::Trace;
use okuru_core::syntax::Reply;

/// Is told each line of the dialogue.
pub(crate) type Tracer = Arc<dyn Fn(&Trace) + Send + Sync>;

/// Shows the dialogue on standard error, if that is wanted.
pub(crate) fn shown(wanted: bool) -> Option<Tracer> {
    // Nobody is left to tell, should standard error be closed.
    wanted.then(|| Arc::new(|trace: &Trace| io::stderr().write_all(lines(trace).as_bytes()).unwrap_or_default()) as _)
}

/// What is shown of it: `C: ` or `S: ` before each line.
pub(crate) fn lines(trace: &Trace) -> String {
    let mut lines = String::new();
    match trace {
        Trace::Sent(line) => push(&mut lines, "C: ", &printable(line)),
        Trace::SentContent(octets) => push(&mut lines, "C: ", &content(*octets)),
        Trace::Received(reply) => reply_lines(reply).for_each(|line| push(&mut lines, "S: ", &line)),
        Trace::Tls => push(&mut lines, "-- ", "TLS"),
    }
    lines
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
