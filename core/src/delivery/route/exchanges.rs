//! Which MX records count, and in which order (RFC 5321 §5.1).

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::candidate::Candidate;
use super::config::Config;
use super::resolution::Skipped;
use crate::dns::Exchange;
use crate::syntax::Domain;

/// What the MX records of a domain come to.
#[derive(Clone, Debug)]
pub(super) enum Exchanges {
    /// There are none.
    None,
    /// The domain takes no mail.
    Null,
    /// These, in the order in which they are to be tried; there may be none left. `meets_us`: some were left out since we are among them.
    Some { candidates: Vec<Candidate>, meets_us: bool },
}

/// Picks what counts from `records`, and puts it in order. `random` decides among equals.
pub(super) fn select(
    records: &[Exchange],
    config: &Config,
    random: &mut Random,
    skipped: &mut Vec<Skipped>,
) -> Exchanges {
    let records = records.get(..config.limits.exchanges).unwrap_or(records);
    if records.is_empty() {
        return Exchanges::None;
    }
    // RFC 7505 §3 wants one record with preference 0; what other preference it has makes no difference.
    if records.iter().all(is_root) {
        return Exchanges::Null;
    }
    let mut best: BTreeMap<Domain, Candidate> = BTreeMap::new();
    for record in records {
        match read(record, config) {
            Ok(candidate) => match best.entry(candidate.name.clone()) {
                Entry::Vacant(place) => {
                    place.insert(candidate);
                }
                Entry::Occupied(mut place) => {
                    if candidate.preference < place.get().preference {
                        place.insert(candidate);
                    }
                }
            },
            Err(why) => skipped.push(why),
        }
    }
    let mut candidates: Vec<(u64, Candidate)> = best.into_values().map(|it| (random.next(), it)).collect();
    candidates.sort_by_key(|(chance, it)| (it.preference, *chance));
    let mut candidates: Vec<Candidate> = candidates.into_iter().map(|(_, it)| it).collect();

    let ours = candidates.iter().filter(|it| config.ourselves.has_name(&it.name)).filter_map(|it| it.preference).min();
    if let Some(ours) = ours {
        drop_not_better(&mut candidates, ours, skipped);
    }
    for surplus in candidates.drain(candidates.len().min(config.limits.hosts)..) {
        skipped.push(Skipped::new(&surplus, "there are enough better ones"));
    }
    Exchanges::Some { candidates, meets_us: ours.is_some() }
}

/// Drops whoever is not better than ourselves: our turn is over when the message goes on (RFC 5321 §5.1).
pub(super) fn drop_not_better(candidates: &mut Vec<Candidate>, ours: u16, skipped: &mut Vec<Skipped>) {
    candidates.retain(|it| {
        let better = it.preference.is_some_and(|preference| preference < ours);
        if !better {
            skipped.push(Skipped::new(it, "it is ourselves, or not better than ourselves"));
        }
        better
    });
}

fn is_root(record: &Exchange) -> bool {
    matches!(record.host.as_str(), "" | ".")
}

fn read(record: &Exchange, config: &Config) -> Result<Candidate, Skipped> {
    let preference = Some(record.preference);
    let skip = |name: &str, why: String| Err(Skipped { name: name.into(), preference, why });
    if is_root(record) {
        return skip(".", "a null MX means nothing beside other MX records (RFC 7505 §3)".into());
    }
    let address = record.host.strip_suffix('.').unwrap_or(&record.host).parse::<IpAddr>().ok();
    let name = record.host.parse::<Domain>().and_then(|name| name.canonical());
    match (address.or(name.as_ref().ok().and_then(Domain::address)), name) {
        (Some(address), _) if config.leniency.address_as_exchange => Ok(Candidate::literal(address, preference)),
        (Some(address), _) => {
            skip(Domain::from(address).as_str(), "an MX record must name a host, no address (RFC 5321 §5.1)".into())
        }
        (None, Ok(name)) if !name.is_literal() => Ok(Candidate::new(name, preference)),
        (None, Ok(name)) => skip(name.as_str(), "an MX record must name a host".into()),
        (None, Err(error)) => skip("", error.what().into()),
    }
}

/// Numbers that spread load: SplitMix64, from eight random bytes that the host hands in. Nobody gains by guessing them.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(seed))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
