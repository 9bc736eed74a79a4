//! What has been asked, and what came: each question once.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use super::config::Limits;
use crate::dns::{Answer, LookUps, Name, Query, QueryId, QueryKind, Records};

/// All look-ups of a check.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    look_ups: LookUps<Question>,
    /// `None` while nothing has come.
    known: BTreeMap<Question, Option<Arc<Records>>>,
    asked: usize,
}

type Question = (Name, QueryKind);

impl Memory {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { look_ups: LookUps::new(limits.aliases, limits.look_ups), known: BTreeMap::new(), asked: 0 }
    }

    /// What came of a question, which is asked if it has not been. `None` while nothing has come.
    pub(super) fn ask(&mut self, name: &Name, kind: QueryKind) -> Option<Arc<Records>> {
        let question = (name.clone(), kind);
        if !self.known.contains_key(&question) {
            self.known.insert(question.clone(), None);
            self.look_ups.ask(question.clone(), name.clone(), kind);
            self.take_in();
        }
        self.known.get(&question).cloned().flatten()
    }

    pub(super) fn next_query(&mut self) -> Option<Query> {
        let query = self.look_ups.next_query()?;
        self.asked += 1;
        Some(query)
    }

    pub(super) fn answered(&mut self, id: QueryId, answer: Answer) {
        self.look_ups.answered(id, answer);
        self.take_in();
    }

    /// How many look-ups were asked of the host.
    pub(super) fn asked(&self) -> usize {
        self.asked
    }

    fn take_in(&mut self) {
        while let Some((question, found)) = self.look_ups.next_found() {
            self.known.insert(question, Some(Arc::new(found.records)));
        }
    }
}
