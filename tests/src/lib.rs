//! What crosses a border.
//!
//! [`vectors`] reads the dialogues of `tests/vectors/`, compiles them to a list of steps that any host can carry out, and
//! carries them out on the client of the core; [`receiver`] does so with those of `tests/vectors/receiver/`, on its server.
//! [`joined`] lets the two meet.

pub mod joined;
pub mod receiver;
pub mod vectors;
