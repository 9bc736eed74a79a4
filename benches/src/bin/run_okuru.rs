//! okuru's client for threads: one thread a connection.

use std::process::ExitCode;
use std::thread;

use okuru::blocking::Client;
use okuru_benches::job::{self, Job, Outcome};
use okuru_benches::okuru::{check, messages, options};
use pico_args::Arguments;

fn main() -> ExitCode {
    job::run(|args: &mut Arguments| {
        let level = args.value_from_str("--level")?;
        let job = Job::parse(args)?;
        job::nothing_left(args)?;
        let options = options(&job, level)?;
        thread::scope(|scope| {
            let connections: Vec<_> = (0..job.connections)
                .map(|connection| {
                    let (job, options) = (&job, options.clone());
                    scope.spawn(move || -> Outcome {
                        let mut client = Client::new(options);
                        for outcome in client.send_many(messages(job, connection)?) {
                            check(&outcome)?;
                        }
                        client.close();
                        Ok(())
                    })
                })
                .collect();
            connections.into_iter().try_for_each(|connection| connection.join().map_err(|_| "a thread panicked")?)
        })
    })
}
