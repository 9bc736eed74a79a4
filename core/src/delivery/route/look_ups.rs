//! The look-ups of a route: what is to be asked, what has been asked, and where an alias leads.

use alloc::collections::VecDeque;
use core::mem;

use super::answer::{Answer, Query, QueryId, QueryKind, Records};
use super::config::Limits;
use crate::syntax::Domain;

/// What the DNS said in the end, behind all aliases.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Never [`Records::Alias`].
    pub(super) records: Records,
    /// The name that the records belong to, if the one that was asked for is an alias.
    pub(super) canonical: Option<Domain>,
    /// Whether every answer on the way was authenticated.
    pub(super) authenticated: bool,
}

impl Found {
    const FAILED: Self = Self { records: Records::Failed, canonical: None, authenticated: false };
}

#[derive(Clone, Debug)]
struct LookUp<T> {
    query: Query,
    /// What it is about.
    about: T,
    aliases: usize,
    authenticated: bool,
}

/// All look-ups of a route; `T` says what one is about.
#[derive(Clone, Debug)]
pub(super) struct LookUps<T> {
    to_ask: VecDeque<LookUp<T>>,
    asked: VecDeque<LookUp<T>>,
    found: VecDeque<(T, Found)>,
    made: usize,
    limits: Limits,
}

impl<T> LookUps<T> {
    pub(super) fn new(limits: Limits) -> Self {
        Self { to_ask: VecDeque::new(), asked: VecDeque::new(), found: VecDeque::new(), made: 0, limits }
    }

    pub(super) fn ask(&mut self, about: T, name: Domain, kind: QueryKind) {
        self.queue(about, name, kind, 0, true);
    }

    /// What the host is to look up next.
    pub(super) fn next_query(&mut self) -> Option<Query> {
        let next = self.to_ask.pop_front()?;
        let query = next.query.clone();
        self.asked.push_back(next);
        Some(query)
    }

    /// What has been found since the last time.
    pub(super) fn next_found(&mut self) -> Option<(T, Found)> {
        self.found.pop_front()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.to_ask.is_empty() && self.asked.is_empty()
    }

    /// An answer has come. One to a question that is not open is ignored.
    pub(super) fn answered(&mut self, id: QueryId, answer: Answer) {
        let Some(look_up) =
            self.asked.iter().position(|it| it.query.id == id).and_then(|index| self.asked.remove(index))
        else {
            return;
        };
        let LookUp { query, about, aliases, authenticated } = look_up;
        let authenticated = authenticated && answer.authenticated;
        let canonical = answer.canonical_name.as_deref().and_then(name);
        match answer.records {
            Records::Alias(target) => match name(&target) {
                Some(target) if aliases < self.limits.aliases => {
                    self.queue(about, target, query.kind, aliases + 1, authenticated);
                }
                _ => self.found.push_back((about, Found::FAILED)),
            },
            records => {
                let canonical = canonical.filter(|name| *name != query.name);
                let canonical = canonical.or_else(|| (aliases > 0).then_some(query.name));
                self.found.push_back((about, Found { records, canonical, authenticated }));
            }
        }
    }

    /// Nobody waits any longer.
    pub(super) fn give_up(&mut self) {
        let open = mem::take(&mut self.asked).into_iter().chain(mem::take(&mut self.to_ask));
        self.found.extend(open.map(|look_up| (look_up.about, Found::FAILED)));
    }

    fn queue(&mut self, about: T, name: Domain, kind: QueryKind, aliases: usize, authenticated: bool) {
        match u32::try_from(self.made) {
            Ok(number) if self.made < self.limits.look_ups => {
                self.made += 1;
                let query = Query { id: QueryId(number), name, kind };
                self.to_ask.push_back(LookUp { query, about, aliases, authenticated });
            }
            _ => self.found.push_back((about, Found::FAILED)),
        }
    }
}

/// A name from an answer, if a host can have it.
fn name(text: &str) -> Option<Domain> {
    text.parse::<Domain>().ok().filter(|name| !name.is_literal())?.canonical().ok()
}
