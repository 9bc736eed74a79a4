//! `okuru route`

use std::fmt::Write as _;
use std::sync::Arc;

use okuru::mailer::{Resolution, Resolver, RouteConfig, Verdict};
use okuru::{EhloName, Error, Mailbox};
use serde::Serialize;

use crate::arguments::RouteArguments;
use crate::envelope::in_option;
use crate::exit::{Exit, Failure, usage};
use crate::report::print;

/// A line of `--json`. Keys, once published, stay as they are.
#[derive(Serialize)]
struct Line<'a> {
    address: &'a str,
    verdict: &'static str,
    hosts: Vec<HostEntry<'a>>,
    enhanced: Option<String>,
    reason: &'a str,
}

#[derive(Serialize)]
struct HostEntry<'a> {
    name: &'a str,
    preference: Option<u16>,
    addresses: Vec<String>,
}

/// What an address that is none gets (RFC 3463 §3.2: bad destination mailbox address syntax).
const BAD_ADDRESS: &str = "5.1.3";

/// How many servers are told of that are not used.
const MOST_SKIPPED: usize = 10;

/// How many addresses are looked up at a time.
const AT_A_TIME: usize = 32;

/// Tells where mail for each address goes.
pub(crate) fn run(arguments: &RouteArguments) -> Result<Exit, Failure> {
    let config = Arc::new(config(arguments)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| usage(format!("the program can't be set up: {error}")))?;
    runtime.block_on(async {
        let resolver = match arguments.dns.dns {
            Some(address) => Resolver::server(address)?,
            None => Resolver::system()?,
        };
        let mut exit = Exit::Success;
        for addresses in arguments.addresses.chunks(AT_A_TIME) {
            let begun: Vec<_> = addresses
                .iter()
                .map(|address| {
                    let (resolver, config, mailbox) = (resolver.clone(), Arc::clone(&config), mailbox(address));
                    tokio::spawn(async move { find(&resolver, config, mailbox).await })
                })
                .collect();
            for (address, found) in addresses.iter().zip(begun) {
                let found = found.await.map_err(|error| usage(format!("the look-up went wrong: {error}")))?;
                exit = exit.max(exit_of(&found));
                let text = if arguments.json { json(address, &found)? } else { in_words(address, &found) };
                print(text.as_bytes())?;
            }
        }
        Ok(exit)
    })
}

fn config(arguments: &RouteArguments) -> Result<RouteConfig, Failure> {
    let mut config = RouteConfig::default();
    for address in &arguments.dns.self_address {
        config.ourselves.add_address(*address);
    }
    if let Some(name) = &arguments.ehlo {
        let name: EhloName = name.parse().map_err(in_option("--ehlo"))?;
        let added = name.as_str().parse().and_then(|name| config.ourselves.add_name(&name));
        added.map_err(in_option("--ehlo"))?;
    }
    Ok(config)
}

fn mailbox(address: &str) -> Result<Mailbox, Error> {
    address.strip_prefix('<').and_then(|path| path.strip_suffix('>')).unwrap_or(address).parse()
}

async fn find(
    resolver: &Resolver,
    config: Arc<RouteConfig>,
    mailbox: Result<Mailbox, Error>,
) -> Result<Resolution, Error> {
    let domain = mailbox?.domain().parse()?;
    Ok(resolver.route(&domain, config).await)
}

fn exit_of(found: &Result<Resolution, Error>) -> Exit {
    match found.as_ref().map(|found| &found.verdict) {
        Err(_) => Exit::Usage,
        Ok(Verdict::Hosts(_)) => Exit::Success,
        Ok(Verdict::Temporary) => Exit::Unfinished,
        Ok(Verdict::NoSuchDomain) => Exit::NoHost,
        Ok(Verdict::NullMx | Verdict::Loop | Verdict::Invalid) => Exit::Rejected,
    }
}

fn json(address: &str, found: &Result<Resolution, Error>) -> Result<String, Failure> {
    let line = match found {
        Ok(found) => Line {
            address,
            verdict: found.verdict.as_str(),
            hosts: found
                .hosts()
                .iter()
                .map(|host| HostEntry {
                    name: host.name.as_str(),
                    preference: host.preference,
                    addresses: host.addresses.iter().map(ToString::to_string).collect(),
                })
                .collect(),
            enhanced: found.enhanced.map(|code| code.to_string()),
            reason: &found.reason,
        },
        Err(error) => Line {
            address,
            verdict: "invalid",
            hosts: Vec::new(),
            enhanced: Some(BAD_ADDRESS.to_owned()),
            reason: error.what(),
        },
    };
    let mut text = serde_json::to_string(&line).map_err(|error| usage(format!("the line can't be made: {error}")))?;
    text.push('\n');
    Ok(text)
}

fn in_words(address: &str, found: &Result<Resolution, Error>) -> String {
    let printable: String =
        address.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    let mut text = format!("{printable}\n");
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            let _ = writeln!(text, "  {} [{BAD_ADDRESS}]", error.what());
            return text;
        }
    };
    let width = found.hosts().iter().map(|host| host.name.as_str().len()).max().unwrap_or(0);
    for host in found.hosts() {
        let preference = host.preference.map_or_else(|| "-".to_owned(), |preference| preference.to_string());
        let addresses: Vec<_> = host.addresses.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "  {preference:>5}  {:width$}  {}", host.name.as_str(), addresses.join(" "));
    }
    let enhanced = found.enhanced.map(|code| format!(" [{code}]")).unwrap_or_default();
    let _ = writeln!(text, "  {}{enhanced}", found.reason);
    for skipped in found.skipped.iter().take(MOST_SKIPPED) {
        let _ = writeln!(text, "  not used: {}, since {}", skipped.name, skipped.why);
    }
    if let Some(more @ 1..) = found.skipped.len().checked_sub(MOST_SKIPPED) {
        let _ = writeln!(text, "  not used: {more} more");
    }
    text
}
