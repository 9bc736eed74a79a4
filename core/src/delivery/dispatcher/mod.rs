//! Which message goes over which connection, and when: many messages, many servers.
//!
//! ```text
//! Dispatcher::new(config, seed: u64)
//! resume(config, seed, now, away, snapshot: &[u8], envelope: FnMut(MessageId) -> Option<Arc<Envelope>>) -> Result<Dispatcher, Error>
//! snapshot(&self, now) -> Vec<u8>
//! set_host(host, HostPolicy)            set_destination(name, Quota)
//! wants_message(&self) -> bool          submit(now, Parcel) -> Result<(), Error>
//! cancel(now, MessageId)                finish()      stop()
//! poll(now) -> Output
//! routed(now, destination: &str, Result<Vec<Target>, Failure>)
//! logged_in(now, host: &str, Result<(), Failure>)
//! ready(now, SessionId, &Capabilities)  wants_more(now, SessionId)   pipelining_reduced(SessionId)
//! finished(now, DeliveryId, &Outcome, Content)                       checked(now, SessionId)
//! closed(now, SessionId, &Closed)
//! metrics(&self) -> Metrics
//! ```

mod alarms;
mod books;
mod choice;
mod config;
mod down;
mod health;
mod host;
mod machine;
mod metrics;
mod naming;
mod outcomes;
mod output;
mod pace;
mod parcel;
mod place;
mod queue;
mod random;
mod refusal;
mod session;
mod sessions;
mod slab;
mod turns;
mod waiters;

pub use config::{Backoff, Capacity, Config, HostPolicy, Quota, Rate, Retry, WarmUp};
pub use machine::Dispatcher;
pub use metrics::{Metrics, Totals};
pub use outcomes::Content;
pub use output::{DeliveryId, Event, Open, Output, Send, SessionId, Tried};
pub use parcel::{Destination, Group, Parcel, Target, Unrouted, Way};
