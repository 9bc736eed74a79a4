//! okuru's client for tokio, on one thread, with a task for each connection.

use std::process::ExitCode;

use okuru::Client;
use okuru_benches::job::{self, Job, Outcome};
use okuru_benches::okuru::Sending;
use tokio::task::LocalSet;

fn main() -> ExitCode {
    job::run(|args| {
        let sending = Sending::parse(args)?;
        let job = Job::parse(args)?;
        job::nothing_left(args)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, async {
            let tasks: Vec<_> = (0..job.connections)
                .map(|connection| {
                    let options = sending.options(&job)?;
                    let messages = sending.messages(&job, job.share(connection))?;
                    Ok(tokio::task::spawn_local(async move {
                        let mut client = Client::new(options);
                        let mut outcomes = client.send_many(futures_util::stream::iter(messages));
                        while let Some(outcome) = outcomes.next().await {
                            outcome.into_result()?;
                        }
                        drop(outcomes);
                        client.close().await;
                        Outcome::Ok(())
                    }))
                })
                .collect::<Outcome<_>>()?;
            for task in tasks {
                task.await??;
            }
            Ok(())
        })
    })
}
