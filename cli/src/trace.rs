//! The dialogue, for people: `C: ` what we say, `S: ` what the server says.

use std::io::{self, Write as _};
use std::sync::Arc;

use okuru_core::client::Trace;
use okuru_core::pop3;
use okuru_core::syntax::Reply;

/// Is told each piece of the dialogue, as it is shown.
pub(crate) type Tracer = Arc<dyn Fn(&str) + Send + Sync>;

/// Shows the dialogue on standard error, if that is wanted.
pub(crate) fn shown(wanted: bool) -> Option<Tracer> {
    // Nobody is left to tell, should standard error be closed.
    wanted.then(|| Arc::new(|lines: &str| io::stderr().write_all(lines.as_bytes()).unwrap_or_default()) as _)
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

/// What is shown of the dialogue with a POP3 server.
pub(crate) fn pop3_line(trace: &pop3::Trace) -> String {
    let mut line = String::new();
    match trace {
        pop3::Trace::Sent(said) => push(&mut line, "C: ", &printable(said)),
        pop3::Trace::Received(heard) => push(&mut line, "S: ", heard),
        pop3::Trace::Tls => push(&mut line, "-- ", "TLS"),
    }
    line
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
