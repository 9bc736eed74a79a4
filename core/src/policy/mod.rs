//! Decisions about mail, with the look-ups asked of the host.
//!
//! - [`spf`]: whether a client may send mail in the name of a domain
//! - [`dkim`]: whether a message is as a domain has signed it
//! - [`dmarc`]: whether either is about the domain that the reader sees, and what that wants done if not

pub mod dkim;
pub mod dmarc;
pub mod spf;
