//! The engine in WebAssembly. What it does is in `okuru_engine`; `bindings-node` has the same interface.

use wasm_bindgen::prelude::{JsError, wasm_bindgen};

/// A machine of the core, driven by packed records.
#[wasm_bindgen]
pub struct Engine(okuru_engine::Engine);

#[wasm_bindgen]
impl Engine {
    /// A mailer. `seed` is random.
    pub fn mailer(options: &[u8], seed: f64) -> Result<Self, JsError> {
        okuru_engine::Engine::mailer(options, seed).map(Self).map_err(|error| thrown(&error))
    }

    /// One connection. `nonce` are 24 random octets.
    pub fn connection(options: &[u8], nonce: &[u8]) -> Result<Self, JsError> {
        okuru_engine::Engine::connection(options, nonce).map(Self).map_err(|error| thrown(&error))
    }

    /// Takes records, and gives those of all that is to be done. `now` is in milliseconds.
    pub fn step(&mut self, now: f64, input: &[u8]) -> Result<Vec<u8>, JsError> {
        self.0.step(now, input).map_err(|error| thrown(&error))
    }

    /// Hands in content of a message. Gives how many octets were taken.
    pub fn content(&mut self, now: f64, connection: f64, message: f64, bytes: &[u8]) -> f64 {
        self.0.content(now, connection, message, bytes)
    }
}

/// Every code of the catalogue of errors with what a user can do, a line each, with a tab between them.
#[wasm_bindgen]
pub fn catalogue() -> String {
    okuru_engine::catalogue()
}

fn thrown(error: &okuru_engine::Error) -> JsError {
    JsError::new(&okuru_engine::thrown(error))
}
