//! `okuru send`

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;

use okuru::blocking::Client;
use okuru::{Error, Message, SmtpUtf8};

use crate::arguments::{SendArguments, TransferArguments};
use crate::connection::{log_in, options};
use crate::envelope::Addressing;
use crate::exit::{Exit, Failure, usage};
use crate::letter::{Input, Letter};
use crate::report::Report;

/// Sends the messages, and tells what became of them.
pub(crate) fn run(arguments: &SendArguments) -> Result<Exit, Failure> {
    let addressing = Addressing::new(&arguments.envelope)?;
    let options = log_in(options(&arguments.server, &arguments.connection, arguments.trace)?, &arguments.login)?;
    let transfer = &arguments.transfer;
    let mut options = options.pipelining(transfer.pipelining.into()).chunking(transfer.chunking.into());
    if let Some(deadline) = transfer.deadline {
        options = options.deadline(deadline);
    }
    let inputs = inputs(arguments)?;
    let total = transfer.repeat.saturating_mul(inputs.len() as u64);
    let report = RefCell::new(Report::new(arguments, total));

    let under_way = RefCell::new(HashMap::new());
    let messages = Messages {
        arguments,
        addressing: &addressing,
        waiting: inputs.iter(),
        current: None,
        number: 0,
        taken: 0,
        under_way: &under_way,
        report: &report,
    };
    let mut client = Client::new(options);
    for outcome in client.send_many(messages) {
        let sent = under_way.borrow_mut().remove(&outcome.message.0);
        let mut report = report.borrow_mut();
        if let Some((number, input)) = sent {
            report.finished(number, &Input::name(input), &outcome);
        }
        if report.is_broken() {
            break;
        }
    }
    client.close();
    report.into_inner().end()
}

fn inputs(arguments: &SendArguments) -> Result<Vec<Input>, Failure> {
    let inputs: Vec<_> = match arguments.files.is_empty() {
        true => vec![Input::Stdin],
        false => arguments.files.iter().cloned().map(Input::from_argument).collect(),
    };
    if inputs.iter().filter(|input| matches!(input, Input::Stdin)).count() > 1 {
        return Err(usage("standard input was named more than once, and can be read only once"));
    }
    if arguments.files.is_empty() && io::stdin().is_terminal() {
        // Nobody is left to tell, should standard error be closed.
        let _ = writeln!(io::stderr(), "Reading a message from the terminal; Ctrl-D ends it.");
    }
    Ok(inputs)
}

/// The messages, each read when its turn comes. Those that can't be sent are told of on the way.
struct Messages<'a> {
    arguments: &'a SendArguments,
    addressing: &'a Addressing,
    waiting: std::slice::Iter<'a, Input>,
    current: Option<Current<'a>>,
    /// The next message.
    number: u64,
    /// How many the client has taken; it numbers them from 0.
    taken: u64,
    /// The number of each message that the client has, and where it comes from, by the number that the client gives it.
    under_way: &'a RefCell<HashMap<u64, (u64, &'a Input)>>,
    report: &'a RefCell<Report>,
}

struct Current<'a> {
    input: &'a Input,
    letter: Result<Letter, Error>,
    /// How often it is still to be sent.
    left: u64,
}

impl Iterator for Messages<'_> {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        loop {
            let Some(current) = self.current.as_mut().filter(|current| current.left > 0) else {
                let input = self.waiting.next()?;
                let letter = Letter::read(input, self.addressing);
                self.current = Some(Current { input, letter, left: self.arguments.transfer.repeat });
                continue;
            };
            current.left -= 1;
            let number = self.number;
            self.number += 1;
            let ready = match &mut current.letter {
                Ok(letter) => message(letter, self.arguments),
                Err(error) => Err(error.clone()),
            };
            match ready {
                Ok(message) => {
                    self.under_way.borrow_mut().insert(self.taken, (number, current.input));
                    self.taken += 1;
                    return Some(message);
                }
                Err(error) => self.report.borrow_mut().unusable(number, &current.input.name(), &error),
            }
        }
    }
}

fn message(letter: &mut Letter, arguments: &SendArguments) -> Result<Message, Error> {
    let TransferArguments { body, smtputf8, newlines, .. } = &arguments.transfer;
    let smtputf8 = match (*smtputf8).into() {
        SmtpUtf8::Auto if letter.needs_smtputf8() => SmtpUtf8::Require,
        asked => asked,
    };
    Ok(Message::with_envelope(Arc::clone(letter.envelope()), letter.content()?)
        .body_declaration((*body).into())
        .smtputf8(smtputf8)
        .newlines((*newlines).into())
        .all_or_nothing(arguments.envelope.all_or_nothing))
}
