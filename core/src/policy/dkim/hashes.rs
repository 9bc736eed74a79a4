//! What is signed, as hashes.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use crate::syntax::Header;
use crate::syntax::dkim::{CanonicalBody, Form, canonical_field, without_signature};

/// The hash of a body that comes piece by piece, or of its first octets.
#[derive(Clone, Debug)]
pub(super) struct BodyHash {
    body: CanonicalBody,
    hash: Sha256,
    /// How many octets are still to be hashed; `None` takes all.
    left: Option<u64>,
}

impl BodyHash {
    pub(super) fn new(form: Form, length: Option<u64>) -> Self {
        Self { body: CanonicalBody::new(form), hash: Sha256::new(), left: length }
    }

    pub(super) fn feed(&mut self, piece: &[u8]) {
        let (hash, left) = (&mut self.hash, &mut self.left);
        self.body.feed(piece, &mut |bytes| take(hash, left, bytes));
    }

    /// The hash; `None` if the body is shorter than it should be.
    pub(super) fn finish(self) -> Option<[u8; 32]> {
        let Self { body, mut hash, mut left } = self;
        body.finish(&mut |bytes| take(&mut hash, &mut left, bytes));
        (left.unwrap_or(0) == 0).then(|| hash.finalize().into())
    }
}

fn take(hash: &mut Sha256, left: &mut Option<u64>, bytes: &[u8]) {
    match left {
        None => hash.update(bytes),
        Some(left) => {
            let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
            hash.update(bytes.get(..count).unwrap_or(bytes));
            *left -= count as u64;
        }
    }
}

/// The hash of the fields of a header that a signature names, and of the signature (RFC 6376 §3.7), which stands at `place` if it is in the
/// header already.
pub(super) fn header_hash(
    header: &[u8],
    names: &[Box<str>],
    form: Form,
    signature: &[u8],
    place: Option<usize>,
) -> [u8; 32] {
    let mut fields: BTreeMap<Vec<u8>, Vec<&[u8]>> = BTreeMap::new();
    for field in Header::of(header).fields() {
        // The field that is the signature itself is not among them.
        if place != Some(field.range().start) {
            let bytes = header.get(field.range()).unwrap_or_default();
            fields.entry(field.name().to_ascii_lowercase().into_bytes()).or_default().push(bytes);
        }
    }
    let mut hash = Sha256::new();
    for name in names {
        // RFC 6376 §5.4.2: from the bottom up; what is not there is nothing.
        let next = fields.get_mut(name.to_ascii_lowercase().as_bytes()).and_then(Vec::pop);
        if let Some(field) = next {
            hash.update(canonical_field(field, form));
        }
    }
    let signature = canonical_field(&without_signature(signature), form);
    hash.update(signature.strip_suffix(b"\r\n").unwrap_or(&signature));
    hash.finalize().into()
}
