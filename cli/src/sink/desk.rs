//! What the sink does with what comes: it takes it, or goes wrong as it was told to.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use okuru::server::{
    Accounts, Answer, Config, Connection, CredentialsQuestion, Event, Handler, Hello, MessageId, Received, Recipient,
    Tls, TlsConfig, Visit,
};
use okuru_core::syntax::{MailParameters, Reply, ReversePath};
use sha2::Digest as _;
use tokio::time::sleep;

use super::fault::{Fault, Stage, What, reply};
use super::inbox::Inbox;
use super::letter::{Letter, Place, address, subject};
use super::maildir::Maildir;
use super::mbox::Mbox;
use super::spool::{Disc, Spool, Target};
use super::stream::{Dribble, Inject};
use super::web::dialogues::Dialogues;

/// What the sink does with what comes. The default takes everything into memory and says nothing.
#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) accounts: Accounts,
    pub(crate) faults: Vec<Fault>,
    pub(crate) storage: Storage,
    pub(crate) inbox: Inbox,
    /// What is said, if somebody wants to read it: the sessions tell it where [`Config::trace`] is set.
    pub(crate) dialogues: Dialogues,
    /// Shown where the certificate is to be wrong.
    pub(crate) wrong_certificate: Option<TlsConfig>,
    /// Whether the hash of messages is wanted.
    pub(crate) hashes: bool,
    /// What the names of messages begin with.
    pub(crate) prefix: &'static str,
    /// What is done with each message, once it is safe.
    pub(crate) tell: Option<fn(&Letter)>,
    pub(crate) books: Books,
}

/// What is remembered of what was.
#[derive(Default)]
pub(crate) struct Books {
    /// How many messages there have been.
    count: AtomicU64,
    /// Who has written to whom, and when they did so first.
    greylist: Mutex<HashMap<(String, String), Instant>>,
    /// How many recipients each session has had since its last MAIL.
    recipients: Mutex<HashMap<u64, u64>>,
}

/// Where messages go.
#[derive(Default)]
pub(crate) enum Storage {
    /// Into the inbox, and nowhere else.
    #[default]
    Memory,
    Maildir(Arc<Maildir>),
    Mbox(Arc<Mbox>),
}

/// How many senders and recipients are remembered for greylisting. When there are more, all are forgotten.
const MOST_GREYLISTED: usize = 100_000;

impl Handler for Desk {
    type Store = Spool;

    async fn admit(&self, _: &Visit, mut connection: Connection) -> Option<Connection> {
        for fault in self.faults.iter() {
            match fault.what {
                What::Dribble(pause) if fault.strikes() => {
                    connection.stream = Box::new(Dribble::new(connection.stream, pause));
                }
                What::InjectBeforeTls if fault.strikes() => {
                    connection.stream = Box::new(Inject::new(connection.stream));
                }
                What::DropStarttls if connection.config.tls != Tls::Implicit && fault.strikes() => {
                    let config = Config::clone(&connection.config);
                    connection.config = Arc::new(Config { tls: Tls::None, ..config });
                }
                What::WrongCertificate if fault.strikes() => {
                    connection.tls = self.wrong_certificate.clone().or(connection.tls);
                }
                _ => {}
            }
        }
        Some(connection)
    }

    async fn connect(&self, _: &Visit) -> Answer {
        self.at(Stage::Connect).await.unwrap_or(Answer::Accept)
    }

    async fn hello(&self, _: &Visit, _: &Hello) -> Answer {
        self.at(Stage::Ehlo).await.unwrap_or(Answer::Accept)
    }

    async fn starttls(&self, _: &Visit) -> Answer {
        self.at(Stage::Starttls).await.unwrap_or(Answer::Accept)
    }

    async fn credentials(&self, _: &Visit, question: CredentialsQuestion) -> Answer {
        let answer = || Answer::Credentials(self.accounts.answer(&question));
        self.at(Stage::Auth).await.unwrap_or_else(answer)
    }

    async fn reverse_path(&self, visit: &Visit, _: &ReversePath, _: &MailParameters) -> Answer {
        self.recipients().remove(&visit.number());
        self.at(Stage::Mail).await.unwrap_or(Answer::Accept)
    }

    async fn forward_path(&self, visit: &Visit, recipient: &Recipient) -> Answer {
        if let Some(answer) = self.at(Stage::Rcpt).await {
            return answer;
        }
        let position = self.position(visit);
        for fault in self.faults.iter().filter(|fault| fault.stage == Stage::Rcpt) {
            let refusal = match fault.what {
                What::SomeRecipients if position.is_multiple_of(2) => Stage::Rcpt.refusal(),
                What::TooManyRecipients { allowed } if position > allowed => reply(452, 5, 3, "Too many recipients"),
                What::Greylist(wait) if !self.is_known(visit, recipient, wait) => {
                    reply(450, 7, 1, "Greylisted, try again later")
                }
                _ => continue,
            };
            if fault.strikes() {
                return Answer::Reply(refusal);
            }
        }
        Answer::Accept
    }

    async fn data(&self, _: &Visit) -> Answer {
        self.at(Stage::Data).await.unwrap_or(Answer::Accept)
    }

    async fn store(&self, _: &Visit, _: MessageId) -> Result<Spool, Reply> {
        let target = match &self.storage {
            Storage::Maildir(maildir) => Target::Disc(Disc::Waiting(Arc::clone(maildir))),
            Storage::Memory | Storage::Mbox(_) => Target::Memory,
        };
        Ok(Spool::new(target, self.hashes))
    }

    async fn message(&self, visit: &Visit, received: Received, spool: Spool) -> Answer {
        if let Some(answer) = self.at(Stage::Content).await {
            return answer;
        }
        let letter = match self.keep(visit, received, spool).await {
            Ok(letter) => Arc::new(letter),
            Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                return Answer::Reply(reply(452, 3, 1, "There is no room for it now"));
            }
            Err(_) => return Answer::Reply(reply(451, 3, 0, "It could not be stored, try again later")),
        };
        if let Some(tell) = self.tell {
            tell(&letter);
        }
        self.inbox.push(Arc::clone(&letter));
        if self.strikes_after_content(What::LoseReply) {
            return Answer::Close;
        }
        let accepted = reply(250, 0, 0, &format!("Ok: queued as {}", letter.id));
        if !self.strikes_after_content(What::SomeRecipients) {
            return Answer::Reply(accepted);
        }
        let reply_to = |index: usize| if index % 2 == 1 { Stage::Rcpt.refusal() } else { accepted.clone() };
        Answer::Replies((0..letter.received.envelope.recipients.len()).map(reply_to).collect())
    }

    async fn quit(&self, _: &Visit) -> Answer {
        self.at(Stage::Quit).await.unwrap_or(Answer::Accept)
    }

    fn event(&self, visit: &Visit, event: &Event) {
        if let Event::Trace(trace) = event {
            self.dialogues.push(visit.number(), trace);
        }
    }

    fn closed(&self, visit: &Visit, _: &okuru::server::Closed) {
        self.recipients().remove(&visit.number());
    }
}

impl Desk {
    /// What goes wrong at this stage, if something does.
    async fn at(&self, stage: Stage) -> Option<Answer> {
        for fault in self.faults.iter().filter(|fault| fault.stage == stage) {
            let answer = match fault.what {
                What::Refuse => Answer::Reply(stage.refusal()),
                What::Defer => Answer::Reply(stage.deferral()),
                What::Unavailable => Answer::ReplyAndClose(reply(421, 3, 2, "Closing, as this sink was told to")),
                What::Close => Answer::Close,
                What::OverQuota => Answer::Reply(reply(452, 2, 2, "Mailbox full")),
                What::Delay(time) => {
                    if fault.strikes() {
                        sleep(time).await;
                    }
                    continue;
                }
                _ => continue,
            };
            if fault.strikes() {
                return Some(answer);
            }
        }
        None
    }

    /// Keeps a message so that it is safe.
    async fn keep(&self, visit: &Visit, received: Received, spool: Spool) -> io::Result<Letter> {
        let Spool { bytes, hash, front, target } = spool;
        let (time, sha256) = (SystemTime::now(), hash.map(|hash| hexadecimal(&hash.finalize())));
        let subject = subject(if front.is_empty() { &bytes } else { &front });
        let place = match (&self.storage, target) {
            (Storage::Mbox(mbox), _) => {
                let (mbox, sender) = (Arc::clone(mbox), address(&received.envelope.reverse_path).to_owned());
                on_thread(move || {
                    mbox.append(&sender, time, &bytes)?;
                    Ok(Place::File(mbox.path().to_owned()))
                })
                .await?
            }
            (_, Target::Memory) => Place::Memory(Bytes::from(bytes)),
            (_, Target::Disc(disc)) => {
                on_thread(move || {
                    let mut draft = disc.draft()?;
                    draft.write(&bytes)?;
                    draft.deliver().map(Place::File)
                })
                .await?
            }
        };
        let number = self.books.count.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("{}{number}", self.prefix);
        Ok(Letter { number, id, time, visit: visit.clone(), received, sha256, subject, place })
    }

    fn strikes_after_content(&self, what: What) -> bool {
        let mut faults = self.faults.iter().filter(|fault| fault.stage == Stage::Content && fault.what == what);
        faults.any(Fault::strikes)
    }

    /// The how manyth recipient this is since the last MAIL, where somebody wants to know.
    fn position(&self, visit: &Visit) -> u64 {
        if !self.faults.iter().any(Fault::counts_recipients) {
            return 0;
        }
        let mut recipients = self.recipients();
        let position = recipients.entry(visit.number()).or_default();
        *position += 1;
        *position
    }

    /// Whether this client has written to this recipient before, so long ago.
    fn is_known(&self, visit: &Visit, recipient: &Recipient, wait: Duration) -> bool {
        let client = visit.address().map_or_else(String::new, |address| address.to_string());
        let mut greylist = self.books.greylist.lock().unwrap_or_else(PoisonError::into_inner);
        if greylist.len() >= MOST_GREYLISTED {
            greylist.clear();
        }
        match greylist.entry((client, recipient.path.as_str().to_owned())) {
            Entry::Occupied(first) => first.get().elapsed() >= wait,
            Entry::Vacant(vacant) => {
                vacant.insert(Instant::now());
                false
            }
        }
    }

    fn recipients(&self) -> MutexGuard<'_, HashMap<u64, u64>> {
        self.books.recipients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
