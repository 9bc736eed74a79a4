//! Runs one program and prints what it cost. It is small itself, since the kernel counts the memory of the process that
//! starts a program as a peak of that program.

use std::process::{Command, ExitCode, Stdio};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use okuru_benches::job;
use rustix::thread::{CpuSet, sched_setaffinity};

const HELP: &str = "measure [--cpu N] -- PROGRAM ARGUMENT...

Prints one line of JSON: CPU microseconds, peak memory in KiB. What the program prints is dropped, but for its errors.
Ends with the status of the program.";

fn main() -> ExitCode {
    let mut ended = ExitCode::SUCCESS;
    let measured = job::run(|args| {
        if args.contains("--help") {
            println!("{HELP}");
            return Ok(());
        }
        if let Some(cpu) = args.opt_value_from_str("--cpu")? {
            let mut cpus = CpuSet::new();
            cpus.set(cpu);
            sched_setaffinity(None, &cpus).map_err(|error| format!("can't stay on CPU {cpu}: {error}"))?;
        }
        let words = core::mem::replace(args, pico_args::Arguments::from_vec(Vec::new())).finish();
        let mut words = words.into_iter().skip_while(|word| word == "--");
        let program = words.next().ok_or("no program to run")?;
        let status = Command::new(&program)
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .map_err(|error| format!("can't start {program:?}: {error}"))?;
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        println!(
            "{{\"cpu_us\":{},\"peak_kib\":{}}}",
            usage.user_time().num_microseconds() + usage.system_time().num_microseconds(),
            usage.max_rss(),
        );
        ended = match status.code() {
            Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
            None => return Err(format!("{program:?} was ended: {status}").into()),
        };
        Ok(())
    });
    if measured == ExitCode::SUCCESS { ended } else { measured }
}
