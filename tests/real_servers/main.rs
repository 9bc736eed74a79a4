//! The Rust clients and the mailer against real Postfix, Dovecot and Knot, on loopback: what they say became of a message, beside what is in the
//! mailboxes, byte for byte.
//!
//! `tests/servers/run.py` starts the servers, once for all tests here; it needs root, and what `tests/servers/install`
//! brings. Without them the tests fail.

mod harness;

mod authentication;
mod crash;
mod delivery;
mod direct;
mod limits;
mod lmtp;
mod mailer;
mod notification;
mod refusals;
mod sessions;
mod trust;
