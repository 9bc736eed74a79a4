//! What takes the place of the keys of a user who is not there.

use super::hash::Hash;
use super::scram::StoredKeys;
use super::secret::{Key, Secret};
use core::fmt;

/// Makes up keys that look like those of a user and stay the same for as long as the seed does, so that nobody can tell
/// who is not there (RFC 5802 §9 asks for no less: the salt is shown to anyone who asks).
#[derive(Clone)]
pub(super) struct Decoy {
    seed: Key,
    iterations: u32,
}

impl Decoy {
    pub(super) fn new(seed: &[u8], iterations: u32) -> Self {
        Self { seed: Key::new(seed), iterations }
    }

    pub(super) fn keys(&self, hash: Hash, user: &str) -> StoredKeys {
        let made_up = |what| self.made_up(hash, what, user);
        let salt = made_up("salt").as_bytes().iter().copied().take(StoredKeys::SALT_LEN).collect();
        StoredKeys::fake(hash, self.iterations, salt, made_up("stored key"), made_up("server key"))
    }

    pub(super) fn password(&self, user: &str) -> Secret {
        self.made_up(Hash::Sha256, "password", user).to_base64()
    }

    /// As long as the hash, which is longer than a salt. The NULs keep what is asked for apart from the name.
    fn made_up(&self, hash: Hash, what: &str, user: &str) -> Key {
        hash.hmac(self.seed.as_bytes(), [hash.scram_name(), "\0", what, "\0", user].concat().as_bytes())
    }
}

impl fmt::Debug for Decoy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoy").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_keys_that_stay() {
        let decoy = Decoy::new(&[1; 32], 5000);
        for hash in [Hash::Sha1, Hash::Sha256] {
            let tim = decoy.keys(hash, "tim");
            assert_eq!((tim.hash(), tim.iterations(), tim.salt().len()), (hash, 5000, StoredKeys::SALT_LEN));
            assert_eq!(decoy.keys(hash, "tim"), tim);
            assert_ne!(decoy.keys(hash, "tom").salt(), tim.salt());
            assert_ne!(Decoy::new(&[2; 32], 5000).keys(hash, "tim").salt(), tim.salt());
        }
        assert_ne!(decoy.keys(Hash::Sha1, "tim").salt(), decoy.keys(Hash::Sha256, "tim").salt());
        assert_ne!(decoy.password("tim"), decoy.password("tom"));
    }
}
