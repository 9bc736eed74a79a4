//! Whether a client may send mail in the name of a domain (RFC 7208).
//!
//! A [`Check`] is `check_host()`, as a machine: [`poll`](Check::poll) until it says [`Wait`](Output::Wait), doing each look-up
//! that it asks for; hand in the answers in the order in which they come. At its end is a [`Verdict`]: the result, the
//! explanation that the domain gives, and a trace of what was looked at and why it matched or did not.
//!
//! Look-ups that don't depend on each other are asked at once: those of the servers in an `mx`, and those of all terms of a
//! record ([`Config::look_ahead`]). What counts is the order of the terms all the same: each is judged only when those
//! before it have not matched, and what has been looked up ahead counts against the limits only then.
//!
//! ```
//! use core::time::Duration;
//! use okuru_core::dns::{Answer, Records};
//! use okuru_core::policy::spf::{Check, Config, Output, Request, SpfResult};
//!
//! let request = Request::mail_from("192.0.2.7".parse().unwrap(), "mx.example.org", "ann@example.org");
//! let mut check = Check::new(request, Config::default().into());
//! let verdict = loop {
//!     match check.poll(Duration::ZERO) {
//!         Output::Resolve(query) => {
//!             assert_eq!((query.name.as_str(), query.kind.as_str()), ("example.org", "TXT"));
//!             let records = Records::Texts(vec![b"v=spf1 ip4:192.0.2.0/24 -all".to_vec()]);
//!             check.dns_answer(query.id, Answer::new(records)); // here: from the network, whenever it comes
//!         }
//!         Output::Wait { .. } => unreachable!("every answer was given at once"),
//!         Output::Done(verdict) => break verdict,
//!     }
//! };
//! assert_eq!(verdict.result, SpfResult::Pass);
//! assert_eq!(verdict.trace.last().unwrap().reason, "192.0.2.7 is within 192.0.2.0/24");
//! ```

mod check;
mod config;
mod evaluation;
mod expansion;
mod headers;
mod lint;
mod remarks;
mod request;
mod verdict;

pub use check::{Check, Output};
pub use config::{Config, Limits};
pub use headers::{authentication_results, received_spf};
pub use lint::{Findings, Lint, LintOutput, RecordFound, TermFound};
pub use remarks::{Remark, Severity};
pub use request::{Identity, Request};
pub use verdict::{LookedUp, SpfResult, Step, Verdict};
