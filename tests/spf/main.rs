//! `check_host()` of the core against the public suite of RFC 7208, and against pyspf.

mod machine;
mod made_up;
mod pyspf;
#[path = "../python/mod.rs"]
mod python;
mod suite;
mod zone;
