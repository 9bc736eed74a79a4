//! The sink. Says where it listens, serves until its standard input is closed, and prints what it counted.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use okuru_benches::job::{self, Outcome};
use okuru_benches::sink::{Offer, Options, Server};

const HELP: &str = "sink [--addr 127.0.0.1:0] [--offer KEYWORD,...] [--rtt 20ms] [--quick-ack]

Prints one line of JSON with its address, and another with its counts when standard input is closed.";

fn main() -> ExitCode {
    job::run(|args| {
        if args.contains("--help") {
            println!("{HELP}");
            return Ok(());
        }
        let addr: SocketAddr = args.opt_value_from_str("--addr")?.unwrap_or(([127, 0, 0, 1], 0).into());
        let options = Options {
            offer: args.opt_value_from_fn("--offer", Offer::parse)?.unwrap_or_default(),
            round_trip: args.opt_value_from_fn("--rtt", milliseconds)?.unwrap_or_default(),
            quick_ack: args.contains("--quick-ack"),
        };
        job::nothing_left(args)?;
        serve(addr, options)
    })
}

fn serve(addr: SocketAddr, options: Options) -> Outcome {
    let server = Server::listen(addr, options).map_err(|error| format!("can't listen on {addr}: {error}"))?;
    let mut output = std::io::stdout();
    writeln!(output, "{{\"addr\":\"{}\"}}", server.addr()?)?;
    output.flush()?;
    let totals = server.serve(std::io::stdin()).map_err(|error| format!("the sink stopped: {error}"))?;
    writeln!(output, "{}", totals.to_json())?;
    Ok(())
}

/// `20ms`, or `0`.
fn milliseconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix("ms").unwrap_or(text);
    number.parse().map(Duration::from_millis).map_err(|_| format!("{text:?} is not a time like 20ms"))
}
