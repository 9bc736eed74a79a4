//! One session: the machine, its socket, and what the handler is finding out for it.

use std::future::{Future, poll_fn};
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use okuru_core::server::{Answer, Event, MessageId, Output, Question, QuestionId, Received, Session};
use okuru_core::syntax::DecodedPiece;
use okuru_core::{Error, ErrorCode, Step};
use tokio::time::{Instant, timeout};

use super::buffers::{Buffer, Buffers};
use super::handler::Handler;
use super::link::Link;
use super::questions::{Questions, broken, unpanicking};
use super::stores::{Slot, Stores};
use super::tls::TlsConfig;
use super::visit::Visit;
use crate::alarm::Alarm;

/// What a session is served with.
pub(super) struct Surroundings<'a, H> {
    pub(super) handler: &'a H,
    pub(super) buffers: Buffers,
    pub(super) clock: Instant,
    /// Ready once the server is being stopped.
    pub(super) stopping: Pin<Box<dyn Future<Output = ()> + Send + 'a>>,
}

/// One session.
pub(super) struct Driver<'a, H: Handler> {
    around: Surroundings<'a, H>,
    session: Session,
    link: Link,
    tls: Option<TlsConfig>,
    /// How long a client may leave our words unread.
    patience: Duration,
    visit: Arc<Visit>,
    questions: Questions<'a>,
    stores: Stores<H::Store>,
    unsent: Vec<u8>,
    input: Input,
    alarm: Alarm,
    is_stopping: bool,
}

/// What has been read and not been taken yet. Nobody has a buffer while nothing is there.
#[derive(Default)]
struct Input {
    buffer: Option<Buffer>,
    length: usize,
    taken: usize,
    /// Where those begin that were handed in last.
    handed: usize,
    /// Whether the machine has had its chance since it last had something to say.
    is_offered: bool,
    has_ended: bool,
}

/// What has happened while there was nothing to do.
enum Woken {
    Answered,
    Read(io::Result<usize>),
    Deadline,
    Stopping,
}

/// What an idle connection keeps for its replies.
const KEPT: usize = 1024;

/// How long, and for how much, we go on reading when all has been said, so that the client gets our last words.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_OCTETS: usize = 1 << 20;

impl<'a, H: Handler> Driver<'a, H> {
    pub(super) fn new(
        around: Surroundings<'a, H>,
        session: Session,
        link: Link,
        tls: Option<TlsConfig>,
        patience: Duration,
        visit: Visit,
    ) -> Self {
        Self {
            around,
            session,
            link,
            tls,
            patience,
            visit: Arc::new(visit),
            questions: Questions::default(),
            stores: Stores::new(),
            unsent: Vec::new(),
            input: Input::default(),
            alarm: Alarm::default(),
            is_stopping: false,
        }
    }

    /// Serves the client to the end.
    pub(super) async fn run(mut self) {
        let closed = loop {
            while let Some((id, answer)) = self.questions.next_answer() {
                self.input.is_offered = false;
                self.session.answer(self.now(), id, answer);
            }
            match self.session.poll(self.now()) {
                Output::Write(bytes) if self.unsent.is_empty() => self.unsent = bytes,
                Output::Write(bytes) => self.unsent.extend_from_slice(&bytes),
                Output::Content { message, piece } => self.content(message, piece).await,
                Output::Discard { message } => self.questions.meanwhile(self.stores.discard(message)).await,
                Output::Ask { id, question } => self.ask(id, question),
                Output::StartTls => self.start_tls().await,
                Output::Event(event) => self.event(&event),
                Output::Wait { deadline, reads } => {
                    self.wait(deadline, reads).await;
                    continue;
                }
                Output::Closed(closed) => break closed,
            }
            self.input.is_offered = false;
        };
        self.close().await;
        self.around.handler.closed(&self.visit, &closed);
    }

    fn now(&self) -> Duration {
        self.around.clock.elapsed()
    }

    async fn content(&mut self, message: MessageId, piece: DecodedPiece) {
        if !self.stores.has(message) {
            let opening = unpanicking(self.around.handler.store(&self.visit, message));
            let slot = match self.questions.meanwhile(opening).await {
                Some(Ok(store)) => Slot::Open(store),
                Some(Err(reply)) => Slot::Closed(Answer::Reply(reply)),
                None => Slot::Closed(broken()),
            };
            self.stores.open(message, slot);
        }
        let piece = match &piece {
            DecodedPiece::Received(range) => self.input.piece(range.clone()),
            DecodedPiece::Added(bytes) => bytes,
        };
        self.questions.meanwhile(self.stores.write(message, piece)).await;
        if let Some(reply) = self.stores.refusal(message) {
            // If the content is all there already, the answer to the question about it says so.
            self.session.refuse_content(message, reply.clone());
        }
    }

    fn ask(&mut self, id: QuestionId, question: Question) {
        let (handler, visit) = (self.around.handler, Arc::clone(&self.visit));
        let questions = &mut self.questions;
        match question {
            Question::Connect => questions.ask(id, false, async move { handler.connect(&visit).await }),
            Question::Hello(hello) => questions.ask(id, false, async move { handler.hello(&visit, &hello).await }),
            Question::StartTls => questions.ask(id, false, async move { handler.starttls(&visit).await }),
            Question::Credentials(question) => {
                questions.ask(id, false, async move { handler.credentials(&visit, question).await });
            }
            Question::ActFor(user) => questions.ask(id, false, async move { handler.act_for(&visit, &user).await }),
            Question::ReversePath { path, parameters } => {
                questions.ask(id, false, async move { handler.reverse_path(&visit, &path, &parameters).await });
            }
            Question::ForwardPath(recipient) => {
                questions.ask(id, false, async move { handler.forward_path(&visit, &recipient).await });
            }
            Question::Data => questions.ask(id, false, async move { handler.data(&visit).await }),
            Question::Message(received) => match self.stores.take(received.message) {
                Some(Slot::Closed(answer)) => questions.ask(id, false, async move { answer }),
                Some(Slot::Open(store)) => {
                    questions.ask(id, true, async move { handler.message(&visit, *received, store).await });
                }
                // Not an octet of content.
                None => questions.ask(id, true, async move { store_empty(handler, &visit, *received).await }),
            },
            Question::Quit => questions.ask(id, false, async move { handler.quit(&visit).await }),
            // A question that is not known here can't be answered yes.
            _ => questions.ask(id, false, async move { Answer::Refuse }),
        }
    }

    async fn start_tls(&mut self) {
        if self.flush().await.is_err() {
            return;
        }
        if self.input.has_rest() {
            // What stands behind STARTTLS: the machine ends it.
            self.hand_in();
            return;
        }
        let Some(tls) = self.tls.clone() else {
            self.session.failed(Error::new(ErrorCode::TlsConfiguration, "there is no certificate").at(Step::StartTls));
            return;
        };
        let limit = match self.session.poll(self.now()) {
            Output::Wait { deadline: Some(deadline), .. } => deadline.saturating_sub(self.now()),
            _ => self.patience,
        };
        let started = timeout(limit, self.link.start_tls(&tls));
        match self.questions.meanwhile(started).await {
            Ok(Ok((info, details))) => {
                let visit = Arc::make_mut(&mut self.visit);
                (visit.tls, visit.hello, visit.user) = (Some(details), None, None);
                self.session.tls_started(self.now(), info);
            }
            Ok(Err(error)) => {
                let what = format!("the TLS handshake failed: {error}");
                self.session.failed(Error::new(ErrorCode::TlsHandshake, what).at(Step::StartTls));
            }
            Err(_) => {
                let what = "the TLS handshake did not end in time";
                self.session.failed(Error::new(ErrorCode::TimeoutTls, what).at(Step::StartTls));
            }
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Hello(hello) => Arc::make_mut(&mut self.visit).hello = Some(hello.clone()),
            Event::Authenticated(user) => Arc::make_mut(&mut self.visit).user = Some(user.clone()),
            _ => {}
        }
        self.around.handler.event(&self.visit, event);
    }

    /// The machine has nothing to do.
    async fn wait(&mut self, deadline: Option<Duration>, reads: bool) {
        // What has been found out at once goes in the same write.
        if poll_fn(|context| Poll::Ready(self.questions.poll(context))).await.is_ready() {
            return;
        }
        if reads && !self.input.is_offered {
            self.hand_in();
            return;
        }
        if !self.unsent.is_empty() {
            // What it says is known by the next call.
            let _ = self.flush().await;
            return;
        }
        let has_rest = self.input.has_rest();
        if !has_rest {
            let Input { is_offered, has_ended, .. } = self.input;
            self.input = Input { is_offered, has_ended, ..Input::default() };
        }
        match poll_fn(|context| self.poll_wait(context, deadline, reads && !has_rest)).await {
            Woken::Answered => {}
            Woken::Read(Ok(0)) => {
                self.input.has_ended = true;
                self.session.receive_eof(self.now());
            }
            Woken::Read(Ok(length)) => {
                self.input.length = length;
                self.hand_in();
            }
            Woken::Read(Err(error)) => self.lost(&error),
            Woken::Deadline => {
                // The timer may be ahead of the clock by what it rounds off.
                let now = self.now().max(deadline.unwrap_or_default());
                self.session.deadline_passed(now);
            }
            Woken::Stopping => {
                self.is_stopping = true;
                self.session.stop();
            }
        }
    }

    fn poll_wait(&mut self, context: &mut Context<'_>, deadline: Option<Duration>, reads: bool) -> Poll<Woken> {
        if self.questions.poll(context).is_ready() {
            return Poll::Ready(Woken::Answered);
        }
        if !self.is_stopping && self.around.stopping.as_mut().poll(context).is_ready() {
            return Poll::Ready(Woken::Stopping);
        }
        if reads && !self.input.has_ended {
            let mut buffer = self.around.buffers.take();
            if let Poll::Ready(read) = self.link.poll_read(context, &mut buffer) {
                self.input.buffer = Some(buffer);
                return Poll::Ready(Woken::Read(read));
            }
        }
        match deadline {
            Some(deadline) => self.alarm.poll(context, self.around.clock, deadline).map(|()| Woken::Deadline),
            None => Poll::Pending,
        }
    }

    fn hand_in(&mut self) {
        self.input.handed = self.input.taken;
        self.input.is_offered = true;
        let now = self.now();
        self.input.taken += self.session.receive(now, self.input.rest());
    }

    /// Sends what is to be sent. An error ends the session.
    async fn flush(&mut self) -> io::Result<()> {
        let unsent = mem::take(&mut self.unsent);
        let link = &mut self.link;
        let mut rest = unsent.as_slice();
        let sending = poll_fn(|context| {
            while !rest.is_empty() {
                let count = ready!(link.poll_write(context, rest))?;
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                rest = rest.get(count..).unwrap_or_default();
            }
            link.poll_flush(context)
        });
        let sent = match self.questions.meanwhile(timeout(self.patience, sending)).await {
            Ok(sent) => sent,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        if let Err(error) = &sent {
            self.lost(error);
        } else if unsent.capacity() <= KEPT {
            self.unsent = unsent;
            self.unsent.clear();
        }
        sent
    }

    fn lost(&mut self, error: &io::Error) {
        self.input.has_ended = true;
        self.session.failed(match error.kind() {
            io::ErrorKind::TimedOut => Error::new(ErrorCode::TimeoutWrite, "the client does not read what it is told"),
            _ => Error::new(ErrorCode::ConnectLost, format!("the connection broke: {error}")),
        });
    }

    /// All has been said. What is being done about whole messages is brought to its end.
    async fn close(&mut self) {
        let sent = self.flush().await;
        let link = &mut self.link;
        let has_ended = self.input.has_ended || sent.is_err();
        let mut buffer = self.around.buffers.take();
        let lingering = timeout(LINGER, async {
            poll_fn(|context| link.poll_shutdown(context)).await?;
            let mut left = if has_ended { 0 } else { LINGER_OCTETS };
            while left > 0 {
                match poll_fn(|context| link.poll_read(context, &mut buffer)).await? {
                    0 => break,
                    read => left = left.saturating_sub(read),
                }
            }
            io::Result::Ok(())
        });
        let _ = self.questions.meanwhile(lingering).await;
        self.questions.finish().await;
        self.stores.discard_all().await;
    }
}

impl Input {
    fn rest(&self) -> &[u8] {
        self.buffer.as_ref().and_then(|buffer| buffer.get(self.taken..self.length)).unwrap_or_default()
    }

    fn has_rest(&self) -> bool {
        self.taken < self.length
    }

    fn piece(&self, range: std::ops::Range<usize>) -> &[u8] {
        let handed = self.buffer.as_ref().and_then(|buffer| buffer.get(self.handed..self.length));
        handed.and_then(|handed| handed.get(range)).unwrap_or_default()
    }
}

/// A message without content.
async fn store_empty<H: Handler>(handler: &H, visit: &Visit, received: Received) -> Answer {
    match handler.store(visit, received.message).await {
        Ok(store) => handler.message(visit, received, store).await,
        Err(reply) => Answer::Reply(reply),
    }
}
