//! `check_host()` of the core against the public suite of RFC 7208, and against pyspf.

mod pyspf;
mod suite;
mod zone;
