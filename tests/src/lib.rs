//! What crosses a border.
//!
//! [`vectors`] reads the dialogues of `tests/vectors/`, compiles them to a list of steps that any host can carry out, and
//! carries them out on the machine of the core.

pub mod vectors;
