//! From a domain up to the top of its organization (RFC 9989 §4.10).

use alloc::format;
use alloc::vec::Vec;

use crate::dns::{Memory, Name, QueryKind, Records};
use crate::syntax::dmarc::{Psd, Record};

/// What the records on the way up say.
pub(super) struct TreeWalk {
    start: Name,
    /// Each with the domain that it is of, from the lowest.
    found: Vec<(Name, Record)>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoWalk {
    /// An answer has to come first.
    Wait,
    /// A look-up failed.
    Failed,
}

/// Asks for all records on the way up, at once.
pub(super) fn walk(start: &Name, memory: &mut Memory) -> Result<TreeWalk, NoWalk> {
    let levels = levels(start);
    let answers: Vec<_> = levels.iter().map(|level| ask(level, memory)).collect();
    let mut found = Vec::new();
    for (level, answer) in levels.into_iter().zip(answers) {
        let Some(record) = answer? else { continue };
        let psd = record.psd;
        found.push((level, record));
        if psd != Psd::Unknown {
            break;
        }
    }
    Ok(TreeWalk { start: start.clone(), found })
}

impl TreeWalk {
    /// The domain at the top of the organization (RFC 9989 §4.10.2).
    pub(super) fn organization(&self) -> Name {
        let Some((domain, record)) = self.found.last() else {
            return self.start.clone();
        };
        if record.psd == Psd::Yes && *domain != self.start {
            return one_below(domain, &self.start).unwrap_or_else(|| self.start.clone());
        }
        domain.clone()
    }

    /// The record that counts for the domain where the walk began, and whose it is (RFC 9989 §4.10.1).
    pub(super) fn policy(&self) -> Option<&(Name, Record)> {
        let of = |wanted: &Name| self.found.iter().find(|(domain, _)| domain == wanted);
        let top = self.found.last().filter(|(_, record)| record.psd == Psd::Yes);
        of(&self.start).or_else(|| of(&self.organization())).or(top)
    }
}

fn ask(domain: &Name, memory: &mut Memory) -> Result<Option<Record>, NoWalk> {
    let Some(name) = Name::read(&format!("_dmarc.{domain}")) else {
        return Ok(None);
    };
    let records = memory.ask(&name, QueryKind::Txt).ok_or(NoWalk::Wait)?;
    match &*records {
        Records::Texts(texts) => {
            let records: Vec<_> = texts.iter().filter(|text| Record::is_version_1(text)).collect();
            Ok(match &records[..] {
                [text] => Record::parse(text),
                // More than one is none.
                _ => None,
            })
        }
        Records::Failed => Err(NoWalk::Failed),
        _ => Ok(None),
    }
}

/// The domain, and those above it that are asked for: not more than eight in all.
fn levels(start: &Name) -> Vec<Name> {
    const MOST: usize = 8;
    let labels: Vec<&str> = start.labels().collect();
    let above = labels.len().saturating_sub(1).min(MOST - 1);
    let parents = (1..=above).rev().filter_map(|count| {
        let parent = labels.get(labels.len().saturating_sub(count)..)?.join(".");
        Name::read(&parent)
    });
    core::iter::once(start.clone()).chain(parents).collect()
}

/// The domain right below `parent` on the way down to `start`.
fn one_below(parent: &Name, start: &Name) -> Option<Name> {
    let labels: Vec<&str> = start.labels().collect();
    let wanted = parent.labels().count() + 1;
    Name::read(&labels.get(labels.len().checked_sub(wanted)?..)?.join("."))
}
