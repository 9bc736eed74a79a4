//! What the user is told: a line for each message or a summary on standard output, what went wrong on standard error.

use std::collections::HashSet;
use std::fmt::{self, Write as _};
use std::io::{self, BufWriter, IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use okuru_core::client::{Outcome, State, Summary};
use okuru_core::{Error, ErrorCode};

use crate::arguments::SendArguments;
use crate::exit::{Exit, Failure};
use crate::json::Line;
use crate::letter;

/// Tells of each message as it ends, and of all of them at the end.
pub(crate) struct Report {
    form: Form,
    /// Whether more than one message was asked for, so that each has to be named.
    many: bool,
    progress: ProgressBar,
    counts: [u64; 5],
    /// Messages that had ended before, according to the books.
    skipped: u64,
    exit: Exit,
    /// What has been said on standard error already: what a hundred thousand messages have in common is said once.
    said: HashSet<String>,
    /// How the one message went.
    last: String,
    /// Why nothing can be told any more.
    broken: Option<io::Error>,
}

/// What goes to standard output.
enum Form {
    /// A summary.
    Text,
    /// A line for each message; `flush` gives each away at once.
    Json { out: BufWriter<io::Stdout>, flush: bool },
}

/// How many different sentences are remembered.
const MOST_SAID: usize = 1000;

impl Report {
    /// A report on `total` messages.
    pub(crate) fn new(arguments: &SendArguments, total: u64) -> Self {
        let form = match arguments.json {
            true => Form::Json { out: BufWriter::new(io::stdout()), flush: arguments.transfer.repeat == 1 },
            false => Form::Text,
        };
        Self {
            form,
            many: total > 1,
            progress: progress(arguments, total),
            counts: [0; 5],
            skipped: 0,
            exit: Exit::default(),
            said: HashSet::new(),
            last: String::new(),
            broken: None,
        }
    }

    /// A message has ended.
    pub(crate) fn finished(&mut self, number: u64, file: &str, outcome: &Outcome) {
        let summary = outcome.summary();
        self.count(summary, Exit::of(outcome));
        if summary != Summary::Accepted {
            self.complain(file, outcome);
        }
        self.line(|| Line::new(number, file, outcome));
        if !self.many {
            self.last = in_words(outcome);
        }
    }

    /// A message could not even be begun.
    pub(crate) fn unusable(&mut self, number: u64, file: &str, error: &Error) {
        self.count(Summary::Rejected, Exit::BadMessage);
        let file_in_words = if file == "-" { "standard input" } else { file };
        self.say(&format!("{file_in_words}: "), error);
        self.line(|| Line::unusable(number, file, error));
    }

    /// Whether nothing can be told any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// All messages have ended.
    pub(crate) fn end(mut self) -> Result<Exit, Failure> {
        self.progress.finish_and_clear();
        let text = if self.many { self.totals() } else { self.last };
        let told = match (self.broken, &mut self.form) {
            (Some(error), _) => Err(error),
            (None, Form::Json { out, .. }) => out.flush(),
            (None, Form::Text) if text.is_empty() => Ok(()),
            (None, Form::Text) => writeln!(io::stdout(), "{text}"),
        };
        match told {
            Ok(()) => Ok(self.exit),
            Err(error) => Err(untold(&error)),
        }
    }

    /// A message needs nothing to be done any more.
    pub(crate) fn skip(&mut self) {
        self.skipped += 1;
        self.progress.inc(1);
    }

    fn count(&mut self, summary: Summary, exit: Exit) {
        self.progress.inc(1);
        self.exit = self.exit.max(exit);
        if let Some(place) = SUMMARIES.iter().position(|&it| it == summary) {
            self.counts[place] += 1;
        }
        if !self.progress.is_hidden() {
            self.progress.set_message(self.outcomes());
        }
    }

    fn totals(&self) -> String {
        let all: u64 = self.counts.iter().sum();
        let mut text = format!("{all} message{}", plural(all));
        let outcomes = self.outcomes();
        if !outcomes.is_empty() {
            let _ = write!(text, ": {outcomes}");
        }
        if self.skipped > 0 {
            let _ = write!(text, "; {} had ended before", self.skipped);
        }
        text
    }

    /// How many came to what.
    fn outcomes(&self) -> String {
        let mut text = String::new();
        for (summary, count) in SUMMARIES.iter().zip(self.counts).filter(|(_, count)| *count > 0) {
            let _ = write!(text, "{}{count} {summary}", if text.is_empty() { "" } else { ", " });
        }
        text
    }

    fn complain(&mut self, file: &str, outcome: &Outcome) {
        let file = if self.many { format!("{file}: ") } else { String::new() };
        for (whose, error) in complaints(outcome) {
            self.say(&format!("{file}{whose}"), &error);
        }
    }

    fn say(&mut self, whose: &str, error: &Error) {
        let sentence = format!("{whose}{error} [{}]", error.code());
        if self.said.contains(&sentence) {
            return;
        }
        // Nobody is left to tell, should standard error be closed.
        self.progress.suspend(|| writeln!(io::stderr(), "okuru: {sentence}")).unwrap_or_default();
        if self.said.len() < MOST_SAID {
            self.said.insert(sentence);
        }
    }

    fn line<'a>(&mut self, line: impl FnOnce() -> Line<'a>) {
        let Form::Json { out, flush } = &mut self.form else {
            return;
        };
        let written = serde_json::to_writer(&mut *out, &line())
            .map_err(io::Error::from)
            .and_then(|()| out.write_all(b"\n"))
            .and_then(|()| if *flush { out.flush() } else { Ok(()) });
        if let Err(error) = written {
            self.broken.get_or_insert(error);
        }
    }
}

/// What went wrong with a message: for one recipient, who is named then, or for all of them.
pub(crate) fn complaints(outcome: &Outcome) -> impl Iterator<Item = (String, Error)> {
    let common = outcome.error.as_ref();
    let recipients = outcome.recipients.iter().zip(&outcome.envelope.recipients);
    let own = recipients.filter_map(move |(recipient, asked)| {
        let own = recipient.error().filter(|own| common.is_none_or(|common| common.what() != own.what()))?;
        Some((format!("<{}>: ", asked.path.as_str()), own))
    });
    own.chain(common.cloned().map(|error| (String::new(), error)))
}

/// Shown on a terminal when there is more than one message, and nothing else is shown there.
fn progress(arguments: &SendArguments, total: u64) -> ProgressBar {
    let other_output = arguments.trace || arguments.json && io::stdout().is_terminal();
    if total < 2 || other_output || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len}  {rate}  {eta}  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            // The bar has no use for an error.
            let _ = write!(out, "{:.0}/s", state.per_sec());
        });
    ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()).with_style(style)
}

/// Writes to standard output.
pub(crate) fn print(text: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout();
    out.write_all(text).and_then(|()| out.flush()).map_err(|error| untold(&error))
}

fn untold(error: &io::Error) -> Failure {
    let what = format!("standard output can't be written: {}", letter::in_words(error));
    Failure { error: Error::new(ErrorCode::Cancelled, what), exit: Exit::Unfinished }
}

const SUMMARIES: [Summary; 5] =
    [Summary::Accepted, Summary::Partial, Summary::Deferred, Summary::Rejected, Summary::Unknown];

fn in_words(outcome: &Outcome) -> String {
    let accepted = outcome.recipients.iter().filter(|recipient| recipient.state == State::Accepted).count() as u64;
    let all = outcome.recipients.len();
    let mut text = match outcome.summary() {
        Summary::Accepted => format!("accepted for {accepted} recipient{}", plural(accepted)),
        Summary::Partial => format!("accepted for {accepted} of {all} recipients"),
        other => other.to_string(),
    };
    if let Some(queue_id) = outcome.queue_id() {
        let _ = write!(text, ", queued as {queue_id}");
    }
    text
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}
