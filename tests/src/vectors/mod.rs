//! The dialogues of `tests/vectors/`.
//!
//! 1. [`parse`] reads a file as people write it and compiles it to a [`dialogue::Dialogue`]: a list of steps that need no
//!    more knowledge of the format, the same that `vectors-json` gives to other hosts.
//! 2. [`play`] carries the steps out on the machine of the core, with the server's bytes cut in every way, and compares.
//! 3. `witness` reads what went over the wire as a server would, and from that alone knows which outcomes are lies.

pub mod dialogue;
mod engine;
mod header;
mod machine;
pub mod parse;
pub mod play;
mod results;
#[cfg(test)]
mod tests;
pub(crate) mod text;
mod witness;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dialogue::Dialogue;

/// Where the dialogues are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// Reads every `*.smtp` below `folder`, in the order of their names.
///
/// # Errors
///
/// A sentence that names the file and the line.
pub fn load(folder: &Path) -> Result<Vec<Dialogue>, String> {
    let mut files = Vec::new();
    find(folder, &mut files).map_err(|error| format!("{}: {error}", folder.display()))?;
    files.sort();
    files.iter().map(|file| load_file(folder, file)).collect()
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            // Those are of the other side.
            if !path.ends_with(crate::receiver::FOLDER) {
                find(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "smtp") {
            files.push(path);
        }
    }
    Ok(())
}

fn load_file(folder: &Path, file: &Path) -> Result<Dialogue, String> {
    let name = file.strip_prefix(folder).unwrap_or(file).with_extension("");
    let name = name.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
    let source = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    parse::parse(&name, &source).map_err(|error| format!("{name}.smtp:{error}"))
}
