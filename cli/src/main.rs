//! `okuru`: sends mail by SMTP and LMTP from a shell, and tells exactly what became of it.

mod amounts;
mod arguments;
mod connection;
mod delivery;
mod demo;
mod dkim;
mod envelope;
mod exit;
mod help;
mod journal;
mod json;
mod letter;
mod mailing;
mod probe;
mod report;
mod route;
mod send;
mod sendmail;
mod sink;
mod spf;
mod trace;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use arguments::{Arguments, Command};
use exit::{Exit, Failure};

fn main() -> ExitCode {
    // Its options are of another kind.
    if let Some(call) = sendmail::Call::of(std::env::args_os()) {
        return end(sendmail::run(call));
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return wrong_arguments(&error).into(),
    };
    end(match arguments.command {
        Command::Send(arguments) => send::run(&arguments),
        Command::Sendmail => sendmail::run(sendmail::Call::Sendmail(Vec::new())),
        Command::Route(arguments) => route::run(&arguments),
        Command::Probe(arguments) => probe::run(&arguments),
        Command::Dkim { command } => dkim::run(&command),
        Command::Spf(arguments) => spf::run(&arguments),
        Command::Sink(arguments) => sink::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "okuru", &mut script);
            report::print(&script).map(|()| Exit::Success)
        }
    })
}

fn end(result: Result<Exit, Failure>) -> ExitCode {
    match result {
        Ok(exit) => exit.into(),
        Err(Failure { error, exit }) => {
            // Nobody is left to tell, should standard error be closed.
            let _ = writeln!(io::stderr(), "okuru: {error} [{}]", error.code());
            exit.into()
        }
    }
}

/// What clap says in paragraphs: what is wrong, a tip, how to use it, and where to find out more.
fn in_one_sentence(text: &str) -> String {
    let mut clauses = Vec::new();
    for paragraph in text.split("\n\n") {
        let words = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(tip) = words.strip_prefix("tip: ") {
            clauses.push(tip.to_owned());
        } else if let Some(what) = words.strip_prefix("error: ") {
            clauses.push(what.to_owned());
        }
    }
    clauses.push("see --help.".to_owned());
    clauses.join("; ")
}

/// Help where it was asked for; else what is wrong, in one sentence.
fn wrong_arguments(error: &clap::Error) -> Exit {
    use clap::error::ErrorKind;
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let _ = error.print();
            Exit::Success
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            Exit::Usage
        }
        _ => {
            let _ = writeln!(io::stderr(), "okuru: {} [usage]", in_one_sentence(&error.to_string()));
            Exit::Usage
        }
    }
}
