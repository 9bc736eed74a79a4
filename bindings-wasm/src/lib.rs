//! The engine in WebAssembly. What it does is in `okuru_engine`; `bindings-node` has the same interface.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

use alloc::string::String;
use alloc::vec::Vec;

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

    /// One connection.
    pub fn connection(options: &[u8]) -> Result<Self, JsError> {
        okuru_engine::Engine::connection(options).map(Self).map_err(|error| thrown(&error))
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

/// What the header of a content says: the sender, the recipients, and which ranges are not to go out.
#[wasm_bindgen]
pub fn header(head: &[u8], wants_sender: bool, wants_recipients: bool) -> Result<Vec<u8>, JsError> {
    okuru_engine::header(head, wants_sender, wants_recipients).map_err(|error| thrown(&error))
}

/// Every code of the catalogue of errors with what a user can do, a line each, with a tab between them.
#[wasm_bindgen]
pub fn catalogue() -> String {
    okuru_engine::catalogue()
}

fn thrown(error: &okuru_engine::Error) -> JsError {
    JsError::new(&okuru_engine::thrown(error))
}

#[cfg(target_arch = "wasm32")]
mod runtime {
    //! What the standard library would bring, without the words of a panic: they and what puts them together are a quarter of
    //! the module.

    use dlmalloc::GlobalDlmalloc;

    #[global_allocator]
    static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

    #[panic_handler]
    fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
        core::arch::wasm32::unreachable()
    }
}
