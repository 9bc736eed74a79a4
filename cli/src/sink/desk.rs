//! What the sink does with what comes: it takes it, or goes wrong as it was told to.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use okuru::server::{
    Accounts, Answer, Config, Connection, CredentialsQuestion, Event, Handler, Hello, MessageId, Received, Recipient,
    Tls, TlsConfig, Visit,
};
use okuru_core::server::faults::{Faults, Stage, Strike};
use okuru_core::syntax::{EnhancedCode, MailParameters, Reply, ReplyCode, ReversePath};
use sha2::Digest as _;
use tokio::time::sleep;

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
    pub(crate) faults: Troubles,
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
    /// How many recipients each session has had since its last MAIL.
    recipients: Mutex<HashMap<u64, u64>>,
}

/// What goes wrong.
pub(crate) struct Troubles {
    /// Whether anything does: who has nothing to ask does not wait for its turn.
    is_any: bool,
    faults: Mutex<Faults>,
    began: Instant,
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

impl Handler for Desk {
    type Store = Spool;

    async fn admit(&self, _: &Visit, mut connection: Connection) -> Option<Connection> {
        let Some(mut faults) = self.faults.lock() else {
            return Some(connection);
        };
        let conduct = faults.connection(connection.config.tls);
        if let Some(pause) = conduct.dribble {
            connection.stream = Box::new(Dribble::new(connection.stream, pause));
        }
        if conduct.injects {
            connection.stream = Box::new(Inject::new(connection.stream));
        }
        if conduct.drops_starttls {
            let config = Config::clone(&connection.config);
            connection.config = Arc::new(Config { tls: Tls::None, ..config });
        }
        if conduct.wrong_certificate {
            connection.tls = self.wrong_certificate.clone().or(connection.tls);
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
        let position = self.position(visit);
        let strike = match self.faults.lock() {
            Some(mut faults) => {
                faults.recipient(self.faults.began.elapsed(), visit.address(), &recipient.path, position)
            }
            None => Strike::default(),
        };
        late(strike).await.unwrap_or(Answer::Accept)
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
        let accepted = reply(250, 0, 0, &format!("Ok: queued as {}", letter.id));
        match self.faults.lock() {
            Some(mut faults) => faults.stored(accepted, letter.received.envelope.recipients.len()),
            None => Answer::Reply(accepted),
        }
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
        let strike = self.faults.lock().map(|mut faults| faults.at(stage))?;
        late(strike).await
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

    /// The how manyth recipient this is since the last MAIL.
    fn position(&self, visit: &Visit) -> u64 {
        let mut recipients = self.recipients();
        let position = recipients.entry(visit.number()).or_default();
        *position += 1;
        *position
    }

    fn recipients(&self) -> MutexGuard<'_, HashMap<u64, u64>> {
        self.books.recipients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Troubles {
    pub(crate) fn new(faults: Faults) -> Self {
        Self { is_any: !faults.is_empty(), faults: Mutex::new(faults), began: Instant::now() }
    }

    fn lock(&self) -> Option<MutexGuard<'_, Faults>> {
        self.is_any.then(|| self.faults.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for Troubles {
    fn default() -> Self {
        Self::new(Faults::default())
    }
}

/// What is answered, once it is time for it.
async fn late(Strike { delay, answer }: Strike) -> Option<Answer> {
    if !delay.is_zero() {
        sleep(delay).await;
    }
    answer
}

/// A reply with an enhanced code of the same class.
fn reply(code: u16, subject: u16, detail: u16, text: &str) -> Reply {
    let class = u8::try_from(code / 100).unwrap_or(4);
    let code = ReplyCode::new(code).expect("only codes from 200 to 599 are written in this file");
    Reply::new(code, Some(EnhancedCode { class, subject, detail }), text)
}

async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
