//! The look-ups of a machine: what is to be asked, what has been asked, and where an alias leads.

use alloc::collections::VecDeque;
use core::mem;

use super::answer::{Answer, Query, QueryId, QueryKind, Records};
use super::name::Name;

/// What the DNS said in the end, behind all aliases.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Never [`Records::Alias`].
    pub(crate) records: Records,
    /// The name that the records belong to, if the one that was asked for is an alias.
    pub(crate) canonical: Option<Name>,
    /// Whether every answer on the way was authenticated.
    pub(crate) authenticated: bool,
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

/// All look-ups of a machine; `T` says what one is about.
#[derive(Clone, Debug)]
pub(crate) struct LookUps<T> {
    to_ask: VecDeque<LookUp<T>>,
    asked: VecDeque<LookUp<T>>,
    found: VecDeque<(T, Found)>,
    made: usize,
    most_aliases: usize,
    most_look_ups: usize,
}

impl<T> LookUps<T> {
    /// With bounds for aliases behind each other, and for look-ups in all.
    pub(crate) fn new(most_aliases: usize, most_look_ups: usize) -> Self {
        let (to_ask, asked, found) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Self { to_ask, asked, found, made: 0, most_aliases, most_look_ups }
    }

    pub(crate) fn ask(&mut self, about: T, name: Name, kind: QueryKind) {
        self.queue(about, name, kind, 0, true);
    }

    /// What the host is to look up next.
    pub(crate) fn next_query(&mut self) -> Option<Query> {
        let next = self.to_ask.pop_front()?;
        let query = next.query.clone();
        self.asked.push_back(next);
        Some(query)
    }

    /// What has been found since the last time.
    pub(crate) fn next_found(&mut self) -> Option<(T, Found)> {
        self.found.pop_front()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.to_ask.is_empty() && self.asked.is_empty()
    }

    /// An answer has come. One to a question that is not open is ignored.
    pub(crate) fn answered(&mut self, id: QueryId, answer: Answer) {
        let Some(look_up) =
            self.asked.iter().position(|it| it.query.id == id).and_then(|index| self.asked.remove(index))
        else {
            return;
        };
        let LookUp { query, about, aliases, authenticated } = look_up;
        let authenticated = authenticated && answer.authenticated;
        let canonical = answer.canonical_name.as_deref().and_then(Name::read);
        match answer.records {
            Records::Alias(target) => match Name::read(&target) {
                Some(target) if aliases < self.most_aliases => {
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
    pub(crate) fn give_up(&mut self) {
        let open = mem::take(&mut self.asked).into_iter().chain(mem::take(&mut self.to_ask));
        self.found.extend(open.map(|look_up| (look_up.about, Found::FAILED)));
    }

    fn queue(&mut self, about: T, name: Name, kind: QueryKind, aliases: usize, authenticated: bool) {
        match u32::try_from(self.made) {
            Ok(number) if self.made < self.most_look_ups => {
                self.made += 1;
                let query = Query { id: QueryId(number), name, kind };
                self.to_ask.push_back(LookUp { query, about, aliases, authenticated });
            }
            _ => self.found.push_back((about, Found::FAILED)),
        }
    }
}
