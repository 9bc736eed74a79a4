//! `okuru send`

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::sync::Arc;

use okuru::blocking::Client;
use okuru::{Error, Message, Outcome, SmtpUtf8};

use crate::arguments::{SendArguments, TransferArguments};
use crate::delivery::Delivery;
use crate::envelope::Addressing;
use crate::exit::{Exit, Failure, usage};
use crate::journal::{Journal, Standing};
use crate::letter::{Input, Letter};
use crate::mailing;
use crate::report::Report;
use crate::trace;

/// Sends the messages, and tells what became of them.
pub(crate) fn run(arguments: &SendArguments) -> Result<Exit, Failure> {
    let addressing = Addressing::new(&arguments.envelope)?;
    let inputs = inputs(arguments)?;
    let total = arguments.transfer.repeat.saturating_mul(inputs.len() as u64);
    let journal =
        arguments.way.mailer.resume.as_ref().map(|path| Journal::open(path, arguments, &inputs)).transpose()?;
    let tracer = trace::shown(arguments.trace);
    let delivery = Delivery {
        way: &arguments.way,
        pipelining: arguments.transfer.pipelining.into(),
        chunking: arguments.transfer.chunking.into(),
        deadline: arguments.transfer.deadline,
        tracer: tracer.as_ref(),
    };
    let way = match delivery.wants_mailer() {
        true => Ok(delivery.mailer_options()?),
        false => Err(delivery.options()?),
    };
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
        journal: journal.as_deref(),
        report: &report,
    };
    match way {
        Ok(options) => mailing::run(options, messages, journal.as_ref())?,
        Err(options) => {
            let mut client = Client::new(options);
            for outcome in client.send_many(messages) {
                if tell(&under_way, &report, &outcome).is_break() {
                    break;
                }
            }
            client.close();
        }
    }
    report.into_inner().end()
}

/// The messages that are being sent, by the number that the client gives them: their own number, and where each comes from.
pub(crate) type UnderWay<'a> = RefCell<HashMap<u64, (u64, &'a Input)>>;

/// Tells of a message that has ended. Breaks when nothing can be told any more.
pub(crate) fn tell(under_way: &UnderWay<'_>, report: &RefCell<Report>, outcome: &Outcome) -> ControlFlow<()> {
    let sent = under_way.borrow_mut().remove(&outcome.message.0);
    let mut report = report.borrow_mut();
    if let Some((number, input)) = sent {
        report.finished(number, &Input::name(input), outcome);
    }
    if report.is_broken() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
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
pub(crate) struct Messages<'a> {
    arguments: &'a SendArguments,
    addressing: &'a Addressing,
    waiting: std::slice::Iter<'a, Input>,
    current: Option<Current<'a>>,
    /// The next message.
    number: u64,
    /// How many the client has taken; it numbers them from 0.
    taken: u64,
    /// The number of each message that the client has, and where it comes from, by the number that the client gives it.
    pub(crate) under_way: &'a UnderWay<'a>,
    /// What an earlier run has done.
    journal: Option<&'a Journal>,
    pub(crate) report: &'a RefCell<Report>,
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
            let message = match ready {
                Ok(message) => message,
                Err(error) => {
                    self.report.borrow_mut().unusable(number, &current.input.name(), &error);
                    continue;
                }
            };
            let message = match self.journal {
                None => message,
                Some(journal) => {
                    let Standing { left, in_doubt } = journal.begin(number, self.taken, message.envelope());
                    if let Some(outcome) = in_doubt {
                        self.report.borrow_mut().finished(number, &current.input.name(), &outcome);
                    } else if left.is_none() {
                        self.report.borrow_mut().skip();
                    }
                    match left {
                        Some(envelope) => message.envelope_replaced(envelope),
                        None => continue,
                    }
                }
            };
            self.under_way.borrow_mut().insert(self.taken, (number, current.input));
            self.taken += 1;
            return Some(message);
        }
    }
}

fn message(letter: &mut Letter, arguments: &SendArguments) -> Result<Message, Error> {
    let TransferArguments { body, smtputf8, newlines, .. } = &arguments.transfer;
    let smtputf8 = match (*smtputf8).into() {
        SmtpUtf8::Auto if letter.needs_smtputf8() => SmtpUtf8::Require,
        asked => asked,
    };
    let message = Message::with_envelope(Arc::clone(letter.envelope()), letter.content()?)
        .body_declaration((*body).into())
        .smtputf8(smtputf8)
        .newlines((*newlines).into())
        .all_or_nothing(arguments.envelope.all_or_nothing);
    Ok(message)
}
