//! `okuru send`

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, BufWriter, IsTerminal as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use okuru::blocking::Client;
use okuru::{BodyDeclaration, Message, Newlines, SmtpUtf8};
use okuru_core::{Error, ErrorCode};

use crate::arguments::{SendArguments, TransferArguments};
use crate::connection::{log_in, options};
use crate::envelope::Addressing;
use crate::exit::{Exit, Failure, usage};
use crate::letter::{Input, Letter, in_words};
use crate::report::{Form, Report};

/// Sends the messages, and tells what became of them.
pub(crate) fn run(arguments: SendArguments) -> Result<Exit, Failure> {
    let addressing = Addressing::new(&arguments.envelope)?;
    let options = log_in(options(&arguments.server, &arguments.connection, arguments.trace)?, &arguments.login)?;
    let transfer = &arguments.transfer;
    let mut options = options.pipelining(transfer.pipelining.into()).chunking(transfer.chunking.into());
    if let Some(deadline) = transfer.deadline {
        options = options.deadline(deadline);
    }
    let inputs = inputs(&arguments)?;
    let total = transfer.repeat.saturating_mul(inputs.len() as u64);
    let form = match arguments.json {
        true => Form::Json { out: BufWriter::new(io::stdout()), flush: transfer.repeat == 1 },
        false => Form::Text,
    };
    let mut report = Report::new(form, total > 1);
    let progress = progress(total, &arguments);

    let under_way = RefCell::new(UnderWay::default());
    let messages = Messages::new(&inputs, &addressing, &arguments, &under_way);
    let mut client = Client::new(options);
    for outcome in client.send_many(messages) {
        let sent = under_way.borrow_mut().by_index.remove(&outcome.message.0);
        tell_unusable(&under_way, &inputs, &mut report, &progress)?;
        if let Some(Sent { number, input }) = sent {
            let name = inputs.get(input).map(Input::name).unwrap_or_default();
            progress.suspend_if_visible(|| report.finished(number, &name, &outcome)).map_err(untold)?;
            progress.inc(1);
        }
    }
    client.close();
    tell_unusable(&under_way, &inputs, &mut report, &progress)?;
    progress.finish_and_clear();
    report.end().map_err(untold)
}
