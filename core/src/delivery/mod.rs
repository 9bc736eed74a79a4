//! Where messages go and when: above the machines that hold one connection each.
//!
//! - [`Mailer`]: messages in, outcomes out: what a host drives
//! - [`Stepper`]: the same in one call, for hosts to whom each costs much
//! - [`Dispatcher`]: which connection to open, which message goes on which, when one is tried again
//! - [`Route`]: from a recipient's domain to the servers to try
//! - [`dsn`]: what is said to the sender of a message that did not arrive

#[cfg(test)]
mod dialogue;
pub mod dispatcher;
pub mod dsn;
pub mod mailer;
pub mod route;
pub mod stepper;

pub use dispatcher::Dispatcher;
pub use mailer::Mailer;
pub use route::Route;
pub use stepper::Stepper;
