//! The flags that every runner understands, so that the driver can start any of them alike.

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use pico_args::Arguments;

use crate::message;

pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// What a runner is asked to do.
///
/// | flag | meaning |
/// |---|---|
/// | `--addr A` | the sink, as `host:port` |
/// | `--messages N` | how many messages to send, over all connections together |
/// | `--size BYTES` | the length of each, 2048 unless said |
/// | `--connections N` | over how many connections, 1 unless said |
/// | `--dots` | some lines begin with dots |
#[derive(Clone, Debug)]
pub struct Job {
    pub addr: SocketAddr,
    pub messages: usize,
    pub connections: usize,
    /// The message itself, in canonical form: CRLF at the end of each line, nothing stuffed.
    pub content: Vec<u8>,
}

impl Job {
    pub fn parse(args: &mut Arguments) -> Outcome<Job> {
        let size = args.opt_value_from_str("--size")?.unwrap_or(2048);
        let connections = args.opt_value_from_str("--connections")?.unwrap_or(1);
        let messages = args.value_from_str("--messages")?;
        if connections == 0 || messages < connections {
            return Err("each connection needs at least one message".into());
        }
        let content = message::make(size, args.contains("--dots"))?;
        Ok(Job { addr: args.value_from_str("--addr")?, messages, connections, content })
    }

    /// How many messages the connection of that number sends; together they send all.
    pub fn share(&self, connection: usize) -> usize {
        self.messages / self.connections + usize::from(connection < self.messages % self.connections)
    }
}

/// Runs the body of a program with its arguments; an error is one sentence and the exit status 1.
pub fn run(body: impl FnOnce(&mut Arguments) -> Outcome) -> ExitCode {
    match body(&mut Arguments::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Refuses what no flag has taken, so that a misspelt one is not passed over.
pub fn nothing_left(args: &mut Arguments) -> Outcome {
    match core::mem::replace(args, Arguments::from_vec(Vec::new())).finish().first() {
        None => Ok(()),
        Some(left) => Err(format!("unknown argument {left:?}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Outcome<Job> {
        Job::parse(&mut Arguments::from_vec(line.split_whitespace().map(Into::into).collect()))
    }

    #[test]
    fn shares_add_up() {
        let job = parse("--addr 127.0.0.1:25 --messages 35 --connections 16").unwrap();
        let shares: Vec<usize> = (0..16).map(|connection| job.share(connection)).collect();
        assert_eq!(shares.iter().sum::<usize>(), 35);
        assert_eq!((shares[0], shares[15]), (3, 2));
    }

    #[test]
    fn an_idle_connection_is_refused() {
        assert!(parse("--addr 127.0.0.1:25 --messages 3 --connections 4").is_err());
        assert!(parse("--addr 127.0.0.1:25 --messages 3 --connections 0").is_err());
    }
}
