//! `-bs`: SMTP on standard input and output. Each message is handed on before it is answered.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use okuru::server::{
    Answer, Asks, Bounds, Closed, Config, Event, Handler, MessageId, Offer, Received, RelayPolicy, Server, Store, Visit,
};
use okuru::{EhloName, Envelope, Error, ErrorCode, ForwardPath, MailParameters, Mailer, Newlines, Recipient, Reply};

use super::caller::host_name;
use super::header::Draft;
use super::options::Options;
use super::pipes::Pipes;
use super::post::{Post, runtime};
use super::spool::Spool;
use super::verdict;
use crate::exit::{Exit, Failure};

/// Serves the client on standard input and output.
pub(super) fn run(options: &Options) -> Result<Exit, Failure> {
    let post = Arc::new(Post::open(options)?);
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let mailer = post.mailer()?;
        let clerk = Clerk { post: Arc::clone(&post), mailer: mailer.clone(), ending: Arc::default() };
        let ending = Arc::clone(&clerk.ending);
        Server::new(clerk).serve(Pipes::new(), config(&post)).await?;
        mailer.stop().await;
        ending.exit()
    });
    // A thread may still wait for standard input, which nobody has closed.
    runtime.shutdown_background();
    ended
}

fn config(post: &Post) -> Config {
    let mut config = Config::new(EhloName::of_host(&host_name(), None));
    // Who can start this program, can use its configuration.
    config.relay = RelayPolicy { dangerously_for_anyone: true, ..RelayPolicy::default() };
    // What the relay does not offer is refused once that is known. It is told the size by us.
    config.offer = Offer { dsn: true, binarymime: false, size: false, limits: false, ..Offer::default() };
    config.asks = Asks::nowhere();
    config.bounds = Bounds { message: u64::MAX, messages: u32::MAX, ..Bounds::default() };
    config.newlines = Newlines::Fix;
    config.trace = post.transcript.is_wanted();
    config
}

/// Takes messages, and hands them on.
struct Clerk {
    post: Arc<Post>,
    mailer: Mailer,
    ending: Arc<Ending>,
}

/// How the session ended.
#[derive(Default)]
struct Ending {
    /// The last message was not completed.
    lost: AtomicBool,
    error: Mutex<Option<Error>>,
}

/// A message that comes.
struct Intake {
    spool: Spool,
    ending: Arc<Ending>,
}

impl Handler for Clerk {
    type Store = Intake;

    async fn store(&self, _: &Visit, _: MessageId) -> Result<Intake, Reply> {
        self.ending.lost.store(false, Ordering::Relaxed);
        Ok(Intake { spool: Spool::default(), ending: Arc::clone(&self.ending) })
    }

    async fn message(&self, _: &Visit, received: Received, intake: Intake) -> Answer {
        let (front, whole) = intake.spool.front();
        let draft = match Draft::read(front, whole, self.post.addresses()) {
            Ok(draft) => draft,
            Err(error) => return Answer::Reply(verdict::refusal(&error)),
        };
        match self.post.message(intake.spool, draft, self.envelope(received)) {
            // Where one recipient is refused, one reply could not tell of the others.
            Ok(message) => verdict::answer(&self.mailer.send(message.all_or_nothing(true)).await),
            Err(failure) => Answer::Reply(verdict::failure(&failure.error)),
        }
    }

    fn event(&self, _: &Visit, event: &Event) {
        if let Event::Trace(trace) = event {
            self.post.transcript.local(trace);
        }
    }

    fn closed(&self, _: &Visit, closed: &Closed) {
        if let Closed::Failed(error) = closed {
            *self.ending.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        }
    }
}

impl Clerk {
    fn envelope(&self, received: Received) -> Envelope {
        let addresses = self.post.addresses();
        let mut recipients: Vec<Recipient> = Vec::new();
        for recipient in received.envelope.recipients {
            let mailbox = match recipient.path {
                ForwardPath::Mailbox(mailbox) => Some(mailbox),
                ForwardPath::Postmaster => addresses.list("postmaster").ok().and_then(|mut list| list.pop()),
            };
            for mailbox in addresses.expand(mailbox.into_iter().collect()) {
                let path = mailbox.into();
                if !recipients.iter().any(|known| known.path == path) {
                    recipients.push(Recipient { path, parameters: recipient.parameters.clone() });
                }
            }
        }
        // The rest is found out again from the message.
        let MailParameters { ret, envid, .. } = *received.envelope.parameters;
        Envelope {
            reverse_path: received.envelope.reverse_path,
            parameters: MailParameters { ret, envid, ..MailParameters::default() },
            recipients,
        }
    }
}

impl Store for Intake {
    async fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        // There is no other client whom this could keep waiting.
        io::Write::write_all(&mut self.spool, piece)
    }

    async fn discard(self) {
        self.ending.lost.store(true, Ordering::Relaxed);
    }
}

impl Ending {
    /// What became of each message has been said. What is told here is how the session went.
    fn exit(&self) -> Result<Exit, Failure> {
        match self.error.lock().unwrap_or_else(PoisonError::into_inner).take() {
            None => Ok(Exit::Success),
            Some(error) if error.code() != ErrorCode::ProtocolClosed => {
                Err(Failure { exit: Exit::Protocol.max(Exit::after(&error)), error })
            }
            // Many clients close the connection without a word.
            Some(_) if !self.lost.load(Ordering::Relaxed) => Ok(Exit::Success),
            Some(_) => {
                let what = "standard input ended, and the last message was not complete and was not sent";
                Err(Failure { error: Error::new(ErrorCode::ProtocolClosed, what), exit: Exit::Protocol })
            }
        }
    }
}
