//! What has been delivered.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a delivery may take on a machine that has other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The Maildirs of the servers, emptied as they fill.
pub(crate) struct Post {
    /// By the address whose mail it is, or `*`.
    maildirs: Vec<(String, PathBuf)>,
    /// By the first line of the content.
    sorted: Mutex<HashMap<Vec<u8>, Vec<Delivered>>>,
}

/// A message in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// The reverse-path, without brackets.
    pub(crate) from: String,
    /// The recipient.
    pub(crate) to: String,
    /// How many servers it went over.
    pub(crate) hops: usize,
    /// The Received headers that were added: each server writes its own number of the message there.
    pub(crate) trace: Vec<u8>,
    /// As it was sent, but for LF in place of CRLF.
    pub(crate) content: Vec<u8>,
}

impl Post {
    pub(crate) fn of(maildirs: impl IntoIterator<Item = (String, PathBuf)>) -> Self {
        Self { maildirs: maildirs.into_iter().collect(), sorted: Mutex::default() }
    }

    /// Waits until `count` messages with this first line have come, and takes out all that have.
    pub(crate) fn wait_for(&self, first_line: &[u8], count: usize) -> Vec<Delivered> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let is_late = Instant::now() > deadline;
            {
                let mut sorted = self.sorted.lock().expect("nobody panics while sorting");
                if sorted.get(first_line).map_or(0, Vec::len) < count {
                    self.sort(&mut sorted);
                }
                if is_late || sorted.get(first_line).map_or(0, Vec::len) >= count {
                    return sorted.remove(first_line).unwrap_or_default();
                }
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Takes in whatever is in the mailboxes now.
    pub(crate) fn look(&self) {
        self.sort(&mut self.sorted.lock().expect("nobody panics while sorting"));
    }

    fn sort(&self, sorted: &mut HashMap<Vec<u8>, Vec<Delivered>>) {
        for (owner, maildir) in &self.maildirs {
            for entry in fs::read_dir(maildir.join("new")).into_iter().flatten().flatten() {
                // Whatever has a name in `new` is complete.
                let Ok(raw) = fs::read(entry.path()) else {
                    continue;
                };
                // A server that is told to stop may be quicker.
                let _ = fs::remove_file(entry.path());
                let delivered = Delivered::parse(owner, &raw);
                let first_line = delivered.content.split(|&byte| byte == b'\n').next().unwrap_or_default().to_vec();
                let copies = sorted.entry(first_line).or_default();
                // A server that is killed when it has just delivered a message delivers the same one again.
                if !copies.contains(&delivered) {
                    copies.push(delivered);
                }
            }
        }
    }
}

impl Delivered {
    /// Takes off what was added on the way: Return-Path, X-Original-To and Delivered-To, then one Received for each server.
    fn parse(owner: &str, raw: &[u8]) -> Self {
        let mut this =
            Self { from: String::new(), to: owner.to_owned(), hops: 0, trace: Vec::new(), content: Vec::new() };
        let mut rest = raw;
        loop {
            let length = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |end| end + 1);
            let (line, behind) = rest.split_at(length);
            let text = String::from_utf8_lossy(line);
            match text.trim_end().split_once(": ") {
                Some(("Return-Path", path)) if this.hops == 0 => this.from = bare(path),
                // Dovecot does not say this where there are several recipients.
                Some(("Delivered-To", address)) if this.hops == 0 => {
                    let address = bare(address);
                    this.to = if owner == "*" || owner == address { address } else { format!("{address} at {owner}") };
                }
                Some(("X-Original-To", _)) if this.hops == 0 => {}
                Some(("Received", _)) => {
                    this.hops += 1;
                    this.trace.extend_from_slice(line);
                }
                _ if this.hops > 0 && text.starts_with([' ', '\t']) => this.trace.extend_from_slice(line),
                _ => {
                    this.content = rest.to_vec();
                    return this;
                }
            }
            rest = behind;
        }
    }
}

fn bare(path: &str) -> String {
    path.trim_start_matches('<').trim_end_matches('>').to_owned()
}

#[test]
fn what_was_added_is_taken_off_and_no_more() {
    let raw = b"Return-Path: <a@x>\nX-Original-To: b@x\nDelivered-To: b@x\nReceived: from y\n\tby z\nReceived: from z\n by x\n\
        X-Test: 1\nReturn-Path: <old>\nReceived: old\n\tstill\n\nbody\n";
    let delivered = Delivered::parse("*", raw);
    assert_eq!((delivered.from.as_str(), delivered.to.as_str(), delivered.hops), ("a@x", "b@x", 2));
    assert_eq!(Delivered::parse("c@x", raw).to, "b@x at c@x");
    assert_eq!(Delivered::parse("c@x", b"Received: y\n").to, "c@x");
    assert_eq!(delivered.content, b"X-Test: 1\nReturn-Path: <old>\nReceived: old\n\tstill\n\nbody\n");
}
