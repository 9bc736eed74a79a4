//! Lines that begin with `=`: what became of recipients, messages, and the connection.

use okuru_core::ErrorCode;

use super::dialogue::{Action, Closed, Message, MessageResult, RecipientResult, Reply, State, Step};
use super::header::path;
use super::parse::{number, split, word};

/// `accepted <address> 250 2.1.5`, `message 0 partial, reply 250, ...`, `closed quit`.
pub(super) fn result(text: &str, messages: &[Message]) -> Result<Action, String> {
    match split(text) {
        ("closed", "quit") => Ok(Action::Closed(Closed::Quit {})),
        ("closed", rest) => {
            let (reply, error) = reply_and_error(rest)?;
            let error = error.ok_or("closed quit, or closed CODE with the reply behind it")?;
            Ok(Action::Closed(Closed::Failed { error, reply }))
        }
        ("message", rest) => message(rest).map(Action::Message),
        _ => recipient(text, messages).map(Action::Recipient),
    }
}

fn recipient(text: &str, messages: &[Message]) -> Result<RecipientResult, String> {
    let (first, rest) = split(text);
    let (message, outcome, rest) = match number::<usize>(first) {
        Ok(message) => {
            let (outcome, rest) = split(rest);
            (Some(message), outcome, rest)
        }
        Err(_) => (None, first, rest),
    };
    let outcome: State = word(outcome)?;
    let (address, rest) = path(rest)?;
    let candidates: Vec<(usize, usize)> = messages
        .iter()
        .enumerate()
        .filter(|(index, _)| message.is_none_or(|message| message == *index))
        .flat_map(|(index, message)| {
            let recipients = message.recipients.iter().enumerate();
            recipients
                .filter(|(_, recipient)| recipient.address == address)
                .map(move |(recipient, _)| (index, recipient))
        })
        .collect();
    let [(message, recipient)] = candidates[..] else {
        return Err(match candidates.len() {
            0 => format!("nothing is sent to <{address}>"),
            _ => format!("more than one recipient is called <{address}>: put the number of the message in front"),
        });
    };
    let (reply, error) = reply_and_error(rest)?;
    Ok(RecipientResult { message, recipient, outcome, reply, error })
}

fn message(text: &str) -> Result<MessageResult, String> {
    let mut parts = text.split(',').map(str::trim);
    let first = parts.next().unwrap_or("");
    let (message, outcome) = match split(first) {
        (outcome, "") => (0, outcome),
        (message, outcome) => (number(message)?, outcome),
    };
    let mut result = MessageResult {
        message,
        outcome: word(outcome)?,
        reply: None,
        error: None,
        queue_id: None,
        progress: None,
        round_trips: None,
    };
    for part in parts {
        match split(part) {
            ("reply", rest) => result.reply = reply_and_error(rest)?.0,
            ("error", code) => result.error = Some(error_code(code)?),
            ("queue-id", id) => result.queue_id = Some(id.to_owned()),
            ("progress", progress) => result.progress = Some(word(progress)?),
            ("round-trips", times) => result.round_trips = Some(number(times)?),
            _ => return Err(format!("what is {part:?}?")),
        }
    }
    Ok(result)
}

fn reply_and_error(text: &str) -> Result<(Option<Reply>, Option<String>), String> {
    let (mut reply, mut error) = (None, None);
    for word in text.split_whitespace() {
        match (&mut reply, word) {
            (None, code) if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()) => {
                reply = Some(Reply { code: number(code)?, enhanced: None });
            }
            (Some(Reply { enhanced: enhanced @ None, .. }), code)
                if code.starts_with(|c: char| c.is_ascii_digit()) && code.matches('.').count() == 2 =>
            {
                *enhanced = Some(code.to_owned());
            }
            _ if error.is_none() => error = Some(error_code(word)?),
            _ => return Err(format!("what is {word:?}?")),
        }
    }
    Ok((reply, error))
}

/// A code of the catalogue.
pub(super) fn error_code(code: &str) -> Result<String, String> {
    match ErrorCode::ALL.iter().find(|known| known.as_str() == code) {
        Some(known) => Ok(known.as_str().to_owned()),
        None => Err(format!("there is no error code {code:?}")),
    }
}

/// Each recipient of each message has to end somewhere, once.
pub(super) fn check_all_told(steps: &[Step], messages: &[Message]) -> Result<(), String> {
    for (index, message) in messages.iter().enumerate() {
        for (place, recipient) in message.recipients.iter().enumerate() {
            let told = steps.iter().filter(|step| {
                matches!(&step.action, Action::Recipient(result) if result.message == index && result.recipient == place)
            });
            match told.count() {
                1 => {}
                0 => return Err(format!("it is not said what becomes of <{}> of message {index}", recipient.address)),
                _ => return Err(format!("it is said twice what becomes of <{}>", recipient.address)),
            }
        }
    }
    Ok(())
}
