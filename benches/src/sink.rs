//! An SMTP server that takes everything and keeps nothing, so that a bench measures the client.
//!
//! One thread, one buffer for reading, no allocation for a small message. What arrives can be looked at late, to stand for
//! a network with that round trip.

mod data;
mod delay;
mod server;
mod session;
mod totals;

pub use server::{Options, Server};
pub use session::Offer;
pub use totals::Totals;
