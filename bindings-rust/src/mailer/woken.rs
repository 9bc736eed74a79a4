//! Which connections have something to do: each has a waker of its own, so that nobody looks at a thousand to find one.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use okuru_core::delivery::mailer::ConnectionId;

/// The connections that have been woken.
#[derive(Debug, Default)]
pub(super) struct Woken(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    connections: Vec<ConnectionId>,
    task: Option<Waker>,
}

impl Woken {
    /// A waker for one connection. It may wake more often than is needed.
    pub(super) fn waker(self: &Arc<Self>, connection: ConnectionId) -> Waker {
        Arc::new(Doorbell { connection, woken: Arc::clone(self) }).into()
    }

    /// Wakes this task from now on.
    pub(super) fn wakes(&self, task: &Waker) {
        self.with(|state| match &mut state.task {
            Some(known) => known.clone_from(task),
            None => state.task = Some(task.clone()),
        });
    }

    /// Looks at this one again, before the task rests.
    pub(super) fn again(&self, connection: ConnectionId) {
        self.with(|state| state.connections.push(connection));
    }

    /// Moves those that have been woken to `into`.
    pub(super) fn take(&self, into: &mut Vec<ConnectionId>) {
        self.with(|state| into.append(&mut state.connections));
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Doorbell {
    connection: ConnectionId,
    woken: Arc<Woken>,
}

impl Wake for Doorbell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let task = self.woken.with(|state| {
            state.connections.push(self.connection);
            state.task.clone()
        });
        if let Some(task) = task {
            task.wake();
        }
    }
}
