//! What the programs of the bench share: the messages they send, the digest they are judged by, their flags, and the sink.

pub mod digest;
pub mod job;
pub mod message;
pub mod okuru;
pub mod sink;
