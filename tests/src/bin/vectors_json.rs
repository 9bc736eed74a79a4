//! Writes all dialogues as one JSON array, for the hosts that run them through machines of their own.
//!
//! `cargo run -p okuru-tests --bin vectors-json [FOLDER] > vectors.json`. `tests/vectors/README.md` says what is in it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use okuru_tests::vectors;

fn main() -> ExitCode {
    match write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn write() -> Result<(), String> {
    let folder = std::env::args_os().nth(1).map_or_else(vectors::folder, PathBuf::from);
    let json = serde_json::to_string(&vectors::load(&folder)?).map_err(|error| error.to_string())?;
    writeln!(io::stdout().lock(), "{json}").map_err(|error| error.to_string())
}
