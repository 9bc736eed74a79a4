//! From the domain of a recipient to the servers to try (RFC 5321 §5).
//!
//! A [`Policy`] says which way each recipient of a message goes, and puts together those that go together. A [`Route`]
//! then finds the servers of one domain. It is a machine like the connections: [`poll`](Route::poll) until it says
//! [`Wait`](Output::Wait), doing each look-up that it asks for; hand in the answers in the order in which they come; look-ups that don't
//! depend on each other are asked at once. [`relay_may_take`] says whether what failed directly may go by a relay instead.
//!
//! ```
//! use core::time::Duration;
//! use okuru_core::delivery::route::{Answer, Config, Exchange, Output, Records, Route, Verdict};
//!
//! let mut route = Route::new(&"example.org".parse()?, Config::default().into(), [7; 8]);
//! let resolution = loop {
//!     match route.poll(Duration::ZERO) {
//!         Output::Resolve(query) => {
//!             let records = match query.kind.as_str() {
//!                 "MX" => Records::Exchanges(vec![Exchange { preference: 10, host: "mx.example.org".into() }]),
//!                 "A" => Records::Addresses(vec!["192.0.2.1".parse().unwrap()]),
//!                 _ => Records::NoData,
//!             };
//!             route.dns_answer(query.id, Answer::new(records)); // here: from the network, whenever it comes
//!         }
//!         Output::Wait { .. } => unreachable!("every answer was given at once"),
//!         Output::Done(resolution) => break resolution,
//!     }
//! };
//! let Verdict::Hosts(hosts) = &resolution.verdict else { unreachable!() };
//! assert_eq!((hosts[0].name.as_str(), hosts[0].preference), ("mx.example.org", Some(10)));
//! # Ok::<(), okuru_core::Error>(())
//! ```

mod candidate;
mod config;
mod exchanges;
mod fallback;
mod machine;
mod policy;
mod resolution;
#[cfg(test)]
mod tests;

pub use crate::dns::{Answer, Exchange, Query, QueryId, QueryKind, Records};
pub use config::{Config, Families, Leniency, Limits, Ourselves};
pub use fallback::{relay_may_help, relay_may_take};
pub use machine::{Output, Route};
pub use policy::{Group, Hop, Policy, Way, group};
pub use resolution::{Host, Resolution, Skipped, Verdict};
