//! What all tests here share.

mod books;
mod client;
mod letter;
mod post;
mod servers;
mod sink;

pub(crate) use books::Books;
pub(crate) use client::{BOTH, Client, Dialogue, Kind, Way, all_ways, options};
pub(crate) use letter::{Letter, Piecemeal};
pub(crate) use servers::{Servers, User};
pub(crate) use sink::{Manner, Sink};
