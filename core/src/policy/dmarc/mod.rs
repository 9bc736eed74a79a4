//! Whether SPF or DKIM speaks for the domain that the reader sees, and what that domain wants done if neither does
//! (DMARC, RFC 9989).
//!
//! A [`Check`] takes the results of both as they are, asks the DNS for the policy, and comes to a [`Verdict`]. It is driven as
//! a [`spf::Check`](super::spf::Check) is.
//!
//! Where an organization begins is found by walking up the tree of the DNS, as RFC 9989 §4.10 has it, and not by a public suffix
//! list, as RFC 7489 had: the list is large, changes by the day, and would be data that this crate can't bring up to date, where the
//! tree says itself what it wants. What differs: a domain between the author's and the top whose record is the highest one
//! counts as the organization; `pct` means nothing, `t=y` asks for mildness instead; `np` is for domains that don't exist.
//!
//! ```
//! use core::time::Duration;
//! use okuru_core::dns::{Answer, Records};
//! use okuru_core::policy::dkim::DkimResult;
//! use okuru_core::policy::dmarc::{Check, Config, DmarcResult, Output, Request};
//!
//! let request = Request::new(&"news.example.org".parse()?).dkim(DkimResult::Pass, "example.org");
//! let mut check = Check::new(request, Config::default());
//! let verdict = loop {
//!     match check.poll(Duration::ZERO) {
//!         Output::Resolve(query) => {
//!             let records = match query.name.as_str() {
//!                 "_dmarc.example.org" => Records::Texts(vec![b"v=DMARC1; p=reject".to_vec()]),
//!                 _ => Records::NoData,
//!             };
//!             check.dns_answer(query.id, Answer::new(records)); // here: from the network, whenever it comes
//!         }
//!         Output::Wait { .. } => unreachable!("every answer was given at once"),
//!         Output::Done(verdict) => break verdict,
//!     }
//! };
//! assert_eq!(verdict.result, DmarcResult::Pass);
//! # Ok::<(), okuru_core::Error>(())
//! ```

mod check;
#[cfg(test)]
mod tests;
mod tree_walk;
mod verdict;

pub use check::{Check, Config, Output, Request};
pub use verdict::{DmarcResult, Verdict};
