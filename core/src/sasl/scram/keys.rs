//! What both sides make of the password (RFC 5802 §3).

use crate::sasl::hash::Hash;
use crate::sasl::secret::Key;

/// ```text
/// SaltedPassword := Hi(Normalize(password), salt, i)
/// ClientKey      := HMAC(SaltedPassword, "Client Key")
/// StoredKey      := H(ClientKey)
/// ServerKey      := HMAC(SaltedPassword, "Server Key")
/// ```
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) client_key: Key,
    pub(super) stored_key: Key,
    pub(super) server_key: Key,
}

impl Keys {
    /// From a password that has been prepared.
    pub(super) fn derive(hash: Hash, password: &str, salt: &[u8], iterations: u32) -> Self {
        let salted = hash.pbkdf2(password.as_bytes(), salt, iterations);
        let client_key = hash.hmac(salted.as_bytes(), b"Client Key");
        let stored_key = hash.digest(client_key.as_bytes());
        let server_key = hash.hmac(salted.as_bytes(), b"Server Key");
        Self { client_key, stored_key, server_key }
    }
}

/// The client's proof from its key, and its key from the proof.
///
/// ```text
/// ClientSignature := HMAC(StoredKey, AuthMessage)
/// ClientProof     := ClientKey XOR ClientSignature
/// ```
pub(super) fn with_client_signature(hash: Hash, mut key: Key, stored_key: &Key, auth_message: &[u8]) -> Key {
    let signature = hash.hmac(stored_key.as_bytes(), auth_message);
    key.as_mut_bytes().iter_mut().zip(signature.as_bytes()).for_each(|(byte, other)| *byte ^= other);
    key
}

/// ```text
/// ServerSignature := HMAC(ServerKey, AuthMessage)
/// ```
pub(super) fn server_signature(hash: Hash, server_key: &Key, auth_message: &[u8]) -> Key {
    hash.hmac(server_key.as_bytes(), auth_message)
}
