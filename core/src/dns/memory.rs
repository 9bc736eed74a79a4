//! What has been asked, and what came: each question once.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use super::answer::{Answer, Query, QueryId, QueryKind, Records};
use super::look_ups::LookUps;
use super::name::Name;

/// All look-ups of a machine that may ask for the same thing again and again.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    look_ups: LookUps<Question>,
    /// `None` while nothing has come.
    known: BTreeMap<Question, Option<Arc<Records>>>,
    asked: usize,
}

type Question = (Name, QueryKind);

impl Memory {
    /// With bounds for aliases behind each other, and for look-ups in all.
    pub(crate) fn new(most_aliases: usize, most_look_ups: usize) -> Self {
        Self { look_ups: LookUps::new(most_aliases, most_look_ups), known: BTreeMap::new(), asked: 0 }
    }

    /// What came of a question, which is asked if it has not been. `None` while nothing has come.
    pub(crate) fn ask(&mut self, name: &Name, kind: QueryKind) -> Option<Arc<Records>> {
        let question = (name.clone(), kind);
        if !self.known.contains_key(&question) {
            self.known.insert(question.clone(), None);
            self.look_ups.ask(question.clone(), name.clone(), kind);
            self.take_in();
        }
        self.known.get(&question).cloned().flatten()
    }

    pub(crate) fn next_query(&mut self) -> Option<Query> {
        let query = self.look_ups.next_query()?;
        self.asked += 1;
        Some(query)
    }

    pub(crate) fn answered(&mut self, id: QueryId, answer: Answer) {
        self.look_ups.answered(id, answer);
        self.take_in();
    }

    /// How many look-ups were asked of the host.
    pub(crate) fn asked(&self) -> usize {
        self.asked
    }

    fn take_in(&mut self) {
        while let Some((question, found)) = self.look_ups.next_found() {
            self.known.insert(question, Some(Arc::new(found.records)));
        }
    }
}
