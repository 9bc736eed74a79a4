//! The Rust clients against real Postfix and Dovecot, on loopback: what they say became of a message, beside what is in the
//! mailboxes, byte for byte.
//!
//! `tests/servers/run.py` starts the servers, once for all tests here; it needs root, and what `tests/servers/install`
//! brings. Without them the tests fail.

mod harness;

mod authentication;
mod crash;
mod delivery;
mod limits;
mod lmtp;
mod refusals;
mod sessions;
mod trust;
