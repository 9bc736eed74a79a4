//! The lines before the dialogue.

use std::str::FromStr;
use std::time::Duration;

use okuru_core::sasl::{Mechanism, Secret};
use okuru_core::server::{Asks, Authentication, Bounds, Config, Offer, Peer, Protocol, Role, Tls};
use okuru_core::syntax::{EhloName, Newlines};

use super::parse::rule;
use super::script::{Script, Users};
use crate::vectors::parse::{split, time};

/// A script without a dialogue: PIPELINING and ENHANCEDSTATUSCODES, mail for `x.example`.
pub(super) fn script(name: &str, source: &str) -> Script {
    let mut config = Config::new(parsed("mx.example").expect("it is a name"));
    config.offer = Offer { pipelining: true, enhanced_status_codes: true, ..Offer::nothing() };
    config.asks = Asks::nowhere();
    config.relay.local = vec![parsed("x.example").expect("it is a domain")];
    Script {
        name: name.into(),
        source: source.into(),
        about: String::new(),
        config,
        peer: Peer::default(),
        rules: Vec::new(),
        users: Users::default(),
        steps: Vec::new(),
    }
}

/// Takes a line of the set-up.
pub(super) fn line(script: &mut Script, keyword: &str, rest: &str) -> Result<(), String> {
    let config = &mut script.config;
    match (keyword, rest) {
        ("protocol", "smtp") => config.protocol = Protocol::Smtp,
        ("protocol", "lmtp") => config.protocol = Protocol::Lmtp,
        ("role", "mx") => config.role = Role::Mx,
        ("role", "submission") => config.role = Role::Submission,
        ("tls", "none") => config.tls = Tls::None,
        ("tls", "offered") => config.tls = Tls::Offered,
        ("tls", "required") => config.tls = Tls::Required,
        ("tls", "implicit") => config.tls = Tls::Implicit,
        ("newlines", "fix") => config.newlines = Newlines::Fix,
        ("newlines", "refuse") => config.newlines = Newlines::Refuse,
        ("name", name) => config.name = parsed::<EhloName>(name)?,
        ("local", domains) => config.relay.local = each(domains)?,
        ("networks", networks) => config.relay.networks = each(networks)?,
        ("for-anyone", "") => config.relay.dangerously_for_anyone = true,
        ("peer", address) => script.peer.address = Some(address.parse().map_err(|_| "not an address")?),
        ("offer", names) => config.offer = offer(names)?,
        ("asks", stages) => config.asks = asks(stages)?,
        ("bound", bound) => set_bound(&mut config.bounds, bound)?,
        ("timeout", timeout) => {
            let (which, length) = split(timeout);
            let length = Duration::from_millis(time(length)?);
            let timeouts = &mut config.timeouts;
            *match which {
                "tls" => &mut timeouts.tls,
                "command" => &mut timeouts.command,
                "content" => &mut timeouts.content,
                "session" => &mut timeouts.session,
                _ => return Err(format!("no time-out: {which}")),
            } = length;
        }
        ("mechanisms", names) => authentication(config).mechanisms = each::<Mechanism>(names)?,
        ("allow-plaintext", "") => authentication(config).dangerously_allow_plaintext = true,
        ("user", user) => {
            authentication(config);
            let (name, password) = split(user);
            script.users.passwords.push((name.into(), Secret::from(password)));
        }
        ("token", user) => {
            authentication(config);
            let (name, token) = split(user);
            script.users.tokens.push((name.into(), Secret::from(token)));
        }
        ("certificate-of", name) => {
            authentication(config);
            script.users.external = Some(name.into());
        }
        ("trace", "") => config.trace = true,
        ("answer", text) => script.rules.push(rule(text)?),
        _ => return Err(format!("nothing of the set-up: {keyword} {rest}")),
    }
    Ok(())
}

/// All mechanisms, unless it is said otherwise.
fn authentication(config: &mut Config) -> &mut Authentication {
    config.authentication.get_or_insert_with(|| Authentication {
        mechanisms: Mechanism::STRONGEST_FIRST.to_vec(),
        fake_seed: [7; 32],
        fake_iterations: okuru_core::sasl::MIN_ITERATIONS,
        dangerously_allow_plaintext: false,
    })
}

fn offer(names: &str) -> Result<Offer, String> {
    let mut offer = Offer::nothing();
    for name in names.split_whitespace() {
        match name {
            "all" => offer = Offer::everything(),
            "nothing" => {}
            keyword if offer.add(keyword) => {}
            _ => return Err(format!("nothing that can be offered: {name}")),
        }
    }
    Ok(offer)
}

fn asks(stages: &str) -> Result<Asks, String> {
    let mut asks = Asks::nowhere();
    for stage in stages.split_whitespace() {
        *match stage {
            "everywhere" => {
                asks = Asks::everywhere();
                continue;
            }
            "connect" => &mut asks.connect,
            "hello" => &mut asks.hello,
            "starttls" => &mut asks.starttls,
            "mail" => &mut asks.reverse_path,
            "rcpt" => &mut asks.forward_path,
            "data" => &mut asks.data,
            "quit" => &mut asks.quit,
            _ => return Err(format!("no stage that can be asked about: {stage}")),
        } = true;
    }
    Ok(asks)
}

fn set_bound(bounds: &mut Bounds, text: &str) -> Result<(), String> {
    let (name, value) = split(text);
    let number: u64 = value.parse().map_err(|_| format!("not a number: {value}"))?;
    let small = u32::try_from(number).unwrap_or(u32::MAX);
    match name {
        "command-line" => bounds.command_line = small as usize,
        "message" => bounds.message = number,
        "recipients" => bounds.recipients = small,
        "messages" => bounds.messages = small,
        "recipient-domains" => bounds.recipient_domains = Some(small),
        "idle-commands" => bounds.idle_commands = small,
        "bad-commands" => bounds.bad_commands = small,
        "refusals" => bounds.refusals = small,
        "auth-failures" => bounds.auth_failures = small,
        "pending" => bounds.pending = small as usize,
        "unwritten" => bounds.unwritten = small as usize,
        "discarded" => bounds.discarded = number,
        _ => return Err(format!("no bound: {name}")),
    }
    Ok(())
}

fn each<T: FromStr<Err = okuru_core::Error>>(words: &str) -> Result<Vec<T>, String> {
    words.split_whitespace().map(parsed).collect()
}

fn parsed<T: FromStr<Err = okuru_core::Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: okuru_core::Error| error.to_string())
}
