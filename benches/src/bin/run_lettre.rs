//! lettre's blocking transport with its pool, one thread a connection.

use std::process::ExitCode;
use std::thread;

use lettre::address::Envelope;
use lettre::transport::smtp::PoolConfig;
use lettre::{SmtpTransport, Transport};
use okuru_benches::job::{self, Job, Outcome};
use okuru_benches::message::{RECIPIENT, SENDER};

fn main() -> ExitCode {
    job::run(|args| {
        let job = Job::parse(args)?;
        job::nothing_left(args)?;
        let transport = SmtpTransport::builder_dangerous(job.addr.ip().to_string())
            .port(job.addr.port())
            .pool_config(PoolConfig::new().max_size(u32::try_from(job.connections)?))
            .build();
        let envelope = Envelope::new(Some(SENDER.parse()?), vec![RECIPIENT.parse()?])?;
        thread::scope(|scope| {
            let threads: Vec<_> = (0..job.connections)
                .map(|connection| {
                    let (job, transport, envelope) = (&job, &transport, &envelope);
                    scope.spawn(move || -> Outcome {
                        for _ in 0..job.share(connection) {
                            transport.send_raw(envelope, &job.content)?;
                        }
                        Ok(())
                    })
                })
                .collect();
            threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
        })
    })
}
