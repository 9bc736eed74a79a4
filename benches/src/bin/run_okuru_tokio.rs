//! okuru's client for tokio: all connections on one thread.

use std::process::ExitCode;

use okuru::Client;
use okuru_benches::job::{self, Job, Outcome};
use okuru_benches::okuru::{check, messages, options};
use pico_args::Arguments;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

fn main() -> ExitCode {
    job::run(|args: &mut Arguments| {
        let level = args.value_from_str("--level")?;
        let job = Job::parse(args)?;
        job::nothing_left(args)?;
        let options = options(&job, level)?;
        Builder::new_current_thread().enable_all().build()?.block_on(async {
            let mut connections = JoinSet::new();
            for connection in 0..job.connections {
                let options = options.clone();
                let messages = messages(&job, connection)?;
                connections.spawn(async move {
                    let mut client = Client::new(options);
                    let mut outcomes = client.send_many(tokio_stream::iter(messages));
                    while let Some(outcome) = outcomes.next().await {
                        check(&outcome)?;
                    }
                    drop(outcomes);
                    client.close().await;
                    Outcome::Ok(())
                });
            }
            while let Some(ended) = connections.join_next().await {
                ended??;
            }
            Ok(())
        })
    })
}
