//! What a user may choose, from the packed table of a host: names and values for [`okuru_core::options`].
//!
//! A table is a list of a name (text) and a value. A value begins with an octet: 0 text, 1 flag, 2 number, 3 a list of values,
//! 4 a table.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use okuru_core::client::{Config, InFlight};
use okuru_core::delivery::mailer::Endpoint;
use okuru_core::options::{MailerOptions, Settings, Value};
use okuru_core::syntax::EhloName;
use okuru_core::{Error, ErrorCode};

use crate::packing::{Reader, broken};

/// Deeper than the table of a server with a list in it, nothing makes sense.
const DEEPEST: u8 = 8;

pub(crate) fn table(packed: &mut Reader<'_>) -> Result<Vec<(String, Value)>, Error> {
    nested_table(packed, DEEPEST)
}

fn nested_table(packed: &mut Reader<'_>, depth: u8) -> Result<Vec<(String, Value)>, Error> {
    let count = packed.count()?;
    (0..count).map(|_| Ok((packed.text()?.to_owned(), value(packed, depth)?))).collect()
}

fn value(packed: &mut Reader<'_>, depth: u8) -> Result<Value, Error> {
    let inside = depth.checked_sub(1).ok_or_else(|| broken("the options are nested too deeply"))?;
    Ok(match packed.octet()? {
        0 => packed.text()?.into(),
        1 => packed.flag()?.into(),
        2 => packed.number()?.into(),
        3 => {
            let count = packed.count()?;
            Value::List((0..count).map(|_| value(packed, inside)).collect::<Result<_, _>>()?)
        }
        4 => Value::Table(nested_table(packed, inside)?),
        _ => return Err(broken("there is no such kind of value")),
    })
}

/// What a mailer is made from: the name of this machine (text), then the table.
pub(crate) fn mailer(packed: &mut Reader<'_>) -> Result<Settings, Error> {
    let host_name = packed.text()?;
    let mut settings = MailerOptions::new(table(packed)?)?.settings()?;
    host_name.clone_into(&mut settings.mailer.host_name);
    Ok(settings)
}

/// What one connection is made from: the same, with a single server, and what only a connection by itself is told: a table of
/// numbers, `reply_limit_line`, `reply_limit_lines`, `reply_limit_bytes`, `in_flight_messages`, `in_flight_bytes`,
/// `in_flight_bytes_per_second`, `in_flight_most_bytes`.
pub(crate) fn connection(packed: &mut Reader<'_>) -> Result<(Settings, Config, Endpoint), Error> {
    let mut settings = mailer(packed)?;
    if settings.mailer.servers.len() != 1 {
        return Err(Error::new(ErrorCode::Usage, "a connection goes to one server"));
    }
    let server = settings.mailer.servers.remove(0);
    let mut config = server.client;
    config.ehlo = server.ehlo.unwrap_or_else(|| EhloName::of_host(&settings.mailer.host_name, None));
    for _ in 0..packed.count()? {
        bound(&mut config, packed.text()?, packed.whole()?)?;
    }
    Ok((settings, config, Endpoint::clone(&server.endpoint)))
}

fn bound(config: &mut Config, name: &str, value: u64) -> Result<(), Error> {
    let size = usize::try_from(value).unwrap_or(usize::MAX);
    let InFlight { messages, bytes, bytes_per_second, most_bytes } = &mut config.in_flight;
    match name {
        "reply_limit_line" => config.reply_limits.line = size,
        "reply_limit_lines" => config.reply_limits.lines = size,
        "reply_limit_bytes" => config.reply_limits.bytes = size,
        "in_flight_messages" => *messages = size,
        "in_flight_bytes" => *bytes = value,
        "in_flight_bytes_per_second" => *bytes_per_second = value,
        "in_flight_most_bytes" => *most_bytes = value,
        _ => return Err(broken("there is no such bound")),
    }
    Ok(())
}

/// What the host has to do itself, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForHost {
    pub(crate) connect_timeout: Duration,
    pub(crate) source_address: Option<core::net::IpAddr>,
}
