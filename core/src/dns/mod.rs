//! What is asked of the DNS, and what it says: one language for every machine that asks.
//!
//! A machine asks by a [`Query`]; the host makes the look-up, whatever it takes, and hands in an [`Answer`]. Names that are
//! looked up are [`Name`]s, which hold more than a [`Domain`](crate::syntax::Domain) does: the labels of services and those that the
//! macros of SPF make.

mod answer;
mod inquiry;
mod look_ups;
mod memory;
mod name;

pub use answer::{Answer, Exchange, Query, QueryId, QueryKind, Records};
pub(crate) use inquiry::inquiry;
pub use inquiry::{Inquiry, Output};
pub(crate) use look_ups::{Found, LookUps};
pub(crate) use memory::Memory;
pub use name::Name;
