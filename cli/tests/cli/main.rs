//! The program as a shell sees it.

mod certificates;
mod demo;
mod exit_status;
mod json;
mod probe;
mod program;
mod send;
mod server;
