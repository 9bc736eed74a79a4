//! Bytes that must not be seen, nor stay in memory.

use alloc::string::String;
use alloc::vec::Vec;
use base64ct::{Base64, Encoding};
use core::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A password or a token: zeroized when dropped, compared in constant time, never shown.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes `text` over; it is not copied.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The parts, one behind the other. The room is reserved first, so that no half of it is left behind in memory.
    pub(super) fn concat(parts: &[&str]) -> Self {
        let mut all = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
        parts.iter().for_each(|part| all.push_str(part));
        Self(all)
    }

    /// Whether it stands in `text`. An empty one does not.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        let secret = self.0.as_bytes();
        !secret.is_empty() && text.windows(secret.len()).any(|window| window == secret)
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What one side says to the other, before base64. It may hold a secret, so it is zeroized when dropped and never shown.
#[derive(Clone)]
pub struct Response(Zeroizing<Vec<u8>>);

impl Response {
    pub(super) fn empty() -> Self {
        Self::concat(&[])
    }

    /// The parts, one behind the other. The room is reserved first, so that no half of it is left behind in memory.
    pub(super) fn concat(parts: &[&[u8]]) -> Self {
        let mut all = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
        parts.iter().for_each(|part| all.extend_from_slice(part));
        Self(all)
    }

    /// The bytes to send.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none. As an initial response that is sent as `=` (RFC 4954 §4), else as an empty line.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl AsRef<[u8]> for Response {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Response(..)")
    }
}

/// What is derived from a secret within a mechanism.
#[derive(Clone)]
pub(super) struct Key(Zeroizing<Vec<u8>>);

impl Key {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    pub(super) fn zeros(len: usize) -> Self {
        Self(Zeroizing::new(alloc::vec![0; len]))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn as_mut_bytes(&mut self) -> &mut [u8] {
        &mut self.0
    }

    pub(super) fn from_base64(text: &str) -> Option<Self> {
        // There is room for what any text of this length may say.
        let mut buffer = Self::zeros(text.len());
        let bytes = Base64::decode(text, buffer.as_mut_bytes()).ok()?;
        Some(Self::new(bytes))
    }

    pub(super) fn to_base64(&self) -> Secret {
        let mut buffer = Self::zeros(Base64::encoded_len(self.as_bytes()));
        let text = Base64::encode(self.as_bytes(), buffer.as_mut_bytes()).expect("the buffer has the output's length");
        Secret::new(text)
    }

    /// Whether `other` is the same, in a time that does not tell where they differ.
    pub(super) fn matches(&self, other: &[u8]) -> bool {
        self.0.ct_eq(other).into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn nothing_is_shown() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(..)");
        assert_eq!(format!("{:?}", Response::concat(&[b"hunter2"])), "Response(..)");
        assert_eq!(format!("{:?}", Key::new(b"hunter2")), "Key(..)");
    }

    #[test]
    fn secrets_compare_by_content() {
        assert_eq!(Secret::new("a"), Secret::from("a"));
        assert_ne!(Secret::new("a"), Secret::new("b"));
        assert_ne!(Secret::new("a"), Secret::new("ab"));
        assert!(Key::new(b"ab").matches(b"ab") && !Key::new(b"ab").matches(b"ac") && !Key::new(b"ab").matches(b"a"));
    }

    #[test]
    fn parts_are_joined_in_the_room_reserved() {
        let response = Response::concat(&[b"ab", b"", b"c"]);
        assert_eq!(response.as_bytes(), b"abc");
        assert_eq!(response.0.capacity(), 3);
        assert!(Response::empty().is_empty());
    }
}
