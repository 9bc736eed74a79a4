//! What a server keeps in place of the password.

use super::grammar::posit_number;
use super::keys::Keys;
use super::limits::{MAX_ITERATIONS, MIN_ITERATIONS};
use crate::error::{Error, ErrorCode};
use crate::sasl::hash::Hash;
use crate::sasl::saslprep::saslprep;
use crate::sasl::secret::{Key, Secret};
use alloc::string::ToString;
use alloc::vec::Vec;
use base64ct::{Base64, Encoding};
use core::fmt;
use core::str::FromStr;

/// How long a salt may be that comes from elsewhere.
const MAX_SALT: usize = 255;

/// What a server keeps of a password: enough to check it, and not enough to log in with (RFC 5802 §3).
///
/// Who steals it can try passwords against it, as fast as the iterations let them, and can pretend to be the server.
#[derive(Clone)]
pub struct StoredKeys {
    hash: Hash,
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Key,
    server_key: Key,
}

impl StoredKeys {
    /// How many bytes of salt [`Self::derive`] takes.
    pub const SALT_LEN: usize = 16;

    /// From the password, prepared by SASLprep, and a salt of random bytes that no other user has. This is as slow as
    /// the iterations make it.
    ///
    /// [`ErrorCode::AuthCredentials`] for a password that cannot be prepared; [`ErrorCode::Usage`] for iterations that
    /// are not within [`MIN_ITERATIONS`] and [`MAX_ITERATIONS`].
    pub fn derive(hash: Hash, password: &Secret, salt: [u8; Self::SALT_LEN], iterations: u32) -> Result<Self, Error> {
        if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) {
            return Err(unusable("the iterations of SCRAM are too few or too many"));
        }
        let password = saslprep(password.expose(), "the password")?;
        let keys = Keys::derive(hash, password.expose(), &salt, iterations);
        Ok(Self { hash, iterations, salt: salt.into(), stored_key: keys.stored_key, server_key: keys.server_key })
    }

    /// The keys of nobody, from bytes that nobody can guess.
    pub(in crate::sasl) fn fake(hash: Hash, iterations: u32, salt: Vec<u8>, stored_key: Key, server_key: Key) -> Self {
        Self { hash, iterations, salt, stored_key, server_key }
    }

    /// The hash that they are for.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The text that [`str::parse`] reads, as PostgreSQL keeps it. It is to be kept like a password.
    ///
    /// ```abnf
    /// stored-keys = mechanism "$" iteration-count ":" salt "$" StoredKey ":" ServerKey
    /// mechanism   = "SCRAM-SHA-1" / "SCRAM-SHA-256"
    /// ```
    ///
    /// Salt and keys are in base64. RFC 5803 has the same parts in another order of signs.
    pub fn to_text(&self) -> Secret {
        let (stored_key, server_key) = (self.stored_key.to_base64(), self.server_key.to_base64());
        let parts = [
            self.hash.scram_name(),
            "$",
            &self.iterations.to_string(),
            ":",
            &Base64::encode_string(&self.salt),
            "$",
            stored_key.expose(),
            ":",
            server_key.expose(),
        ];
        Secret::concat(&parts)
    }

    /// Whether it is the password. This takes as long as [`Self::derive`], also for one that cannot be prepared.
    pub(in crate::sasl) fn matches(&self, password: &Secret) -> bool {
        let prepared = saslprep(password.expose(), "the password");
        let keys = Keys::derive(self.hash, prepared.as_ref().unwrap_or(password).expose(), &self.salt, self.iterations);
        self.stored_key.matches(keys.stored_key.as_bytes()) & prepared.is_ok()
    }

    pub(in crate::sasl) fn iterations(&self) -> u32 {
        self.iterations
    }

    pub(in crate::sasl) fn salt(&self) -> &[u8] {
        &self.salt
    }

    pub(super) fn stored_key(&self) -> &Key {
        &self.stored_key
    }

    pub(super) fn server_key(&self) -> &Key {
        &self.server_key
    }
}

/// From what [`StoredKeys::to_text`] gives. The salt may have another length, up to 255 bytes.
///
/// [`ErrorCode::Usage`] if it is something else.
impl FromStr for StoredKeys {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = || unusable("the stored keys of SCRAM are not in the form of PostgreSQL");
        let (name, rest) = text.split_once('$').ok_or_else(malformed)?;
        let (iterations_and_salt, keys) = rest.split_once('$').ok_or_else(malformed)?;
        let (iterations, salt) = iterations_and_salt.split_once(':').ok_or_else(malformed)?;
        let (stored_key, server_key) = keys.split_once(':').ok_or_else(malformed)?;
        let hash = [Hash::Sha1, Hash::Sha256].into_iter().find(|hash| hash.scram_name() == name);
        let hash = hash.ok_or_else(malformed)?;
        let iterations = posit_number(iterations).ok_or_else(malformed)?;
        if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) {
            return Err(unusable("the iterations of SCRAM are too few or too many"));
        }
        let salt = Base64::decode_vec(salt).ok().filter(|salt| (1..=MAX_SALT).contains(&salt.len()));
        let salt = salt.ok_or_else(malformed)?;
        let key = |text| Key::from_base64(text).filter(|key| key.as_bytes().len() == hash.len()).ok_or_else(malformed);
        Ok(Self { hash, iterations, salt, stored_key: key(stored_key)?, server_key: key(server_key)? })
    }
}

impl PartialEq for StoredKeys {
    fn eq(&self, other: &Self) -> bool {
        (self.hash, self.iterations, &self.salt) == (other.hash, other.iterations, &other.salt)
            && self.stored_key.matches(other.stored_key.as_bytes())
                & self.server_key.matches(other.server_key.as_bytes())
    }
}

impl Eq for StoredKeys {}

impl fmt::Debug for StoredKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hash, iterations, .. } = self;
        f.debug_struct("StoredKeys").field("hash", hash).field("iterations", iterations).finish_non_exhaustive()
    }
}

fn unusable(what: &'static str) -> Error {
    Error::new(ErrorCode::Usage, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    const SALT: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    /// The password "pencil" with the salt of RFC 7677 §3, as PostgreSQL keeps it.
    const PENCIL: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==\
        $WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

    /// Reckoned with another implementation of PBKDF2 and HMAC.
    #[test]
    fn texts_go_both_ways() {
        let salt = Base64::decode_vec("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        for (hash, password, salt, iterations, text) in [
            (Hash::Sha256, "pencil", salt, 4096, PENCIL),
            (
                Hash::Sha1,
                "pencil",
                SALT,
                5000,
                "SCRAM-SHA-1$5000:AAECAwQFBgcICQoLDA0ODw==$XYfO81/EfVai2bfyGHGdExgQhkM=:A77DSf0YEy4KYxtdE5PRVA8LYEc=",
            ),
        ] {
            let keys = StoredKeys::derive(hash, &password.into(), salt, iterations).unwrap();
            assert_eq!(keys.to_text().expose(), text);
            assert_eq!(text.parse::<StoredKeys>().unwrap(), keys);
            assert_eq!(keys.hash(), hash);
            assert!(keys.matches(&password.into()));
            assert!(!keys.matches(&"Pencil".into()) && !keys.matches(&"".into()) && !keys.matches(&"pencil\0".into()));
        }
    }

    #[test]
    fn the_salt_of_others_may_be_shorter() {
        let keys: StoredKeys =
            "SCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:D+CSWLOshSulAsxiupA+qs2/fTE="
                .parse()
                .unwrap();
        assert!(keys.matches(&"pencil".into()));
    }

    #[test]
    #[cfg(feature = "saslprep")]
    fn passwords_are_prepared() {
        let keys = StoredKeys::derive(Hash::Sha256, &"I\u{AD}X".into(), SALT, 4096).unwrap();
        assert_eq!(keys, StoredKeys::derive(Hash::Sha256, &"IX".into(), SALT, 4096).unwrap());
        assert!(keys.matches(&"IX".into()) && keys.matches(&"\u{2168}".into()));
    }

    #[test]
    fn what_cannot_be_derived() {
        let code = |password: &str, iterations| {
            StoredKeys::derive(Hash::Sha256, &password.into(), SALT, iterations).map_err(|error| error.code())
        };
        assert_eq!(code("a\tb", 4096), Err(ErrorCode::AuthCredentials));
        assert_eq!(code("", 4096), Err(ErrorCode::AuthCredentials));
        assert_eq!(code("pencil", MIN_ITERATIONS - 1), Err(ErrorCode::Usage));
        assert_eq!(code("pencil", MAX_ITERATIONS + 1), Err(ErrorCode::Usage));
    }

    #[test]
    fn what_is_no_text() {
        let long_salt = format!("4096:{}=", "A".repeat(343));
        for (from, to) in [
            ("SCRAM-SHA-256", ""),
            ("SCRAM-SHA-256", "SCRAM-SHA-1"),
            ("SCRAM-SHA-256", "scram-sha-256"),
            ("SCRAM-SHA-256$", "SCRAM-SHA-256"),
            ("4096:", "4096"),
            ("4096:", "4095:"),
            ("4096:", "1000001:"),
            ("4096:", "+4096:"),
            ("4096:", ":"),
            ("W22ZaJ0SNY7soEsUEjb6gQ==", ""),
            ("W22ZaJ0SNY7soEsUEjb6gQ==", "W22ZaJ0SNY7soEsUEjb6gQ"),
            ("4096:W22ZaJ0SNY7soEsUEjb6gQ==", &long_salt),
            ("$WG5d", "WG5d"),
            ("WG5d", "WG*d"),
            ("WG5d", ""),
            (":wfPL", "wfPL"),
            ("wfPL", ""),
            ("2dU=", "2dU=\n"),
            ("2dU=", "2dU=:"),
        ] {
            let text = PENCIL.replacen(from, to, 1);
            assert_ne!(text, PENCIL);
            assert_eq!(text.parse::<StoredKeys>().map_err(|error| error.code()), Err(ErrorCode::Usage), "{text}");
        }
        let longest = format!("4096:{}", "A".repeat(340));
        assert!(PENCIL.replacen("4096:W22ZaJ0SNY7soEsUEjb6gQ==", &longest, 1).parse::<StoredKeys>().is_ok());
        for at in 0..PENCIL.len() {
            assert!(PENCIL[..at].parse::<StoredKeys>().is_err(), "{at}");
        }
    }

    #[test]
    fn keys_are_not_shown() {
        let shown: String = format!("{:?}", PENCIL.parse::<StoredKeys>().unwrap());
        assert_eq!(shown, "StoredKeys { hash: Sha256, iterations: 4096, .. }");
    }
}
