//! The client for programs that wait.

mod connect;
mod socket;

use std::fmt;
use std::io;
use std::iter::FusedIterator;
use std::sync::Arc;
use std::time::{Duration, Instant};

use okuru_core::client::{Outcome, Query};
use okuru_core::syntax::Reply;
use okuru_core::{Error, ErrorCode, Step};

use self::socket::Socket;
use crate::courier::{Courier, Goal, Need};
use crate::message::Message;
use crate::options::Options;
use crate::server_info::ServerInfo;
#[cfg(feature = "rustls")]
use crate::tls::Trust;
use crate::transport::Transport as _;

/// One session with one server, opened when it is needed and kept open.
///
/// A session that the server has closed in the meantime is opened again without a word, and costs no message. For
/// several sessions at a time make several clients.
///
/// ```no_run
/// use okuru::{Message, Options, blocking::Client};
///
/// # fn main() -> Result<(), okuru::Error> {
/// let mut client = Client::new(Options::new("smtp://me:secret@mail.example.com")?);
/// let content = "Subject: hello\r\n\r\nHello!\r\n";
/// let outcome = client.send(Message::new("me@example.com", ["you@example.org"], content)?).into_result()?;
/// println!("queued as {:?}", outcome.queue_id());
/// client.close();
/// # Ok(())
/// # }
/// ```
pub struct Client {
    courier: Courier,
    socket: Option<Socket>,
    clock: Instant,
    buffer: Vec<u8>,
    #[cfg(feature = "rustls")]
    trust: Option<Trust>,
}

/// How much is read at once.
const BUFFER: usize = 64 << 10;

impl Client {
    /// A client for the server of `options`. Nothing is opened before it is needed.
    pub fn new(options: impl Into<Arc<Options>>) -> Self {
        Self {
            courier: Courier::new(options.into()),
            socket: None,
            clock: Instant::now(),
            buffer: Vec::new(),
            #[cfg(feature = "rustls")]
            trust: None,
        }
    }

    /// Connects, if there is no session yet, and says what the server is like.
    ///
    /// [`send`](Self::send) does this by itself.
    pub fn connect(&mut self) -> Result<&ServerInfo, Error> {
        self.courier.begin(Goal::Ready);
        self.drive(&mut std::iter::empty());
        if self.courier.info().is_none() {
            return Err(self.courier.take_error());
        }
        self.courier.info().ok_or_else(|| Error::new(ErrorCode::ConnectLost, "the session has ended").at(Step::Idle))
    }

    /// What is known of the server, while there is a session.
    pub fn server_info(&self) -> Option<&ServerInfo> {
        self.courier.info()
    }

    /// What was learnt of the server, also if the session has ended or never came to be: of one whose certificate does not
    /// verify for instance, which it is and why.
    pub fn last_server_info(&self) -> Option<&ServerInfo> {
        self.courier.last_info()
    }

    /// Sends a message, and waits for its outcome. There always is one, for each recipient, also where the server could
    /// not be reached; [`Outcome::into_result`] makes an error of all but `accepted`.
    #[must_use = "the message may not have been accepted"]
    pub fn send(&mut self, message: Message) -> Outcome {
        self.send_many([message]).next().expect("each message that the courier takes has one outcome")
    }

    /// Sends messages as they come from `messages`, so that the connection waits no more than it has to, and gives their
    /// outcomes as they come. [`Outcome::message`] is the number of the message in this call, from 0.
    ///
    /// Messages are taken before the outcomes of earlier ones are known: one ahead at
    /// [`Pipelining::Session`](crate::Pipelining::Session), many at [`Pipelining::Streaming`](crate::Pipelining::Streaming).
    /// When the iterator is dropped early, those whose outcome has not been told are cancelled.
    ///
    /// Messages share a failure to get a session for some seconds, a refusal of the server (of the credentials for instance)
    /// until the end of the call: a thousand messages are not a thousand attempts to log in.
    pub fn send_many<I>(&mut self, messages: I) -> SendMany<'_, I::IntoIter>
    where
        I: IntoIterator<Item = Message>,
    {
        self.courier.begin(Goal::Outcomes);
        SendMany { client: self, messages: messages.into_iter() }
    }

    /// Asks the server something: NOOP, VRFY, EXPN, HELP or RSET.
    pub fn command(&mut self, query: Query) -> Result<Reply, Error> {
        self.courier.begin_query(query);
        self.drive(&mut std::iter::empty());
        self.courier.take_reply()
    }

    /// Ends the session with QUIT, if there is one. The client can be used again.
    ///
    /// A client that is dropped ends its session without a word, which servers take well.
    pub fn close(&mut self) {
        self.courier.begin(Goal::Closed);
        self.drive(&mut std::iter::empty());
    }

    /// Does what the courier needs, until the next outcome.
    fn drive(&mut self, messages: &mut impl Iterator<Item = Message>) -> Option<Outcome> {
        if let Some(outcome) = self.courier.next_told() {
            return Some(outcome);
        }
        let mut now = self.clock.elapsed();
        loop {
            match self.courier.step(&mut self.socket, now) {
                Need::Outcome(outcome) => return Some(outcome),
                Need::Message => match messages.next() {
                    Some(mut message) => match message.content.open() {
                        Ok(()) => self.courier.take(message, now),
                        Err(error) => self.courier.take_unreadable(message, &error, now),
                    },
                    None => self.courier.no_more(),
                },
                Need::Connection { until } => {
                    self.socket = None;
                    self.connect_within(until.saturating_sub(now));
                    now = self.clock.elapsed();
                }
                Need::Content(message, mut loan) => {
                    let result = loan.read();
                    now = self.clock.elapsed();
                    self.courier.content_read(message, Some(loan), result);
                }
                Need::Token => {
                    let token = match &self.courier.options().token {
                        Some(source) => source.get(),
                        None => Err(Error::new(ErrorCode::AuthToken, "no token was given").at(Step::Auth)),
                    };
                    now = self.clock.elapsed();
                    self.courier.token(now, token);
                }
                Need::Wait { writing, deadline } => now = self.wait(writing, deadline, now),
                Need::Done => {
                    if !self.courier.has_session() {
                        self.socket = None;
                    }
                    return None;
                }
            }
        }
    }

    fn connect_within(&mut self, within: Duration) {
        let connected = self.load_trust().and_then(|()| connect::connect(self.courier.options(), within));
        let now = self.clock.elapsed();
        match connected {
            #[cfg_attr(not(feature = "rustls"), expect(unused_mut))]
            Ok((socket, mut opened)) => {
                #[cfg(feature = "rustls")]
                {
                    opened.trust = self.trust.clone();
                }
                self.socket = Some(socket);
                self.courier.connected(opened, now);
            }
            Err(error) => self.courier.not_connected(error, now),
        }
    }

    #[cfg(feature = "rustls")]
    fn load_trust(&mut self) -> Result<(), Error> {
        let options = self.courier.options();
        if self.trust.is_none() && options.tls != crate::Tls::None {
            self.trust = Some(Trust::load(&options.trust)?);
        }
        Ok(())
    }

    #[cfg(not(feature = "rustls"))]
    fn load_trust(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Waits, and says what time it is then.
    fn wait(&mut self, writing: bool, deadline: Option<Duration>, now: Duration) -> Duration {
        let within = deadline.map(|deadline| deadline.saturating_sub(now));
        if self.buffer.is_empty() {
            self.buffer = vec![0; BUFFER];
        }
        let result = match &mut self.socket {
            Some(socket) if writing => socket.wait_for_both(within).and_then(|()| socket.try_read(&mut self.buffer)),
            Some(socket) => socket.read(&mut self.buffer, within),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        let now = self.clock.elapsed();
        match result {
            Ok(length) => self.courier.receive(now, self.buffer.get(..length).unwrap_or_default()),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                if deadline.is_some_and(|deadline| deadline <= now) {
                    self.courier.deadline_passed(now);
                }
            }
            Err(error) => self.courier.broken(&error),
        }
        now
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("options", self.courier.options())
            .field("connected", &self.courier.has_session())
            .finish_non_exhaustive()
    }
}

/// The outcomes of messages that are being sent: see [`Client::send_many`].
#[must_use = "nothing is sent before the iterator is asked"]
#[derive(Debug)]
pub struct SendMany<'a, I> {
    client: &'a mut Client,
    messages: I,
}

impl<I: Iterator<Item = Message>> Iterator for SendMany<'_, I> {
    type Item = Outcome;

    fn next(&mut self) -> Option<Outcome> {
        self.client.drive(&mut self.messages)
    }
}

impl<I: Iterator<Item = Message>> FusedIterator for SendMany<'_, I> {}

impl<I> Drop for SendMany<'_, I> {
    fn drop(&mut self) {
        self.client.courier.abandon(self.client.clock.elapsed());
        if !self.client.courier.has_session() {
            self.client.socket = None;
        }
    }
}
