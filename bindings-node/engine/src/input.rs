//! The records that a host hands in.
//!
//! | octet | record | values |
//! |---|---|---|
//! | 1 | submit | a message, as `message.rs` has it. Those of a step are counted from 0, for `refused` |
//! | 2 | opened | connection, the address that it comes from (text, perhaps empty), 24 random octets |
//! | 3 | failed | connection, error: it could not be opened, or broke, or TLS or a token could not be had |
//! | 4 | receive | connection, bytes |
//! | 5 | end of input | connection |
//! | 6 | written | connection, number of octets |
//! | 7 | TLS started | connection, flag (verified), optional channel binding: its name (text), bytes |
//! | 8 | token | connection, text |
//! | 9 | content | connection, message, bytes |
//! | 10 | end of content | connection, message |
//! | 11 | content failed | connection, message, error |
//! | 12 | DNS answer | look-up, optional canonical name (text), records as below |
//! | 13 | cancel | message |
//! | 14 | finish | |
//! | 15 | stop | |
//! | 16 | deadline passed | |
//! | 17 | observe | flag |
//! | 18 | command | verb (text), optional argument (text) |
//!
//! Connections, messages and look-ups are named by numbers. An error is a code of the catalogue and what happened, two texts.
//! Records of the DNS begin with an octet: 0 no data, 1 no such name, 2 failed, 3 exchanges (a list of a count, the preference,
//! and a text), 4 addresses (a list of texts), 5 an alias (text).

use alloc::borrow::ToOwned as _;
use alloc::vec::Vec;
use core::time::Duration;

use okuru_core::client::{MessageId, Query, TlsInfo};
use okuru_core::delivery::mailer::{LookUpId, Opened};
use okuru_core::delivery::route::{Answer, Exchange, Records};
use okuru_core::options::MessageOptions;
use okuru_core::sasl::{ChannelBinding, ChannelBindingKind};
use okuru_core::{Error, ErrorCode};

use crate::machine::Machine;
use crate::message::Parcel;
use crate::output;
use crate::packing::{Reader, Writer, broken};

/// Hands every record to the machine. What is told of messages that were refused goes to `out`.
pub(crate) fn take(
    machine: &mut dyn Machine,
    now: Duration,
    usual: &MessageOptions,
    input: &mut Reader<'_>,
    out: &mut Writer,
) -> Result<(), Error> {
    let mut submitted = 0;
    while !input.is_at_end() {
        match input.octet()? {
            1 => {
                let parcel = Parcel::read(input)?;
                let message = parcel.message(now, usual);
                if let Err(error) = message.and_then(|(message, content)| machine.submit(now, message, content)) {
                    output::refused(submitted, &error, out);
                }
                submitted += 1;
            }
            2 => {
                let connection = input.whole()?;
                let local = input.text()?.parse().ok();
                machine.opened(now, connection, Opened { local, nonce: input.array()? });
            }
            3 => {
                let connection = input.whole()?;
                machine.failed(now, connection, error(input)?);
            }
            4 => {
                let connection = input.whole()?;
                machine.receive(now, connection, input.bytes()?);
            }
            5 => machine.receive_eof(now, input.whole()?),
            6 => {
                let connection = input.whole()?;
                machine.written(now, connection, input.whole()?);
            }
            7 => {
                let connection = input.whole()?;
                machine.tls_started(now, connection, tls_info(input)?);
            }
            8 => {
                let connection = input.whole()?;
                machine.token(now, connection, input.text()?.into());
            }
            9 => {
                let (connection, message) = (input.whole()?, input.whole()?);
                machine.content(now, connection, message, input.bytes()?);
            }
            10 => {
                let connection = input.whole()?;
                machine.content_end(now, connection, MessageId(input.whole()?));
            }
            11 => {
                let (connection, message) = (input.whole()?, MessageId(input.whole()?));
                machine.content_failed(connection, message, &error(input)?);
            }
            12 => {
                let look_up = LookUpId(input.whole()?);
                machine.dns_answer(look_up, answer(input)?);
            }
            13 => machine.cancel(now, MessageId(input.whole()?)),
            14 => machine.finish(),
            15 => machine.stop(),
            16 => machine.deadline_passed(now),
            17 => machine.observe(input.flag()?),
            18 => machine.command(query(input)?)?,
            _ => return Err(broken("there is no such record")),
        }
    }
    Ok(())
}

/// An error that the host has met. A code that the catalogue does not have is a defect of the host.
fn error(input: &mut Reader<'_>) -> Result<Error, Error> {
    let (code, what) = (input.text()?, input.text()?);
    let known = ErrorCode::ALL.iter().find(|known| known.as_str() == code);
    known.map(|code| Error::new(*code, what.to_owned())).ok_or_else(|| broken("there is no such code of an error"))
}

fn tls_info(input: &mut Reader<'_>) -> Result<TlsInfo, Error> {
    const KINDS: [ChannelBindingKind; 3] =
        [ChannelBindingKind::TlsExporter, ChannelBindingKind::TlsServerEndPoint, ChannelBindingKind::TlsUnique];
    let verified = input.flag()?;
    let channel_binding = match input.flag()? {
        false => None,
        true => {
            let (name, data) = (input.text()?, input.bytes()?);
            let kind = KINDS.into_iter().find(|kind| kind.name() == name);
            let kind = kind.ok_or_else(|| broken("there is no such channel binding"))?;
            Some(ChannelBinding::new(kind, data))
        }
    };
    Ok(TlsInfo { verified, channel_binding })
}

fn answer(input: &mut Reader<'_>) -> Result<Answer, Error> {
    let canonical_name = if input.flag()? { Some(input.text()?.to_owned()) } else { None };
    let records = match input.octet()? {
        0 => Records::NoData,
        1 => Records::NxDomain,
        3 => {
            let count = input.count()?;
            Records::Exchanges((0..count).map(|_| exchange(input)).collect::<Result<_, Error>>()?)
        }
        4 => {
            let count = input.count()?;
            let texts = (0..count).map(|_| input.text()).collect::<Result<Vec<_>, Error>>()?;
            Records::Addresses(texts.iter().filter_map(|text| text.parse().ok()).collect())
        }
        5 => Records::Alias(input.text()?.to_owned()),
        _ => Records::Failed,
    };
    // No resolver of these hosts tells whether an answer was authenticated.
    Ok(Answer { records, canonical_name, authenticated: false })
}

fn exchange(input: &mut Reader<'_>) -> Result<Exchange, Error> {
    let preference = u16::try_from(input.count()?).unwrap_or(u16::MAX);
    Ok(Exchange { preference, host: input.text()?.to_owned() })
}

fn query(input: &mut Reader<'_>) -> Result<Query, Error> {
    let verb = input.text()?;
    let argument = if input.flag()? { Some(input.text()?.parse()?) } else { None };
    Ok(match (verb, argument) {
        ("NOOP", None) => Query::Noop,
        ("RSET", None) => Query::Rset,
        ("VRFY", Some(argument)) => Query::Vrfy(argument),
        ("EXPN", Some(argument)) => Query::Expn(argument),
        ("HELP", argument) => Query::Help(argument),
        _ => return Err(Error::new(ErrorCode::Usage, "the commands are NOOP, RSET, VRFY, EXPN and HELP")),
    })
}
