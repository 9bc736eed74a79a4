//! The records of SPF (RFC 7208): terms, and the macros in them.

mod fault;
mod macro_string;
mod record;
mod term;

pub use fault::Fault;
pub use macro_string::{DomainSpec, ExplainString, Macro, MacroLetter, MacroPart, MacroString};
pub use record::Record;
pub use term::{Directive, DualPrefix, Mechanism, Modifier, Qualifier, Term};
