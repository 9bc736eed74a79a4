//! A dispatcher's state as text, to go on later.
//!
//! One line for each thing, the first word says what it is; a version comes first. Times are nanoseconds from the moment of
//! the snapshot. Contents and envelopes are the host's; sessions are not kept.

mod read;
mod words;
mod write;

/// The first line.
const VERSION: &str = "okuru-dispatcher 1";
