//! Where messages go, and what is said when they don't arrive.

pub mod route;

pub use route::Route;
