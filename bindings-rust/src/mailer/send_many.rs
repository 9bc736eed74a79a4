//! Messages that come as a stream, and their outcomes.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use okuru_core::client::{MessageId, Outcome};
use tokio::sync::mpsc::error::SendError;
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::task::JoinHandle;

use super::call::{Call, Journal, Submission, Unreadable, stopped};
use super::driver::Order;
use crate::message::Message;
use crate::session::unreadable;

/// The outcomes of messages that are being sent: see [`Mailer::send_many`](super::Mailer::send_many).
#[must_use = "nothing is sent before the stream is asked"]
pub struct SendMany<S> {
    messages: Pin<Box<S>>,
    taken: u64,
    /// Messages whose outcome has not been told.
    open: u64,
    id: u64,
    /// Until all messages have been handed over: from then on the mailer alone can tell of outcomes.
    call: Option<Arc<Call>>,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
    submissions: mpsc::Sender<Submission>,
    orders: mpsc::UnboundedSender<Order>,
    place: Place,
}

/// A place among the messages that are on their way to the mailer.
enum Place {
    None,
    Awaited(Pin<Box<dyn Future<Output = Permit> + Send>>),
    Here(OwnedPermit<Submission>),
    /// A file is being opened before the message takes it.
    Opening(OwnedPermit<Submission>, JoinHandle<Result<Message, Unreadable>>),
}

type Permit = Result<OwnedPermit<Submission>, SendError<()>>;

impl<S: Stream<Item = Message>> SendMany<S> {
    pub(super) fn new(
        id: u64,
        messages: S,
        submissions: mpsc::Sender<Submission>,
        orders: mpsc::UnboundedSender<Order>,
    ) -> Self {
        let (told, outcomes) = mpsc::unbounded_channel();
        Self {
            messages: Box::pin(messages),
            taken: 0,
            open: 0,
            id,
            call: Some(Arc::new(Call { id, outcomes: told, journal: None })),
            outcomes,
            submissions,
            orders,
            place: Place::None,
        }
    }

    /// Has `journal` keep books. To be said before the first outcome is asked for.
    pub fn journal(mut self, journal: Arc<dyn Journal>) -> Self {
        if let Some(call) = &self.call {
            let outcomes = call.outcomes.clone();
            self.call = Some(Arc::new(Call { id: self.id, outcomes, journal: Some(journal) }));
        }
        self
    }

    /// The next outcome. Nothing is lost when this future is dropped.
    pub async fn next(&mut self) -> Option<Outcome> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Hands messages over, as long as there are some and the mailer takes them. Ready when there are no more.
    fn poll_submit(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Some(call) = &self.call {
            let call = Arc::clone(call);
            match std::mem::replace(&mut self.place, Place::None) {
                Place::None => {
                    let submissions = self.submissions.clone();
                    self.place = match submissions.try_reserve_owned() {
                        Ok(permit) => Place::Here(permit),
                        Err(_) => Place::Awaited(Box::pin(self.submissions.clone().reserve_owned())),
                    };
                }
                Place::Awaited(mut permit) => match permit.as_mut().poll(context) {
                    Poll::Ready(Ok(permit)) => self.place = Place::Here(permit),
                    Poll::Ready(Err(_)) => ready!(self.refuse(&call, context)),
                    Poll::Pending => {
                        self.place = Place::Awaited(permit);
                        return Poll::Pending;
                    }
                },
                Place::Here(permit) => match self.messages.as_mut().poll_next(context) {
                    Poll::Ready(Some(message)) if message.content.is_closed_file() => {
                        self.place = Place::Opening(permit, open(message));
                    }
                    Poll::Ready(Some(message)) => self.submit(call, permit, Ok(message)),
                    Poll::Ready(None) => self.end(),
                    Poll::Pending => {
                        self.place = Place::Here(permit);
                        return Poll::Pending;
                    }
                },
                Place::Opening(permit, mut opening) => match Pin::new(&mut opening).poll(context) {
                    Poll::Ready(Ok(message)) => self.submit(call, permit, message),
                    // The thread is gone, and the message with it, since the runtime ends.
                    Poll::Ready(Err(_)) => self.end(),
                    Poll::Pending => {
                        self.place = Place::Opening(permit, opening);
                        return Poll::Pending;
                    }
                },
            }
        }
        Poll::Ready(())
    }

    /// There are no more messages.
    fn end(&mut self) {
        self.call = None;
    }

    fn submit(&mut self, call: Arc<Call>, permit: OwnedPermit<Submission>, message: Result<Message, Unreadable>) {
        let index = MessageId(self.taken);
        self.taken += 1;
        self.open += 1;
        permit.send(Submission { call, index, message });
    }

    /// Nobody takes messages any more: each has its outcome at once.
    fn refuse(&mut self, call: &Call, context: &mut Context<'_>) -> Poll<()> {
        match ready!(self.messages.as_mut().poll_next(context)) {
            Some(message) => {
                let index = MessageId(self.taken);
                self.taken += 1;
                self.open += 1;
                call.tell(index, stopped(&message));
            }
            None => self.end(),
        }
        Poll::Ready(())
    }
}

impl<S: Stream<Item = Message>> Stream for SendMany<S> {
    type Item = Outcome;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Outcome>> {
        let this = self.get_mut();
        // Outcomes that are there come before more messages, so that neither grows without bound.
        if let Poll::Ready(Some(outcome)) = this.outcomes.poll_recv(context) {
            this.open -= 1;
            return Poll::Ready(Some(outcome));
        }
        let submitted = this.poll_submit(context);
        if submitted.is_ready() && this.open == 0 {
            return Poll::Ready(None);
        }
        let told = ready!(this.outcomes.poll_recv(context));
        this.open -= u64::from(told.is_some());
        Poll::Ready(told)
    }
}

/// A file that is small is read; a large one is opened by each connection that needs it.
fn open(mut message: Message) -> JoinHandle<Result<Message, Unreadable>> {
    tokio::task::spawn_blocking(move || match message.content.share() {
        Ok(()) => Ok(message),
        Err(error) => Err(Unreadable { error: unreadable(&error), message }),
    })
}

impl<S> Drop for SendMany<S> {
    fn drop(&mut self) {
        if self.open > 0 {
            // If the mailer is gone, so are the messages.
            let _ = self.orders.send(Order::Abandon(self.id));
        }
    }
}

impl<S> fmt::Debug for SendMany<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendMany").field("taken", &self.taken).field("open", &self.open).finish_non_exhaustive()
    }
}
