//! What DKIM writes (RFC 6376): signatures, the records of keys, and the forms in which messages are compared.

mod body;
mod canonical_header;
mod key_record;
mod signature;

pub use body::CanonicalBody;
pub use canonical_header::{canonical_field, without_signature};
pub use key_record::{KeyRecord, KeyType};
pub use signature::{Algorithm, Canonicalization, Form, Signature};
