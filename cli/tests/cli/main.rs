//! The program as a shell sees it.

mod certificates;
mod demo;
mod exit_status;
mod json;
mod probe;
mod program;
mod send;
mod server;
mod sink;
mod sink_faults;
mod sink_under_load;
#[path = "../support/sink.rs"]
mod started_sink;
