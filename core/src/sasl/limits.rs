//! What both sides keep to.

/// How many bytes a challenge or response may have: with base64 and CR LF that is 12 286 octets, within the 12 288 that
/// RFC 4954 §4 calls sufficient and servers grant.
pub const MAX_MESSAGE: usize = 9213;
