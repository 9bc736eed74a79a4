//! The program as a shell sees it.

mod exit_status;
mod json;
mod program;
mod send;
mod server;
