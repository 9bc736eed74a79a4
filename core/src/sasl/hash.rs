//! The hashes that the mechanisms use, with outputs that are zeroized.

use super::secret::Key;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

/// The hash that SCRAM rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1 (RFC 5802).
    Sha1,
    /// SHA-256 (RFC 7677).
    Sha256,
}

impl Hash {
    /// The mechanism without channel binding, which also names its stored keys.
    pub(super) const fn scram_name(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
        }
    }

    pub(super) const fn len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    pub(super) fn digest(self, data: &[u8]) -> Key {
        match self {
            Self::Sha1 => digest::<Sha1>(data),
            Self::Sha256 => digest::<Sha256>(data),
        }
    }

    /// HMAC (RFC 2104).
    pub(super) fn hmac(self, key: &[u8], data: &[u8]) -> Key {
        match self {
            Self::Sha1 => hmac::<Hmac<Sha1>>(key, data),
            Self::Sha256 => hmac::<Hmac<Sha256>>(key, data),
        }
    }

    /// PBKDF2 with HMAC (RFC 8018 §5.2), as long as the hash: the `Hi` of RFC 5802.
    pub(super) fn pbkdf2(self, password: &[u8], salt: &[u8], iterations: u32) -> Key {
        let mut key = Key::zeros(self.len());
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, key.as_mut_bytes()),
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, key.as_mut_bytes()),
        }
        key
    }
}

/// HMAC with MD5, which CRAM-MD5 rests on and nothing else should.
pub(super) fn hmac_md5(key: &[u8], data: &[u8]) -> Key {
    hmac::<Hmac<Md5>>(key, data)
}

/// MD5 of the parts, one behind the other, which APOP rests on and nothing else should.
pub(super) fn md5(parts: &[&[u8]]) -> Key {
    let mut hash = Md5::new();
    parts.iter().for_each(|part| hash.update(part));
    let mut output = hash.finalize();
    let key = Key::new(&output);
    output.zeroize();
    key
}

fn digest<D: Digest>(data: &[u8]) -> Key {
    let mut output = D::digest(data);
    let key = Key::new(&output);
    output.zeroize();
    key
}

fn hmac<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Key {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(data);
    let mut output = mac.finalize().into_bytes();
    let key = Key::new(&output);
    output.zeroize();
    key
}

/// In lower-case hexadecimal.
pub(super) fn in_hexadecimal(key: &Key) -> Key {
    let mut digits = Key::zeros(2 * key.as_bytes().len());
    digits.as_mut_bytes().iter_mut().zip(hex(key.as_bytes())).for_each(|(place, digit)| *place = digit);
    digits
}

pub(super) fn hex(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.iter().flat_map(|byte| [hex_digit(byte >> 4), hex_digit(byte & 0xF)])
}

fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + (nibble - 10) }
}
