//! lettre's tokio transport with its pool, one task a connection, on one thread.

use std::process::ExitCode;
use std::sync::Arc;

use lettre::address::Envelope;
use lettre::transport::smtp::PoolConfig;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use okuru_benches::job::{self, Job, Outcome};
use okuru_benches::message::{RECIPIENT, SENDER};

fn main() -> ExitCode {
    job::run(|args| {
        let job = Job::parse(args)?;
        job::nothing_left(args)?;
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(send(job))
    })
}

async fn send(job: Job) -> Outcome {
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(job.addr.ip().to_string())
        .port(job.addr.port())
        .pool_config(PoolConfig::new().max_size(u32::try_from(job.connections)?))
        .build();
    let envelope = Envelope::new(Some(SENDER.parse()?), vec![RECIPIENT.parse()?])?;
    let shared = Arc::new((job, envelope));
    let tasks: Vec<_> = (0..shared.0.connections)
        .map(|connection| {
            let (shared, transport) = (shared.clone(), transport.clone());
            tokio::spawn(async move {
                let (job, envelope) = &*shared;
                for _ in 0..job.share(connection) {
                    transport.send_raw(envelope, &job.content).await?;
                }
                Outcome::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}
