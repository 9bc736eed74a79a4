//! A message that a mailer has, with its content.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use okuru_core::client::MessageId;

use super::call::Call;
use crate::content::{Content, Reader, Source};
use crate::window::{Available, Loan, Window};

/// A message that a mailer has.
pub(super) struct Letter {
    /// Who has sent it.
    pub(super) call: Arc<Call>,
    /// Its number there.
    pub(super) index: MessageId,
    pub(super) supply: Supply,
}

/// A content, and what of it is in memory.
pub(super) struct Supply {
    content: Content,
    window: Option<Box<Window>>,
}

impl Letter {
    /// What one connection reads: its own copy of what can be opened again, so that it may go to several at a time.
    pub(super) fn supply_for<'a>(
        &'a mut self,
        message: MessageId,
        own: &'a mut Option<(MessageId, Supply)>,
    ) -> &'a mut Supply {
        let Some(copy) = self.supply.reopened() else {
            return &mut self.supply;
        };
        let is_other = own.as_ref().is_none_or(|(of, _)| *of != message);
        if is_other {
            *own = None;
        }
        &mut own.get_or_insert_with(|| (message, copy)).1
    }
}

impl Supply {
    pub(super) fn new(content: Content) -> Self {
        Self { content, window: None }
    }

    fn reopened(&self) -> Option<Self> {
        match &self.content.0 {
            Source::Stream { reader: Reader::Again(..), .. } => self.content.try_clone().map(Self::new),
            _ => None,
        }
    }

    pub(super) fn range(&self, range: Range<u64>) -> Option<(&Bytes, Range<usize>)> {
        self.content.range(self.window.as_deref(), range)
    }

    pub(super) fn from(&self, offset: u64) -> Available<'_> {
        self.content.from(self.window.as_deref(), offset)
    }

    pub(super) fn lend(&mut self, offset: u64) -> Option<Loan> {
        self.content.lend(&mut self.window, offset)
    }

    pub(super) fn give_back(&mut self, loan: Loan, result: io::Result<usize>) -> io::Result<()> {
        self.content.give_back(&mut self.window, loan, result)
    }
}
