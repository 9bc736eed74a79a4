//! okuru's blocking client, one thread a connection.

use std::process::ExitCode;
use std::thread;

use okuru::blocking::Client;
use okuru_benches::job::{self, Job, Outcome};
use okuru_benches::okuru::Sending;

fn main() -> ExitCode {
    job::run(|args| {
        let sending = Sending::parse(args)?;
        let job = Job::parse(args)?;
        job::nothing_left(args)?;
        let (sending, job) = (&sending, &job);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..job.connections)
                .map(|connection| {
                    scope.spawn(move || -> Outcome {
                        let mut client = Client::new(sending.options(job)?);
                        let messages = sending.messages(job, job.share(connection))?;
                        for outcome in client.send_many(messages) {
                            outcome.into_result()?;
                        }
                        client.close();
                        Ok(())
                    })
                })
                .collect();
            threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
        })
    })
}
