//! Arbitrary input for the core, and what must hold whatever it is.
//!
//! Each target is a function of bytes that panics where something does not hold. libFuzzer calls it with what it makes
//! up (`targets/`), and `tests/corpus.rs` with what has been kept.
#![forbid(unsafe_code)]

mod bytes;
pub mod connection;
pub mod content;
pub mod dkim;
pub mod dmarc;
pub mod pair;
pub mod pop3;
pub mod receiver;
pub mod reply;
pub mod route;
pub mod sasl;
pub mod spf;
pub mod syntax;

/// A target: its name, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("reply", reply::run),
    ("syntax", syntax::run),
    ("content", content::run),
    ("sasl", sasl::run),
    ("connection", connection::run),
    ("receiver", receiver::run),
    ("pair", pair::run),
    ("pop3", pop3::run),
    ("route", route::run),
    ("spf", spf::run),
    ("dkim", dkim::run),
    ("dmarc", dmarc::run),
];

/// Makes a program of the module of that name: for libFuzzer, and without it one that runs the files it is given.
#[macro_export]
macro_rules! target {
    ($module:ident) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::$module::run(data));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            for path in std::env::args().skip(1) {
                println!("{path}");
                $crate::$module::run(&std::fs::read(&path)?);
            }
            Ok(())
        }
    };
}
