//! The books of `okuru send --resume`: a file to which lines are only ever added.
//!
//! The first line is JSON and says which messages these are. Each line behind it has the number of a message, and its
//! recipients by their place in the envelope:
//!
//! ```text
//! > 12 0 1        its content is about to be sent to these
//! = 12 0:accepted 1:deferred
//! ```
//!
//! A line of the first kind is on disc before anything of the content goes out. What has no line of the second kind behind it
//! may have been accepted or not; what was deferred is as if it had never been sent.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use okuru::mailer::Attempt;
use okuru::{Envelope, Error, ErrorCode, MessageId, Outcome, Progress, RecipientOutcome, State};
use serde::{Deserialize, Serialize};

use crate::arguments::SendArguments;
use crate::exit::{Exit, Failure, usage};
use crate::letter::{Input, in_words};

/// The books.
pub(crate) struct Journal {
    path: PathBuf,
    books: Mutex<Books>,
}

struct Books {
    file: File,
    /// What an earlier run has left: of each message, the recipients that are not to be sent to.
    earlier: HashMap<u64, Vec<(u32, Standings)>>,
    /// The messages that are being sent, by the number that the client gives them.
    under_way: HashMap<u64, Sent>,
    /// Why nothing can be written any more.
    failure: Option<Error>,
}

/// A message that is being sent.
struct Sent {
    number: u64,
    /// The places of its recipients in the whole envelope, if it goes to some of them only.
    places: Option<Vec<u32>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standings {
    /// Its content was about to be sent.
    InDoubt,
    /// This has become of it.
    Ended,
}

/// Where a message stands.
pub(crate) struct Standing {
    /// Whom it is to be sent to, if there is anybody left.
    pub(crate) left: Option<Arc<Envelope>>,
    /// What is to be told of those who were in doubt.
    pub(crate) in_doubt: Option<Outcome>,
}

/// Which messages these are.
#[derive(Deserialize, PartialEq, Serialize)]
struct Job {
    okuru: u32,
    files: Vec<String>,
    repeat: u64,
    from: Option<String>,
    to: Vec<String>,
}

/// The form of the file.
const FORM: u32 = 1;

impl Journal {
    /// Opens the books at `path`, or begins them.
    pub(crate) fn open(path: &Path, arguments: &SendArguments, inputs: &[Input]) -> Result<Arc<Self>, Failure> {
        if inputs.iter().any(|input| matches!(input, Input::Stdin)) {
            return Err(usage("--resume needs messages in files: standard input can't be read again"));
        }
        let job = Job {
            okuru: FORM,
            files: inputs.iter().map(|input| input.name().into_owned()).collect(),
            repeat: arguments.transfer.repeat,
            from: arguments.envelope.from.clone(),
            to: arguments.envelope.to.clone(),
        };
        let books = Books::open(path, &job).map_err(|why| usage(format!("--resume: {}: {why}", path.display())))?;
        Ok(Arc::new(Self { path: path.to_owned(), books: Mutex::new(books) }))
    }

    /// Where a message stands that would be the next one. If anybody is left, it has to be sent to them, as `taken`.
    pub(crate) fn begin(&self, number: u64, taken: u64, envelope: &Arc<Envelope>) -> Standing {
        let mut books = self.books();
        let Some(earlier) = books.earlier.remove(&number) else {
            books.under_way.insert(taken, Sent { number, places: None });
            return Standing { left: Some(Arc::clone(envelope)), in_doubt: None };
        };
        let standing = |place: u32| earlier.iter().find(|(of, _)| *of == place).map(|(_, standing)| *standing);
        let places = || (0..).take(envelope.recipients.len());
        let left: Vec<u32> = places().filter(|place| standing(*place).is_none()).collect();
        let doubtful: Vec<u32> = places().filter(|place| standing(*place) == Some(Standings::InDoubt)).collect();
        let in_doubt = (!doubtful.is_empty()).then(|| {
            let mut line = format!("= {number}");
            doubtful.iter().for_each(|place| push(&mut line, *place, State::Unknown));
            books.write(&self.path, &line, false);
            unknown(part(envelope, &doubtful))
        });
        let left = (!left.is_empty()).then(|| {
            let envelope = part(envelope, &left);
            books.under_way.insert(taken, Sent { number, places: Some(left) });
            envelope
        });
        Standing { left, in_doubt }
    }

    /// Messages have ended.
    pub(crate) fn settle(&self, outcomes: &[Outcome]) -> Result<(), Failure> {
        let mut books = self.books();
        let mut lines = String::new();
        for outcome in outcomes {
            if let Some(sent) = books.under_way.remove(&outcome.message.0) {
                let states = (0..).zip(outcome.recipients.iter().map(|recipient| recipient.state));
                sent.line(&mut lines, states);
            }
        }
        books.write(&self.path, lines.trim_end(), true);
        match &books.failure {
            Some(error) => Err(Failure { error: error.clone(), exit: Exit::Unfinished }),
            None => Ok(()),
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl okuru::mailer::Journal for Journal {
    fn sending(&self, attempts: &[Attempt]) -> Result<(), Error> {
        let mut books = self.books();
        let mut lines = String::new();
        for attempt in attempts {
            let Some(sent) = books.under_way.get(&attempt.message.0) else { continue };
            let _ = write!(lines, "> {}", sent.number);
            for place in attempt.recipients.iter().filter_map(|place| sent.place(*place)) {
                let _ = write!(lines, " {place}");
            }
            lines.push('\n');
        }
        books.write(&self.path, lines.trim_end(), true);
        books.failure.clone().map_or(Ok(()), Err)
    }

    fn tried(&self, message: MessageId, recipients: &[(u32, State)]) {
        let mut books = self.books();
        let mut line = String::new();
        if let Some(sent) = books.under_way.get(&message.0) {
            sent.line(&mut line, recipients.iter().copied());
        }
        books.write(&self.path, line.trim_end(), false);
    }
}

impl Books {
    fn open(path: &Path, job: &Job) -> Result<Self, String> {
        let words = |error: io::Error| in_words(&error);
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(words)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => "another program is using it".to_owned(),
            TryLockError::Error(error) => in_words(&error),
        })?;
        let mut books = Self { file, earlier: HashMap::new(), under_way: HashMap::new(), failure: None };
        if books.read(job)? {
            return Ok(books);
        }
        let mut line = serde_json::to_string(job).map_err(|error| error.to_string())?;
        line.push('\n');
        books.file.write_all(line.as_bytes()).and_then(|()| books.file.sync_all()).map_err(words)?;
        Ok(books)
    }

    /// Reads what an earlier run has left, if there was one. The last line is void if it has no end.
    fn read(&mut self, job: &Job) -> Result<bool, String> {
        let words = |error: io::Error| in_words(&error);
        let mut reader = BufReader::new(&self.file);
        let (mut line, mut whole, mut is_first) = (String::new(), 0, true);
        loop {
            line.clear();
            let length = reader.read_line(&mut line).map_err(words)?;
            let Some(text) = line.strip_suffix('\n') else { break };
            whole += length as u64;
            if std::mem::take(&mut is_first) {
                let known: Job =
                    serde_json::from_str(text).map_err(|_| "it holds no books of okuru send".to_owned())?;
                if known != *job {
                    return Err(
                        "it holds the books of other messages: give the same files, --repeat, --from and --to, \
                                or another file"
                            .to_owned(),
                    );
                }
            } else if enter(&mut self.earlier, text).is_none() {
                return Err(format!("this line has no meaning: {}", text.escape_debug()));
            }
        }
        self.earlier.retain(|_, standings| !standings.is_empty());
        if !line.is_empty() {
            self.file.set_len(whole).and_then(|()| self.file.seek(SeekFrom::End(0))).map_err(words)?;
        }
        Ok(!is_first)
    }

    fn write(&mut self, path: &Path, lines: &str, sync: bool) {
        if lines.is_empty() || self.failure.is_some() {
            return;
        }
        let text = format!("{lines}\n");
        let written = self.file.write_all(text.as_bytes());
        if let Err(error) = written.and_then(|()| if sync { self.file.sync_data() } else { Ok(()) }) {
            let what = format!("the books in {} can't be kept: {}", path.display(), in_words(&error));
            self.failure = Some(Error::new(ErrorCode::Cancelled, what));
        }
    }
}

impl Sent {
    /// The place of a recipient in the whole envelope.
    fn place(&self, place: u32) -> Option<u32> {
        match &self.places {
            None => Some(place),
            Some(places) => places.get(place as usize).copied(),
        }
    }

    fn line(&self, lines: &mut String, states: impl Iterator<Item = (u32, State)>) {
        let _ = write!(lines, "= {}", self.number);
        for (place, state) in states {
            if let Some(place) = self.place(place) {
                push(lines, place, state);
            }
        }
        lines.push('\n');
    }
}

fn push(line: &mut String, place: u32, state: State) {
    let _ = write!(line, " {place}:{state}");
}

/// Takes a line to account.
fn enter(books: &mut HashMap<u64, Vec<(u32, Standings)>>, line: &str) -> Option<()> {
    let mut words = line.split(' ');
    let kind = words.next()?;
    let standings = books.entry(words.next()?.parse().ok()?).or_default();
    for word in words {
        let (place, standing) = match (kind, word.split_once(':')) {
            (">", None) => (word, Some(Standings::InDoubt)),
            ("=", Some((place, "deferred"))) => (place, None),
            ("=", Some((place, "accepted" | "rejected" | "unknown"))) => (place, Some(Standings::Ended)),
            _ => return None,
        };
        let place = place.parse().ok()?;
        standings.retain(|(of, _)| *of != place);
        standings.extend(standing.map(|standing| (place, standing)));
    }
    matches!(kind, ">" | "=").then_some(())
}

/// The envelope for some of its recipients.
fn part(envelope: &Envelope, places: &[u32]) -> Arc<Envelope> {
    let recipients = places.iter().filter_map(|place| envelope.recipients.get(*place as usize)).cloned();
    Arc::new(Envelope {
        reverse_path: envelope.reverse_path.clone(),
        parameters: envelope.parameters.clone(),
        recipients: recipients.collect(),
    })
}

/// Nobody knows what became of these.
fn unknown(envelope: Arc<Envelope>) -> Outcome {
    let what = "an earlier run ended while the message was on its way";
    let error = Error::new(ErrorCode::Cancelled, what);
    let one = |_| RecipientOutcome::new(State::Unknown, None, Some(error.clone()));
    Outcome {
        message: MessageId(0),
        recipients: envelope.recipients.iter().map(one).collect(),
        envelope,
        reply: None,
        error: Some(error),
        progress: Progress::Sent,
        round_trips: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standings(lines: &[&str]) -> HashMap<u64, Vec<(u32, Standings)>> {
        let mut books = HashMap::new();
        assert!(lines.iter().all(|line| enter(&mut books, line).is_some()), "{lines:?}");
        books
    }

    #[test]
    fn the_last_word_on_a_recipient_counts() {
        use Standings::{Ended, InDoubt};
        let books = standings(&["> 0 0 1", "= 0 0:accepted 1:deferred", "> 0 1", "> 7 0", "= 8 0:rejected"]);
        assert_eq!(books[&0], [(0, Ended), (1, InDoubt)]);
        assert_eq!((books[&7].as_slice(), books[&8].as_slice()), (&[(0, InDoubt)][..], &[(0, Ended)][..]));
        assert_eq!(standings(&["> 0 0", "= 0 0:deferred"])[&0], []);
    }

    #[test]
    fn lines_without_meaning_are_seen() {
        for line in ["", ">", "> x", "> 0 x", "= 0 0", "= 0 0:gone", "> 0 0:accepted", "? 0 0"] {
            assert_eq!(enter(&mut HashMap::new(), line), None, "{line}");
        }
    }
}
