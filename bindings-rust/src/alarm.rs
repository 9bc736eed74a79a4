//! Waking a task in time.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Wakes the task at a deadline, or before: it is set anew only where that can't be avoided, since the deadline moves with
/// each reply.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    timer: Option<Pin<Box<Sleep>>>,
    /// For when it is set.
    at: Duration,
}

impl Alarm {
    /// Whether it is `deadline`, on a clock that began at `start`.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, start: Instant, deadline: Duration) -> Poll<()> {
        let Some(at) = start.checked_add(deadline) else {
            return Poll::Pending;
        };
        let timer = match &mut self.timer {
            Some(timer) => {
                if deadline < self.at || timer.is_elapsed() && self.at < deadline {
                    timer.as_mut().reset(at);
                    self.at = deadline;
                }
                timer
            }
            None => {
                self.at = deadline;
                self.timer.insert(Box::pin(sleep_until(at)))
            }
        };
        ready!(timer.as_mut().poll(context));
        if self.at < deadline {
            timer.as_mut().reset(at);
            self.at = deadline;
            return timer.as_mut().poll(context);
        }
        Poll::Ready(())
    }
}
