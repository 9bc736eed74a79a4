//! Where messages go, and what is said when they don't arrive.

#[cfg(test)]
mod dialogue;
pub mod dsn;
pub mod route;

pub use route::Route;
