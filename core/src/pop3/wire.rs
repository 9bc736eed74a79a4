//! What has been said and not been taken by the host yet, and since when an answer is waited for.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::output::{Event, Output, Trace};

#[derive(Clone, Debug, Default)]
pub(super) struct Wire {
    outputs: VecDeque<Output>,
    /// When the last command was said.
    pub(super) since: Duration,
    trace: bool,
}

impl Wire {
    pub(super) fn new(trace: bool) -> Self {
        Self { trace, ..Self::default() }
    }

    /// Says a line. `shown` is what may be seen of it, if it holds a secret.
    pub(super) fn say(&mut self, now: Duration, parts: &[&[u8]], shown: Option<&str>) {
        let mut line = Vec::with_capacity(parts.iter().map(|part| part.len()).sum::<usize>() + 2);
        parts.iter().for_each(|part| line.extend_from_slice(part));
        if self.trace {
            let sent = shown.map_or_else(|| String::from_utf8_lossy(&line).into_owned(), Into::into);
            self.event(Event::Trace(Trace::Sent(sent)));
        }
        line.extend_from_slice(b"\r\n");
        self.since = now;
        self.outputs.push_back(Output::Write(line));
    }

    /// A line of the server's has come.
    pub(super) fn heard(&mut self, line: &[u8]) {
        if self.trace {
            let replace = |c: char| if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c };
            let received = String::from_utf8_lossy(line).chars().map(replace).collect();
            self.event(Event::Trace(Trace::Received(received)));
        }
    }

    /// From here on inside TLS.
    pub(super) fn secured(&mut self, now: Duration) {
        self.since = now;
        if self.trace {
            self.event(Event::Trace(Trace::Tls));
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(super) fn ask_host(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether something has been said that the host has not taken yet, so that nobody can have answered it.
    pub(super) fn is_unsaid(&self) -> bool {
        self.outputs.iter().any(|output| matches!(output, Output::Write(_)))
    }

    /// What the host has not taken is void.
    pub(super) fn hang_up(&mut self) {
        self.outputs.retain(|output| matches!(output, Output::Event(_)));
    }
}
