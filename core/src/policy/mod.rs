//! Decisions about mail, with the look-ups asked of the host.
//!
//! - [`spf`]: whether a client may send mail in the name of a domain

pub mod spf;
