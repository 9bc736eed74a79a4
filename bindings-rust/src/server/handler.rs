//! What only the user of a server can decide.

use std::future::{Future, ready};
use std::io;
use std::sync::Arc;

use okuru_core::sasl;
use okuru_core::server::{Answer, Closed, Config, Event, Hello, MessageId, Received, Recipient, User};
use okuru_core::syntax::{MailParameters, Reply, ReversePath};
use tokio::io::{AsyncRead, AsyncWrite};

use super::tls::TlsConfig;
use super::visit::Visit;

/// What only you can decide. One handler serves all sessions of a server.
///
/// The machine has judged first: what breaks the protocol or a bound, or [`Config::relay`] does not let through, never comes here.
/// Which of the questions are asked at all is said by [`Config::asks`]; where none is, the answer is [`Answer::Accept`].
///
/// Each method may be an `async fn`. One that panics ends its session with a 421. When a client goes away, what is still being
/// found out for it is dropped, but for [`message`](Self::message), which runs to its end.
pub trait Handler: Send + Sync + 'static {
    /// Where the content of a message goes while it comes.
    type Store: Store;

    /// A client has come, and nothing has been said. `connection` may be given back as it is, with other settings or with
    /// another stream around its own; without it the connection closes without a word.
    fn admit(&self, visit: &Visit, connection: Connection) -> impl Future<Output = Option<Connection>> + Send {
        let _ = visit;
        ready(Some(connection))
    }

    /// Before the greeting: [`Question::Connect`](okuru_core::server::Question::Connect).
    fn connect(&self, visit: &Visit) -> impl Future<Output = Answer> + Send {
        let _ = visit;
        ready(Answer::Accept)
    }

    /// EHLO, HELO or LHLO: [`Question::Hello`](okuru_core::server::Question::Hello).
    fn hello(&self, visit: &Visit, hello: &Hello) -> impl Future<Output = Answer> + Send {
        let _ = (visit, hello);
        ready(Answer::Accept)
    }

    /// STARTTLS: [`Question::StartTls`](okuru_core::server::Question::StartTls).
    fn starttls(&self, visit: &Visit) -> impl Future<Output = Answer> + Send {
        let _ = visit;
        ready(Answer::Accept)
    }

    /// What must be known to find out whether somebody is who they say. Nobody is, by default. [`Accounts`](super::Accounts)
    /// answers for users in memory. An [`Answer`] other than [`Answer::Credentials`] ends the attempt.
    fn credentials(&self, visit: &Visit, question: sasl::Question) -> impl Future<Output = Answer> + Send {
        let _ = (visit, question);
        ready(Answer::Credentials(sasl::Answer::Unknown))
    }

    /// Whether somebody who has proved who they are may act for somebody else. Nobody may, by default.
    fn act_for(&self, visit: &Visit, user: &User) -> impl Future<Output = Answer> + Send {
        let _ = (visit, user);
        ready(Answer::Refuse)
    }

    /// MAIL: [`Question::ReversePath`](okuru_core::server::Question::ReversePath).
    fn reverse_path(
        &self,
        visit: &Visit,
        path: &ReversePath,
        parameters: &MailParameters,
    ) -> impl Future<Output = Answer> + Send {
        let _ = (visit, path, parameters);
        ready(Answer::Accept)
    }

    /// RCPT: [`Question::ForwardPath`](okuru_core::server::Question::ForwardPath).
    fn forward_path(&self, visit: &Visit, recipient: &Recipient) -> impl Future<Output = Answer> + Send {
        let _ = (visit, recipient);
        ready(Answer::Accept)
    }

    /// DATA, or the first BDAT: [`Question::Data`](okuru_core::server::Question::Data).
    fn data(&self, visit: &Visit) -> impl Future<Output = Answer> + Send {
        let _ = visit;
        ready(Answer::Accept)
    }

    /// The content of a message begins: where is it to go? With a reply instead, a 4yz or 5yz, the content is thrown away, and
    /// that is what the client gets for it.
    fn store(&self, visit: &Visit, message: MessageId) -> impl Future<Output = Result<Self::Store, Reply>> + Send;

    /// The content is all there. [`Answer::Accept`] promises that the message will not be lost, and only then the client
    /// is told so; after anything but a 2yz the store is nobody's.
    fn message(&self, visit: &Visit, received: Received, store: Self::Store) -> impl Future<Output = Answer> + Send;

    /// QUIT: [`Question::Quit`](okuru_core::server::Question::Quit).
    fn quit(&self, visit: &Visit) -> impl Future<Output = Answer> + Send {
        let _ = visit;
        ready(Answer::Accept)
    }

    /// Something that may be worth knowing has happened. This must not take long.
    fn event(&self, visit: &Visit, event: &Event) {
        let _ = (visit, event);
    }

    /// A session is over. This must not take long.
    fn closed(&self, visit: &Visit, closed: &Closed) {
        let _ = (visit, closed);
    }
}

/// Where the content of a message goes while it comes.
pub trait Store: Send + 'static {
    /// Takes a piece of content, behind those before. After an error the rest is thrown away, and the client gets a 452 if there
    /// was no room ([`io::ErrorKind::StorageFull`], [`io::ErrorKind::QuotaExceeded`]), else a 451.
    fn write(&mut self, piece: &[u8]) -> impl Future<Output = io::Result<()>> + Send;

    /// The message will not be completed. To throw away what was stored is the least to be done; this is not called where the
    /// server ends before, or [`Handler::message`] has it.
    fn discard(self) -> impl Future<Output = ()> + Send
    where
        Self: Sized,
    {
        ready(())
    }
}

/// In memory. [`Bounds::message`](okuru_core::server::Bounds::message) says how much that can be.
impl Store for Vec<u8> {
    async fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.extend_from_slice(piece);
        Ok(())
    }
}

/// A connection that nothing has been said on.
pub struct Connection {
    /// How its session behaves.
    pub config: Arc<Config>,
    /// What TLS needs. Without it there is none.
    pub tls: Option<TlsConfig>,
    /// The socket.
    pub stream: Box<dyn Stream>,
}

/// A socket, or what is wrapped around one.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}
