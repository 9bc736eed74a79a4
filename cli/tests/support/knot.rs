//! The name server of the tests: `tests/servers/run.py knot`. What domains there are is in `tests/servers/knot.py`.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// A name server. It ends when this is dropped, or this process ends: its stdin is a pipe that closes then.
pub(crate) struct Knot {
    process: Child,
    pub(crate) address: String,
}

impl Knot {
    /// One for all tests.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Knot> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start() -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/servers/run.py");
        let mut command = Command::new(program);
        let mut process = command.arg("knot").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("there is no name server (the reason is on stderr); run tests/servers/install"));
        Self { process, address: format!("127.0.0.1:{}", told["knot"]["ports"]["dns"]) }
    }
}

impl Drop for Knot {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // Nobody is left whom a failure could be told.
        let _ = self.process.wait();
    }
}
