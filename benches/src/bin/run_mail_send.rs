//! mail-send, which has no pool: one client a connection, each in a task, on one thread.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use mail_send::SmtpClient;
use mail_send::smtp::message::{Address, Message};
use okuru_benches::job::{self, Job, Outcome};
use okuru_benches::message::{RECIPIENT, SENDER};

fn main() -> ExitCode {
    job::run(|args| {
        let job = Job::parse(args)?;
        job::nothing_left(args)?;
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(send_all(job))
    })
}

async fn send_all(job: Job) -> Outcome {
    let job = Arc::new(job);
    let tasks: Vec<_> = (0..job.connections).map(|connection| tokio::spawn(send(job.clone(), connection))).collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

/// By the parts that its builder is made of: the builder itself reads the system's certificates, which nobody needs here.
async fn send(job: Arc<Job>, connection: usize) -> Outcome {
    let mut client = SmtpClient::connect(job.addr, Duration::from_secs(60)).await?;
    client.read().await?;
    client.ehlo("bench.test").await?;
    for _ in 0..job.share(connection) {
        let message = Message {
            mail_from: Address { email: SENDER.into(), ..Address::default() },
            rcpt_to: vec![Address { email: RECIPIENT.into(), ..Address::default() }],
            body: job.content.as_slice().into(),
        };
        client.send(message).await?;
    }
    client.quit().await?;
    Ok(())
}
