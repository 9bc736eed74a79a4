//! The dialogues of `tests/vectors/receiver/`: what a client says goes into the machine of a server, and what comes out must be
//! exactly what is written there.
//!
//! 1. [`parse`] reads a file as people write it, to a [`script::Script`].
//! 2. `host` carries out what the machine wants, and answers by the rules of the script.
//! 3. [`play`] goes through the script, with the client's bytes cut in every way, and compares.

mod host;
pub mod parse;
pub mod play;
pub mod script;
mod setup;

use std::fs;
use std::path::PathBuf;

use script::Script;

/// Where the dialogues are.
pub fn folder() -> PathBuf {
    crate::vectors::folder().join(FOLDER)
}

/// The name of the folder among those of the other vectors.
pub const FOLDER: &str = "receiver";

/// Reads every `*.smtp` of the folder, in the order of their names.
///
/// # Errors
///
/// A sentence that names the file and the line.
pub fn load() -> Result<Vec<Script>, String> {
    let folder = folder();
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "smtp"));
    files.sort();
    let read = |file: &PathBuf| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let source = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        parse::parse(&name, &source).map_err(|error| format!("{FOLDER}/{name}.smtp:{error}"))
    };
    files.iter().map(read).collect()
}
