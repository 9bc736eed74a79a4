//! `okuru probe`

mod certificate;
mod findings;
mod table;

use okuru::blocking::Client;
use okuru::{Error, Options, ServerInfo, Tls};

use crate::arguments::ProbeArguments;
use crate::connection;
use crate::exit::{Exit, Failure};
use crate::report;
use crate::trace;
use findings::Findings;

/// Connects, and tells what the server is like.
pub(crate) fn run(arguments: &ProbeArguments) -> Result<Exit, Failure> {
    // Nobody logs in.
    let url = connection::without_user(&arguments.server);
    let (info, error) = look(connection::options(&url, &arguments.connection, trace::shown(arguments.trace).as_ref())?);
    let findings = Findings::new(url, &info, error.as_ref());
    let text = match arguments.json {
        true => findings.json(),
        false if info.greeting.is_none() && info.tls.is_none() => String::new(),
        false => table::of(&findings),
    };
    report::print(text.as_bytes())?;
    match error {
        None => Ok(Exit::Success),
        Some(error) => Err(error.into()),
    }
}

/// What can be learnt, and why the server can't be used as it was asked for.
fn look(options: Options) -> (ServerInfo, Option<Error>) {
    let (info, error) = connect(options.clone());
    let distrusted = info.tls.as_ref().is_some_and(|tls| tls.distrust.is_some());
    if distrusted && info.capabilities_before_tls.is_some() {
        // Nothing is sent, so nothing is at stake when we look behind the certificate.
        let (more, _) = connect(options.tls(Tls::Opportunistic));
        if more.tls.is_some() {
            return (more, error);
        }
    }
    (info, error)
}

fn connect(options: Options) -> (ServerInfo, Option<Error>) {
    let mut client = Client::new(options);
    let error = client.connect().err();
    if error.is_none() {
        client.close();
    }
    (client.last_server_info().cloned().unwrap_or_default(), error)
}
