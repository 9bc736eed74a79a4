//! Where messages go and when: above the machines that hold one connection each.
//!
//! - [`Dispatcher`]: which connection to open, which message goes on which, when one is tried again

pub mod dispatcher;

pub use dispatcher::Dispatcher;
