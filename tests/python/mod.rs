//! Libraries of Python that ours are compared with: a process that answers lines of JSON.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A script in a process of its own.
pub(crate) struct Script {
    process: Child,
    tasks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Script {
    /// Starts a script of this folder's neighbours, in a Python that has what `requirements.txt` names.
    pub(crate) fn start(path: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let mut command = Command::new(python());
        let mut process =
            command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python is there");
        let (tasks, answers) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { process, tasks, answers: BufReader::new(answers) }
    }

    /// What it answers.
    pub(crate) fn ask(&mut self, task: &Value) -> Value {
        writeln!(self.tasks, "{task}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).expect("the script answers (the reason why not is on stderr)")
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // Nobody is left whom a failure could be told.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn python() -> PathBuf {
    static ONCE: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    ONCE.get_or_init(|| {
        let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/requirements.txt");
        // One for each program that runs, since they run at the same time.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(concat!("python-", env!("CARGO_CRATE_NAME")));
        let python = folder.join("bin/python");
        let run = |command: &mut Command| assert!(command.status().expect("Python is there").success(), "{command:?}");
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        run(Command::new(&python).args(pip).arg(requirements));
        python
    })
    .clone()
}
