//! The engine as a native addon of Node.js. What it does is in `okuru_engine`; `bindings-wasm` has the same interface.

use napi::bindgen_prelude::{Uint8Array, Uint8ArraySlice};
use napi_derive::napi;

/// A machine of the core, driven by packed records.
#[napi]
pub struct Engine(okuru_engine::Engine);

#[napi]
impl Engine {
    /// A mailer. `seed` is random.
    #[napi(factory)]
    pub fn mailer(options: Uint8ArraySlice, seed: f64) -> napi::Result<Self> {
        okuru_engine::Engine::mailer(&options, seed).map(Self).map_err(|error| thrown(&error))
    }

    /// One connection.
    #[napi(factory)]
    pub fn connection(options: Uint8ArraySlice) -> napi::Result<Self> {
        okuru_engine::Engine::connection(&options).map(Self).map_err(|error| thrown(&error))
    }

    /// Takes records, and gives those of all that is to be done. `now` is in milliseconds.
    #[napi]
    pub fn step(&mut self, now: f64, input: Uint8ArraySlice) -> napi::Result<Uint8Array> {
        self.0.step(now, &input).map(Uint8Array::from).map_err(|error| thrown(&error))
    }

    /// Hands in content of a message. Gives how many octets were taken.
    #[napi]
    pub fn content(&mut self, now: f64, connection: f64, message: f64, bytes: Uint8ArraySlice) -> f64 {
        self.0.content(now, connection, message, &bytes)
    }
}

/// What the header of a content says: the sender, the recipients, and which ranges are not to go out.
#[napi]
pub fn header(head: Uint8ArraySlice, wants_sender: bool, wants_recipients: bool) -> napi::Result<Uint8Array> {
    okuru_engine::header(&head, wants_sender, wants_recipients).map(Uint8Array::from).map_err(|error| thrown(&error))
}

/// Every code of the catalogue of errors with what a user can do, a line each, with a tab between them.
#[napi]
pub fn catalogue() -> String {
    okuru_engine::catalogue()
}

fn thrown(error: &okuru_engine::Error) -> napi::Error {
    napi::Error::from_reason(okuru_engine::thrown(error))
}
