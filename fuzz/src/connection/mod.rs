//! A whole connection: arbitrary configuration, messages, server, network and host, in virtual time.
//!
//! The bytes are a script (`script.rs`) that a host carries out (`host.rs`), while a server that shares no code with the
//! machine reads along (`server.rs`) and knows in the end which outcomes are true (`judge.rs`). README.md lists what is
//! held against the machine.

mod answers;
mod calls;
mod host;
mod judge;
mod offer;
mod script;
mod server;
mod transaction;

use arbitrary::Unstructured;
use okuru_core::client::{Config, Connection};

/// A script. With `FUZZ_SHOW` set, everything that happens is printed.
pub fn run(data: &[u8]) {
    // A server that knows a secret may say it.
    if script::secrets().iter().any(|secret| data.windows(secret.len()).any(|window| window == secret.as_bytes())) {
        return;
    }
    let mut from = Unstructured::new(data);
    let config = script::config(&mut from);
    let shows = !cfg!(fuzzing) && std::env::var_os("FUZZ_SHOW").is_some();
    if shows {
        println!("{config:#?}");
    }
    let mut host = host::Host::new(config.clone(), shows);
    host.run(&mut from);
    // The same calls, with the bytes of the server whole and without a trace, give the same.
    let again = calls::again(Connection::new(Config { trace: false, ..config }), &host.calls);
    for (index, (first, second)) in host.seen.iter().zip(&again).enumerate() {
        if first != second {
            // How much is quoted of what is no reply depends on how much has come.
            let [first, second] = [first, second].map(|seen| format!("{seen:?}"));
            let told = |seen: &str| seen.split("the server sent ").next().map(str::to_owned);
            assert!(first.contains("ProtocolMalformedReply"), "output {index}: {first}, then {second}");
            assert_eq!(told(&first), told(&second), "output {index}");
        }
    }
    assert_eq!(host.seen.len(), again.len());
}
