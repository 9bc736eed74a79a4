//! The program as a shell sees it.

mod certificates;
mod demo;
mod dkim;
mod exit_status;
mod json;
#[path = "../support/knot.rs"]
mod knot;
mod mailing;
mod probe;
mod program;
mod route;
mod send;
mod sendmail;
mod sendmail_session;
mod server;
mod sink;
mod sink_faults;
mod sink_under_load;
mod spf;
#[path = "../support/sink.rs"]
mod started_sink;
