//! Text to values and back.
mod content;
pub use content::{BareNewline, ContentEncoder, Framing, Inspection, Newlines, Piece};
