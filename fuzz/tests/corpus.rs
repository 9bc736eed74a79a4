//! Everything that has been kept in `corpus/`, through the targets.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use okuru_fuzz::TARGETS;

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    files.sort();
    files
}

#[test]
fn what_was_kept_holds() {
    for (name, run) in TARGETS {
        let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name));
        assert!(files.len() > 10, "the corpus of {name} is gone");
        let fails = |file: &&PathBuf| {
            let data = fs::read(file).expect("the file can be read");
            catch_unwind(|| run(&data)).is_err()
        };
        let failures: Vec<&PathBuf> = files.iter().filter(fails).collect();
        println!("{name}: {} files", files.len());
        assert!(failures.is_empty(), "{name} fails with {failures:#?}");
    }
}

#[test]
fn nothing_and_little_hold() {
    for (_, run) in TARGETS {
        run(&[]);
        for byte in 0..=255 {
            run(&[byte]);
            run(&[byte; 40]);
        }
    }
}
