//! What SCRAM may cost, and what it must cost at least.

/// A server that asks for fewer iterations is refused (RFC 5802 §5.1, RFC 7677 §4): it may want to guess the password.
pub const MIN_ITERATIONS: u32 = 4096;

/// A server that asks for more iterations is refused unless the host allows it (RFC 5802 §9): it may want to keep us
/// busy.
///
/// All of them are done within one call. Without SHA instructions in the processor a million of SHA-256 take some 0.8 s
/// on one core, and 1.5 s in WebAssembly. Servers ask for 4096 as a rule, and hardly ever for more than 600 000.
pub const MAX_ITERATIONS: u32 = 1_000_000;

/// How many random bytes make a nonce, at least.
pub const MIN_NONCE: usize = 18;
