//! The digest of a message's content, which comes out the same however the content was cut.

use core::hash::Hasher as _;

use twox_hash::XxHash3_64;

/// Digests one message at a time, from pieces that come in order.
///
/// A message that comes in one piece costs one pass and no state, which is the rule for small ones.
#[derive(Default)]
pub struct Digest {
    earlier: Option<Box<XxHash3_64>>,
    bytes: u64,
}

/// The length and the hash of one message's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digested {
    pub bytes: u64,
    pub hash: u64,
}

impl Digest {
    /// Takes a piece that others follow.
    pub fn update(&mut self, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        self.earlier.get_or_insert_with(|| Box::new(XxHash3_64::with_seed(0))).write(piece);
        self.bytes += piece.len() as u64;
    }

    /// Takes the last piece, and is then ready for the next message.
    pub fn finish(&mut self, piece: &[u8]) -> Digested {
        let bytes = core::mem::take(&mut self.bytes) + piece.len() as u64;
        let hash = match self.earlier.take() {
            None => XxHash3_64::oneshot(piece),
            Some(mut hasher) => {
                hasher.write(piece);
                hasher.finish()
            }
        };
        Digested { bytes, hash }
    }

    /// Whether nothing has come of the next message.
    pub fn is_empty(&self) -> bool {
        self.earlier.is_none()
    }

    /// Forgets what came of a message that will not be finished.
    pub fn abandon(&mut self) {
        *self = Digest::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_changes_nothing() {
        let content: Vec<u8> = (0..5000u32).map(|n| (n * n) as u8).collect();
        let mut digest = Digest::default();
        let whole = digest.finish(&content);
        assert_eq!(whole.bytes, 5000);
        for cut in [0, 1, 255, 256, 257, 4999, 5000] {
            digest.update(&content[..cut]);
            assert_eq!(digest.finish(&content[cut..]), whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_change_is_seen() {
        let mut digest = Digest::default();
        assert_ne!(digest.finish(b"ab"), digest.finish(b"ba"));
    }

    #[test]
    fn an_abandoned_message_leaves_nothing() {
        let mut digest = Digest::default();
        let expected = digest.finish(b"two");
        digest.update(b"one");
        digest.abandon();
        assert_eq!(digest.finish(b"two"), expected);
    }
}
