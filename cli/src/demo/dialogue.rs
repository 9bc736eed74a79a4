//! The dialogue side by side: the client on the left, the server on the right, a mark wherever the client had to wait.

use std::fmt::Write as _;

use okuru::Trace;

use crate::trace::{content, reply_lines};

/// Lays out the dialogue, line by line.
#[derive(Debug)]
pub(super) struct Dialogue {
    /// How wide each side is, in columns.
    side: usize,
    /// The names of the messages, in their order.
    names: Vec<&'static str>,
    /// Of how many messages the content has been sent.
    sent: usize,
    /// Of how many the envelope has been begun.
    begun: usize,
    /// Whether the server had the last word.
    heard: bool,
    turns: u32,
}

const BETWEEN: &str = " | ";

impl Dialogue {
    /// A dialogue about these messages, so many columns wide.
    pub(super) fn new(width: usize, names: Vec<&'static str>) -> Self {
        Self { side: width.saturating_sub(BETWEEN.len()) / 2, names, sent: 0, begun: 0, heard: true, turns: 0 }
    }

    /// How often the client has had to wait.
    pub(super) fn turns(&self) -> u32 {
        self.turns
    }

    /// What stands above it.
    pub(super) fn heading(&self) -> String {
        let mut text = String::new();
        self.row("client", "server", &mut text);
        text
    }

    /// The rows for what was said.
    pub(super) fn rows(&mut self, trace: &Trace) -> String {
        let mut text = String::new();
        match trace {
            Trace::Sent(line) => {
                self.turn(&mut text);
                if let Some(phase) = self.phase(line) {
                    self.rule(&phase, &mut text);
                }
                self.row(line, "", &mut text);
            }
            Trace::SentContent(octets) => {
                self.turn(&mut text);
                let name = self.names.get(self.sent).copied().unwrap_or_default();
                self.row(&format!("{} {name}", content(*octets)), "", &mut text);
                self.row(".", "", &mut text);
                self.sent += 1;
            }
            Trace::Received(reply) => {
                self.heard = true;
                for line in reply_lines(reply) {
                    self.row("", &line, &mut text);
                }
            }
            Trace::Tls => self.rule("from here on inside TLS", &mut text),
        }
        text
    }

    /// The client speaks: what it says until the next reply goes in one write, for which it waits once.
    fn turn(&mut self, text: &mut String) {
        if std::mem::take(&mut self.heard) {
            self.turns += 1;
            let _ = writeln!(text, "{:->1$}", format!(" {}", self.turns), 2 * self.side + BETWEEN.len());
        }
    }

    fn phase(&mut self, line: &str) -> Option<String> {
        if line.starts_with("AUTH ") {
            return Some("who we are, and that both know the password".to_owned());
        }
        if line.starts_with("MAIL ") {
            let name = self.names.get(self.begun)?;
            self.begun += 1;
            return Some(format!("message {} of {}: {name}", self.begun, self.names.len()));
        }
        None
    }

    fn rule(&self, title: &str, text: &mut String) {
        let _ = writeln!(text, "{:=^1$}", format!(" {title} "), 2 * self.side + BETWEEN.len());
    }

    fn row(&self, left: &str, right: &str, text: &mut String) {
        let row = format!("{:1$}{BETWEEN}{2}", cut(left, self.side), self.side, cut(right, self.side));
        text.push_str(row.trim_end());
        text.push('\n');
    }
}

/// The front of a line that is too long.
fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    line.chars().take(width.saturating_sub(3)).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use okuru_core::syntax::Reply;

    #[test]
    fn side_by_side() {
        let mut dialogue = Dialogue::new(43, vec!["a.eml"]);
        let mut text = String::new();
        for trace in [
            Trace::Received(Reply::parse(b"220 hello\r\n").unwrap()),
            Trace::Sent("MAIL FROM:<ann@example.com>".to_owned()),
            Trace::Sent("DATA".to_owned()),
            Trace::Received(Reply::parse(b"250-one\r\n250 two\r\n").unwrap()),
            Trace::Tls,
            Trace::SentContent(12),
        ] {
            text.push_str(&dialogue.rows(&trace));
        }
        let expected = "                     | 220 hello\n\
            ----------------------------------------- 1\n\
            ========== message 1 of 1: a.eml ==========\n\
            MAIL FROM:<ann@ex... |\n\
            DATA                 |\n                     | 250-one\n                     | 250 two\n\
            ========= from here on inside TLS =========\n\
            ----------------------------------------- 2\n\
            (12 octets of con... |\n\
            .                    |\n";
        assert_eq!(text, expected);
        assert_eq!(dialogue.turns(), 2);
    }
}
