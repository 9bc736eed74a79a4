//! Writes the message that every client sends to a file, and says what a sink should make of it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use okuru_benches::digest::Digest;
use okuru_benches::job::{self, Outcome};
use okuru_benches::message::{hex, make};

const HELP: &str = "message --size BYTES [--dots] [--empty-line] [--out FILE] [--out-lf FILE]

Prints the length and the digest of the message. With --empty-line, of one that a client has added an empty line to.
One file gets the message as it is, the other gets it with LF alone at the end of each line.";

fn main() -> ExitCode {
    job::run(|args| {
        if args.contains("--help") {
            println!("{HELP}");
            return Ok(());
        }
        let out: Option<PathBuf> = args.opt_value_from_str("--out")?;
        let out_lf: Option<PathBuf> = args.opt_value_from_str("--out-lf")?;
        let mut message = make(args.value_from_str("--size")?, args.contains("--dots"))?;
        let empty_line = args.contains("--empty-line");
        job::nothing_left(args)?;
        if let Some(path) = out {
            write(&path, &message)?;
        }
        if let Some(path) = out_lf {
            let lines: Vec<u8> = message.iter().copied().filter(|&byte| byte != b'\r').collect();
            write(&path, &lines)?;
        }
        if empty_line {
            message.extend_from_slice(b"\r\n");
        }
        let digested = Digest::default().finish(&message);
        println!("{{\"bytes\":{},\"digest\":\"{}\"}}", digested.bytes, hex(digested.hash));
        Ok(())
    })
}

fn write(path: &Path, bytes: &[u8]) -> Outcome {
    Ok(std::fs::write(path, bytes).map_err(|error| format!("can't write {}: {error}", path.display()))?)
}
