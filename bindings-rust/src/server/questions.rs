//! What the handler is finding out.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use okuru_core::server::{Answer, QuestionId};
use okuru_core::syntax::{EnhancedCode, Reply, ReplyCode};

type Finding<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// What the handler is finding out for one session, all at a time.
#[derive(Default)]
pub(super) struct Questions<'a> {
    open: Vec<Open<'a>>,
    answered: Vec<(QuestionId, Answer)>,
}

struct Open<'a> {
    id: QuestionId,
    /// Whether it is about a whole message, and goes on when the client has gone.
    is_message: bool,
    finding: Finding<'a>,
}

impl<'a> Questions<'a> {
    pub(super) fn ask(&mut self, id: QuestionId, is_message: bool, finding: impl Future<Output = Answer> + Send + 'a) {
        self.open.push(Open { id, is_message, finding: Box::pin(finding) });
    }

    /// What has been found out.
    pub(super) fn next_answer(&mut self) -> Option<(QuestionId, Answer)> {
        self.answered.pop()
    }

    /// Whether something has been found out.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let answered = &mut self.answered;
        self.open.retain_mut(|open| match guarded(|| open.finding.as_mut().poll(context)) {
            Some(Poll::Pending) => true,
            Some(Poll::Ready(answer)) => {
                answered.push((open.id, answer));
                false
            }
            None => {
                answered.push((open.id, broken()));
                false
            }
        });
        if self.answered.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Waits for `future`, and goes on finding out.
    pub(super) async fn meanwhile<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        poll_fn(|context| {
            if !self.open.is_empty() {
                let _ = self.poll(context);
            }
            future.as_mut().poll(context)
        })
        .await
    }

    /// Nobody waits for answers any more. What is being done about whole messages is brought to its end, the rest dropped.
    pub(super) async fn finish(&mut self) {
        self.open.retain(|open| open.is_message);
        poll_fn(|context| {
            if !self.open.is_empty() {
                let _ = self.poll(context);
            }
            if self.open.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// The same future; nothing once it has panicked.
pub(super) async fn unpanicking<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| match guarded(|| future.as_mut().poll(context)) {
        Some(polled) => polled.map(Some),
        None => Poll::Ready(None),
    })
    .await
}

/// Nobody looks at what `action` has left behind: the future is dropped, and the session ends.
fn guarded<T>(action: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(action)).ok()
}

/// What the client is told when a handler has panicked.
pub(super) fn broken() -> Answer {
    Answer::ReplyAndClose(reply(421, 3, 0, "Something has gone wrong here, try again later"))
}

/// A reply whose enhanced code is of the same class.
pub(super) fn reply(code: u16, subject: u16, detail: u16, text: &str) -> Reply {
    let class = u8::try_from(code / 100).unwrap_or(4);
    let code = ReplyCode::new(code).expect("only codes are written here");
    Reply::new(code, Some(EnhancedCode { class, subject, detail }), text)
}
