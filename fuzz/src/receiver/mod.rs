//! A whole session: arbitrary configuration, client, network and host, in virtual time.
//!
//! The bytes are a script (`script.rs`) that a host carries out (`host.rs`), while a client that shares no code with the machine
//! reads along (`reader.rs`). README.md lists what is held against the machine.

mod host;
mod reader;
mod script;

use arbitrary::Unstructured;

pub(crate) use script::offer;

/// A script. With `FUZZ_SHOW` set, everything that happens is printed.
pub fn run(data: &[u8]) {
    // What a client says in the clear may come back to it.
    let password = script::PASSWORD.as_bytes();
    if data.windows(password.len()).any(|window| window == password) {
        return;
    }
    let mut from = Unstructured::new(data);
    let config = script::config(&mut from);
    let shows = !cfg!(fuzzing) && std::env::var_os("FUZZ_SHOW").is_some();
    if shows {
        println!("{config:#?}");
    }
    let mut host = host::Host::new(config, shows);
    host.run(&mut from);
}
