//! Many messages, many servers, on tokio.
//!
//! A [`Mailer`] keeps as many connections as it needs and may have, tries the next relay where one fails, finds the servers of a
//! domain in the DNS, keeps to rates, and tries again later what was deferred, if it is to.
//!
//! ```no_run
//! use okuru::mailer::{DirectOptions, Mailer, MailerOptions, Rate, Relay, Retry, Way};
//! use okuru::{Message, Options};
//!
//! # async fn example() -> Result<(), okuru::Error> {
//! let mailer = Mailer::relay(Options::new("smtp://me:secret@mail.example.com")?)?;
//! let outcome = mailer.send(Message::new("me@example.com", ["you@example.org"], "Subject: hello\r\n\r\n")?).await;
//! println!("{}", outcome.summary());
//! mailer.stop().await;
//!
//! // Directly, and by a relay where nobody wants mail from us; patiently.
//! let relay = Relay::new(Options::new("smtp://me:secret@mail.example.com")?).rate(Rate::per_second(10));
//! let options = MailerOptions::new(Way::direct_then(relay))
//!     .direct(DirectOptions::new().session(|session| session.connect_timeout(std::time::Duration::from_secs(10))))
//!     .retry(Retry::default());
//! let mailer = Mailer::new(options)?;
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//!
//! What goes where, when and over what is decided by [`okuru_core::delivery::Mailer`], a machine without sockets. One task owns it
//! and all connections, and does what it says; the handles talk to that task. Each connection has a waker of its own, so that
//! a thousand idle ones cost nothing.

mod call;
mod driver;
mod letter;
mod link;
mod options;
#[cfg(feature = "dns")]
mod resolver;
mod rounds;
mod send_many;
mod side;
mod woken;

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_core::Stream;
use okuru_core::client::Outcome;
pub use okuru_core::delivery::dispatcher::{
    Backoff, Capacity, Config as Limits, Event as Progress, HostPolicy, Metrics, Quota, Rate, Retry, Totals, Tried,
    WarmUp,
};
pub use okuru_core::delivery::mailer::{ConnectionId, Event};
pub use okuru_core::delivery::route::{
    Config as RouteConfig, Families, Host as RouteHost, Ourselves, Resolution, Skipped, Verdict,
};
use okuru_core::{Error, ErrorCode};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use self::call::Submission;
pub use self::call::{Attempt, Journal};
use self::driver::{Driver, Ends, Order};
pub use self::options::{DirectOptions, MailerOptions, PopLogin, Relay, Way};
#[cfg(feature = "dns")]
pub use self::resolver::Resolver;
pub use self::send_many::SendMany;
use crate::message::Message;

/// Sends many messages over many connections to many servers. See the [module](self).
///
/// It is a handle: clones share everything. When the last one is dropped, all connections are closed without a word, and
/// what was not finished is not told of any more; [`stop`](Self::stop) ends it gracefully.
#[derive(Clone)]
pub struct Mailer {
    shared: Arc<Shared>,
}

struct Shared {
    orders: mpsc::UnboundedSender<Order>,
    submissions: mpsc::Sender<Submission>,
    metrics: Arc<Mutex<Metrics>>,
    calls: AtomicU64,
}

/// Messages that are on their way to the task that takes them; those it has are counted by itself.
const ON_THE_WAY: usize = 64;

impl Mailer {
    /// A mailer, in the runtime that this is called in. Nothing is opened before it is needed.
    ///
    /// # Errors
    ///
    /// `usage` outside of a runtime of tokio, or if the options make no sense.
    pub fn new(options: impl Into<MailerOptions>) -> Result<Self, Error> {
        let options = options.into();
        let what = "a mailer needs a runtime of tokio";
        let runtime = Handle::try_current().map_err(|_| Error::new(ErrorCode::Usage, what))?;
        let (config, sides) = options.build()?;
        let (orders, ordered) = mpsc::unbounded_channel();
        let (submissions, submitted) = mpsc::channel(ON_THE_WAY);
        let metrics = Arc::new(Mutex::new(Metrics::default()));
        let ends = Ends { orders: ordered, submissions: submitted, metrics: Arc::clone(&metrics) };
        let driver = Driver::new(config, sides, ends)?.with(options.deadline, options.observer.clone());
        #[cfg(feature = "dns")]
        let driver = driver.asking(match (options.is_direct(), options.dns()) {
            (false, _) => None,
            (true, None) => Some(Resolver::system()?),
            (true, Some(server)) => Some(Resolver::server(server)?),
        });
        // How long it may go on is its own business, among its many connections.
        runtime.spawn(tokio::task::unconstrained(driver.run()));
        Ok(Self { shared: Arc::new(Shared { orders, submissions, metrics, calls: AtomicU64::new(0) }) })
    }

    /// All mail goes to this relay.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn relay(relay: impl Into<Relay>) -> Result<Self, Error> {
        Self::new(Way::relay(relay))
    }

    /// All mail goes to the first of these relays that works.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn relays<R: Into<Relay>>(relays: impl IntoIterator<Item = R>) -> Result<Self, Error> {
        Self::new(Way::relays(relays))
    }

    /// All mail goes to the servers of each recipient's domain.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    #[cfg(feature = "dns")]
    pub fn direct(options: DirectOptions) -> Result<Self, Error> {
        Self::new(MailerOptions::new(Way::direct()).direct(options))
    }

    /// Sends a message, and waits for its outcome. There always is one, for each recipient. A future that is dropped cancels
    /// the message, as far as it has not been sent.
    #[must_use = "the message may not have been accepted"]
    pub async fn send(&self, message: Message) -> Outcome {
        let envelope = Arc::clone(message.envelope());
        let mut outcomes = pin!(self.send_many(Once(Some(message))));
        let outcome = poll_fn(|context| outcomes.as_mut().poll_next(context)).await;
        outcome.unwrap_or_else(|| call::stopped(&Message::with_envelope(envelope, "")))
    }

    /// Sends messages as they come from `messages`, and gives their outcomes as they come, in no order:
    /// [`Outcome::message`] is the number of the message in this call, from 0.
    ///
    /// No more messages are taken than keep the connections busy; what is deferred waits without keeping others back. When
    /// the stream of outcomes is dropped early, messages whose outcome has not been told are cancelled.
    pub fn send_many<S: Stream<Item = Message>>(&self, messages: S) -> SendMany<S> {
        let call = self.shared.calls.fetch_add(1, Ordering::Relaxed);
        SendMany::new(call, messages, self.shared.submissions.clone(), self.shared.orders.clone())
    }

    /// How things stand.
    pub fn metrics(&self) -> Metrics {
        *self.shared.metrics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins no message any more: what is on its way is finished, the rest deferred; then every session ends with QUIT. Waits for
    /// all that. Messages that come later are deferred.
    pub async fn stop(&self) {
        let (stopped, over) = oneshot::channel();
        // If the task is gone already, all is over.
        if self.shared.orders.send(Order::Stop(stopped)).is_ok() {
            let _ = over.await;
        }
    }
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").field("metrics", &self.metrics()).finish_non_exhaustive()
    }
}

/// At most one message.
struct Once(Option<Message>);

impl Stream for Once {
    type Item = Message;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Message>> {
        std::task::Poll::Ready(self.0.take())
    }
}
