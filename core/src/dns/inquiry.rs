//! What machines that ask the DNS have in common, so that a host drives all of them by one loop.

use alloc::boxed::Box;
use core::time::Duration;

use super::answer::{Answer, Query, QueryId};

/// What the host is to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Output<T> {
    /// Make this look-up, and hand in what came of it by `dns_answer`. Others may be asked for before it is answered.
    Resolve(Query),
    /// Nothing to do before an answer comes, or `deadline` passes, which `deadline_passed` tells.
    Wait {
        /// On the clock of the host.
        deadline: Duration,
    },
    /// This is what it came to. Stays the same for ever.
    Done(Box<T>),
}

/// A machine that asks the DNS, and comes to something.
pub trait Inquiry {
    /// What it comes to.
    type Found;

    /// What to do next. To be called until it says [`Output::Wait`] or [`Output::Done`].
    fn poll(&mut self, now: Duration) -> Output<Self::Found>;

    /// Here is what came of a look-up. What nobody has asked for, or has had already, is ignored.
    fn dns_answer(&mut self, id: QueryId, answer: Answer);

    /// The moment has come that [`Output::Wait`] named: what is still open has failed.
    fn deadline_passed(&mut self, now: Duration);
}

/// Makes an [`Inquiry`] of a machine by the methods of the same names that it has.
macro_rules! inquiry {
    ($machine:ty => $found:ty) => {
        impl $crate::dns::Inquiry for $machine {
            type Found = $found;

            fn poll(&mut self, now: core::time::Duration) -> $crate::dns::Output<$found> {
                Self::poll(self, now)
            }

            fn dns_answer(&mut self, id: $crate::dns::QueryId, answer: $crate::dns::Answer) {
                Self::dns_answer(self, id, answer);
            }

            fn deadline_passed(&mut self, now: core::time::Duration) {
                Self::deadline_passed(self, now);
            }
        }
    };
}

pub(crate) use inquiry;
