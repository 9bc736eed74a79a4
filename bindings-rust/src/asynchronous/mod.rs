//! The client for tokio.

mod connect;
mod pending;
mod stream;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use okuru_core::client::{Envelope, Outcome, Query};
use okuru_core::syntax::Reply;
use okuru_core::{Error, ErrorCode, Step};
use tokio::time::Instant;

use self::pending::{GettingToken, Opening, Reading, open};
use self::stream::InTask;
use crate::alarm::Alarm;
use crate::courier::{Courier, Goal, Need, Opened};
use crate::message::Message;
use crate::options::Options;
use crate::server_info::ServerInfo;
#[cfg(feature = "rustls")]
use crate::tls::Trust;
use crate::transport::Transport;

/// One session with one server, for tokio: opened when it is needed and kept open.
///
/// A session that the server has closed in the meantime is opened again without a word, and costs no message. For
/// several sessions at a time make several clients. There is no task behind it: everything happens in the futures that the
/// methods give. A future that is dropped cancels what it was doing, and leaves the session clean, or closed where the
/// content of a message was under way.
///
/// ```no_run
/// use okuru::{Client, Message, Options};
///
/// # async fn example() -> Result<(), okuru::Error> {
/// let mut client = Client::new(Options::new("smtp://me:secret@mail.example.com")?);
/// let content = "Subject: hello\r\n\r\nHello!\r\n";
/// let outcome = client.send(Message::new("me@example.com", ["you@example.org"], content)?).await.into_result()?;
/// println!("queued as {:?}", outcome.queue_id());
/// client.close().await;
/// # Ok(())
/// # }
/// ```
pub struct Client {
    courier: Courier,
    stream: Option<stream::Stream>,
    clock: Instant,
    buffer: Vec<u8>,
    alarm: Alarm,
    waits: Waits,
    #[cfg(feature = "rustls")]
    trust: Option<Trust>,
}

/// What a call waits for, beside the socket.
#[derive(Default)]
struct Waits {
    connecting: Option<Connecting>,
    opening: Option<(Arc<Envelope>, Opening)>,
    reading: Option<Reading>,
    token: Option<GettingToken>,
    /// The user may have more messages, but none yet.
    starved: bool,
}

type Connecting = Pin<Box<dyn Future<Output = Result<(stream::Stream, Opened), Error>> + Send>>;

/// How much is read at once.
const BUFFER: usize = 64 << 10;

impl Client {
    /// A client for the server of `options`. Nothing is opened before it is needed.
    pub fn new(options: impl Into<Arc<Options>>) -> Self {
        Self {
            courier: Courier::new(options.into()),
            stream: None,
            clock: Instant::now(),
            buffer: Vec::new(),
            alarm: Alarm::default(),
            waits: Waits::default(),
            #[cfg(feature = "rustls")]
            trust: None,
        }
    }

    /// Connects, if there is no session yet, and says what the server is like.
    ///
    /// [`send`](Self::send) does this by itself.
    pub async fn connect(&mut self) -> Result<&ServerInfo, Error> {
        self.courier.begin(Goal::Ready);
        Call { client: self }.run().await;
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
    pub async fn send(&mut self, message: Message) -> Outcome {
        self.courier.begin(Goal::Outcomes);
        let mut call = Call { client: self };
        let mut messages = Once(Some(message));
        let outcome = poll_fn(|context| call.poll(context, Pin::new(&mut messages))).await;
        outcome.expect("each message that the courier takes has one outcome")
    }

    /// Sends messages as they come from `messages`, so that the connection waits no more than it has to, and gives their
    /// outcomes as they come. [`Outcome::message`] is the number of the message in this call, from 0.
    ///
    /// Messages are taken before the outcomes of earlier ones are known: one ahead at
    /// [`Pipelining::Session`](crate::Pipelining::Session), many at [`Pipelining::Streaming`](crate::Pipelining::Streaming).
    /// When the stream of outcomes is dropped early, messages whose outcome has not been told are cancelled.
    ///
    /// Messages share a failure to get a session for some seconds, a refusal of the server (of the credentials for instance)
    /// until the end of the call: a thousand messages are not a thousand attempts to log in.
    ///
    /// ```no_run
    /// # async fn example(client: &mut okuru::Client, messages: Vec<okuru::Message>) {
    /// let mut outcomes = client.send_many(futures_util::stream::iter(messages));
    /// while let Some(outcome) = outcomes.next().await {
    ///     println!("{}: {}", outcome.message.0, outcome.summary());
    /// }
    /// # }
    /// ```
    pub fn send_many<S: Stream<Item = Message>>(&mut self, messages: S) -> SendMany<'_, S> {
        self.courier.begin(Goal::Outcomes);
        SendMany { call: Call { client: self }, messages: Box::pin(messages) }
    }

    /// Asks the server something: NOOP, VRFY, EXPN, HELP or RSET.
    pub async fn command(&mut self, query: Query) -> Result<Reply, Error> {
        self.courier.begin_query(query);
        Call { client: self }.run().await;
        self.courier.take_reply()
    }

    /// Ends the session with QUIT, if there is one. The client can be used again.
    ///
    /// A client that is dropped ends its session without a word, which servers take well.
    pub async fn close(&mut self) {
        self.courier.begin(Goal::Closed);
        Call { client: self }.run().await;
    }

    /// Does what the courier needs, until the next outcome.
    fn poll_next<S: Stream<Item = Message>>(
        &mut self,
        context: &mut Context<'_>,
        mut messages: Pin<&mut S>,
    ) -> Poll<Option<Outcome>> {
        if let Some(outcome) = self.courier.next_told() {
            return Poll::Ready(Some(outcome));
        }
        let mut now = self.clock.elapsed();
        if std::mem::take(&mut self.waits.starved) {
            self.courier.maybe_more();
        }
        loop {
            let need = match &mut self.stream {
                Some(stream) => self.courier.step(&mut InTask { stream, context }, now),
                None => self.courier.step(&mut Unconnected, now),
            };
            match need {
                Need::Outcome(outcome) => return Poll::Ready(Some(outcome)),
                Need::Message => match self.waits.poll_message(context, messages.as_mut()) {
                    Poll::Ready(Some((message, Ok(())))) => self.courier.take(message, now),
                    Poll::Ready(Some((message, Err(error)))) => self.courier.take_unreadable(message, &error, now),
                    Poll::Ready(None) => self.courier.no_more(),
                    Poll::Pending => {
                        self.courier.no_more();
                        self.waits.starved = true;
                    }
                },
                Need::Connection { until } => {
                    self.stream = None;
                    let connected = match self.poll_connect(context, until.saturating_sub(now)) {
                        Poll::Ready(connected) => connected,
                        Poll::Pending => return Poll::Pending,
                    };
                    now = self.clock.elapsed();
                    match connected {
                        Ok(opened) => self.courier.connected(opened, now),
                        Err(error) => self.courier.not_connected(error, now),
                    }
                }
                Need::Content(message, loan) => self.waits.reading = Some(Reading::begin(message, loan)),
                Need::Token => {
                    self.waits.token = Some(GettingToken::begin(self.courier.options().token.as_ref()));
                }
                Need::Wait { deadline, .. } => match self.poll_wait(context, deadline) {
                    Poll::Ready(then) => now = then,
                    Poll::Pending => return Poll::Pending,
                },
                Need::Done if self.waits.starved => return Poll::Pending,
                Need::Done => return Poll::Ready(None),
            }
        }
    }

    /// Opens a connection. `within` counts from the first time that this is asked.
    fn poll_connect(&mut self, context: &mut Context<'_>, within: Duration) -> Poll<Result<Opened, Error>> {
        let connecting = self.waits.connecting.get_or_insert_with(|| {
            let options = Arc::clone(self.courier.options());
            #[cfg(feature = "rustls")]
            let trust = self.trust.clone();
            Box::pin(async move {
                #[cfg(feature = "rustls")]
                let trust = match trust {
                    None if options.tls != crate::Tls::None => Some(load_trust(&options).await?),
                    trust => trust,
                };
                #[cfg_attr(not(feature = "rustls"), expect(unused_mut))]
                let (stream, mut opened) = connect::connect(options, within).await?;
                #[cfg(feature = "rustls")]
                {
                    opened.trust = trust;
                }
                Ok((stream, opened))
            })
        });
        let connected = ready!(connecting.as_mut().poll(context));
        self.waits.connecting = None;
        Poll::Ready(connected.map(|(stream, opened)| {
            #[cfg(feature = "rustls")]
            {
                self.trust.clone_from(&opened.trust);
            }
            self.stream = Some(stream);
            opened
        }))
    }

    /// Waits until something has happened, and gives the time then.
    fn poll_wait(&mut self, context: &mut Context<'_>, deadline: Option<Duration>) -> Poll<Duration> {
        if self.buffer.is_empty() {
            self.buffer = vec![0; BUFFER];
        }
        let read = match &mut self.stream {
            Some(stream) => stream.poll_read(context, &mut self.buffer),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        };
        match read {
            Poll::Ready(Ok(length)) => {
                let now = self.clock.elapsed();
                self.courier.receive(now, self.buffer.get(..length).unwrap_or_default());
                return Poll::Ready(now);
            }
            Poll::Ready(Err(error)) => {
                self.courier.broken(&error);
                return Poll::Ready(self.clock.elapsed());
            }
            Poll::Pending => {}
        }
        if let Some(reading) = &mut self.waits.reading
            && let Poll::Ready((loan, result)) = reading.poll(context)
        {
            self.courier.content_read(reading.message, loan, result);
            self.waits.reading = None;
            return Poll::Ready(self.clock.elapsed());
        }
        if let Some(token) = &mut self.waits.token
            && let Poll::Ready(token) = token.poll(context)
        {
            let now = self.clock.elapsed();
            self.waits.token = None;
            self.courier.token(now, token);
            return Poll::Ready(now);
        }
        if let Some(deadline) = deadline
            && self.alarm.poll(context, self.clock, deadline).is_ready()
        {
            let now = self.clock.elapsed().max(deadline);
            self.courier.deadline_passed(now);
            return Poll::Ready(now);
        }
        Poll::Pending
    }
}

#[cfg(feature = "rustls")]
async fn load_trust(options: &Arc<Options>) -> Result<Trust, Error> {
    let options = Arc::clone(options);
    let loaded = tokio::task::spawn_blocking(move || Trust::load(&options.trust)).await;
    loaded.unwrap_or_else(|error| Err(Error::new(ErrorCode::TlsConfiguration, format!("TLS can't be set up: {error}"))))
}

impl Waits {
    /// The user's next message, once its file has been opened, if it has one.
    fn poll_message<S: Stream<Item = Message>>(
        &mut self,
        context: &mut Context<'_>,
        messages: Pin<&mut S>,
    ) -> Poll<Option<(Message, io::Result<()>)>> {
        if self.opening.is_none() {
            match ready!(messages.poll_next(context)) {
                Some(message) if message.content.is_closed_file() => {
                    let envelope = Arc::clone(message.envelope());
                    self.opening = Some((envelope, open(message)));
                }
                message => return Poll::Ready(message.map(|message| (message, Ok(())))),
            }
        }
        let Some((envelope, opening)) = &mut self.opening else {
            return Poll::Ready(None);
        };
        let opened = ready!(Pin::new(opening).poll(context));
        let opened =
            opened.unwrap_or_else(|error| (Message::with_envelope(Arc::clone(envelope), ""), Err(error.into())));
        self.opening = None;
        Poll::Ready(Some(opened))
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
#[must_use = "nothing is sent before the stream is asked"]
pub struct SendMany<'a, S> {
    call: Call<'a>,
    messages: Pin<Box<S>>,
}

impl<S: Stream<Item = Message>> SendMany<'_, S> {
    /// The next outcome. Nothing is lost when this future is dropped.
    pub async fn next(&mut self) -> Option<Outcome> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl<S: Stream<Item = Message>> Stream for SendMany<'_, S> {
    type Item = Outcome;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Outcome>> {
        let this = self.get_mut();
        this.call.poll(context, this.messages.as_mut())
    }
}

impl<S> fmt::Debug for SendMany<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendMany").field("client", &*self.call.client).finish_non_exhaustive()
    }
}

/// A call of the user. What it has not finished is cancelled when it is dropped.
struct Call<'a> {
    client: &'a mut Client,
}

impl Call<'_> {
    fn poll<S: Stream<Item = Message>>(
        &mut self,
        context: &mut Context<'_>,
        messages: Pin<&mut S>,
    ) -> Poll<Option<Outcome>> {
        self.client.poll_next(context, messages)
    }

    /// Goes on until there is nothing more to do.
    async fn run(mut self) {
        let mut none = Once(None);
        while poll_fn(|context| self.poll(context, Pin::new(&mut none))).await.is_some() {}
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let client = &mut *self.client;
        client.waits = Waits::default();
        client.courier.abandon(client.clock.elapsed());
        if !client.courier.has_session() {
            client.stream = None;
        }
    }
}

/// At most one message.
struct Once(Option<Message>);

impl Stream for Once {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Message>> {
        Poll::Ready(self.0.take())
    }
}

/// Nothing can be read or written before there is a connection.
struct Unconnected;

impl Transport for Unconnected {
    fn try_read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::NotConnected.into())
    }

    fn try_write(&mut self, _: &[io::IoSlice<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::NotConnected.into())
    }
}
