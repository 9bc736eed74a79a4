//! How many connections there may be.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// How many connections a server has at a time, and how long it waits for those that have gone astray. Whoever is too many is told
/// so by a 421.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// In all.
    pub connections: usize,
    /// From one address; of IPv6, from one /64. Where the address is not known, they count in all only.
    pub connections_per_address: usize,
    /// How long a proxy may take to say for whom it speaks.
    pub proxy_header: Duration,
}

impl Default for Limits {
    /// 5000 connections, 100 from one address, 10 seconds.
    fn default() -> Self {
        Self { connections: 5000, connections_per_address: 100, proxy_header: Duration::from_secs(10) }
    }
}

/// Counts the connections.
#[derive(Debug, Default)]
pub(super) struct Admission {
    limits: Limits,
    books: Mutex<Books>,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Books {
    all: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// Why somebody is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    InAll,
    ForAddress,
}

impl Full {
    /// What is said.
    pub(super) fn reply(self) -> &'static [u8] {
        match self {
            Self::InAll => b"421 4.3.2 Too many connections, try again later\r\n",
            Self::ForAddress => b"421 4.7.0 Too many connections from your address\r\n",
        }
    }
}

impl Admission {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, ..Self::default() })
    }

    /// A place, as long as it is held.
    pub(super) fn enter(self: &Arc<Self>) -> Result<Place, Full> {
        let mut books = self.books();
        if books.all >= self.limits.connections {
            return Err(Full::InAll);
        }
        books.all += 1;
        Ok(Place { admission: Arc::clone(self), network: None })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.books().all
    }

    /// Waits until all have gone.
    pub(super) async fn wait_until_empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.count() == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // The counts are right at each point where somebody could panic.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a connection.
#[derive(Debug)]
pub(super) struct Place {
    admission: Arc<Admission>,
    network: Option<IpAddr>,
}

impl Place {
    /// Counts it for this address.
    pub(super) fn take_for(&mut self, address: IpAddr) -> Result<(), Full> {
        let network = network(address);
        let count = &mut *self.admission.books();
        let count = count.by_network.entry(network).or_default();
        if *count >= self.admission.limits.connections_per_address {
            return Err(Full::ForAddress);
        }
        *count += 1;
        self.network = Some(network);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut books = self.admission.books();
        books.all -= 1;
        if let Some(network) = self.network
            && let Entry::Occupied(mut count) = books.by_network.entry(network)
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        if books.all == 0 {
            self.admission.emptied.notify_waiters();
        }
    }
}

/// What counts as one address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, connections_per_address: usize) -> Arc<Admission> {
        Admission::new(Limits { connections, connections_per_address, ..Limits::default() })
    }

    fn enter(admission: &Arc<Admission>, address: &str) -> Result<Place, Full> {
        let mut place = admission.enter()?;
        place.take_for(address.parse().unwrap())?;
        Ok(place)
    }

    #[test]
    fn a_place_is_free_once_it_is_left() {
        let admission = admission(3, 2);
        let first = enter(&admission, "192.0.2.1").unwrap();
        let second = enter(&admission, "192.0.2.1").unwrap();
        assert_eq!(enter(&admission, "::ffff:192.0.2.1").unwrap_err(), Full::ForAddress);
        let third = enter(&admission, "192.0.2.2").unwrap();
        assert_eq!(enter(&admission, "192.0.2.3").unwrap_err(), Full::InAll);
        drop(first);
        let fourth = enter(&admission, "192.0.2.1").unwrap();
        drop((second, third, fourth));
        assert_eq!(admission.count(), 0);
        assert!(admission.books().by_network.is_empty());
    }

    #[test]
    fn a_64_is_one_address() {
        let admission = admission(10, 1);
        let _first = enter(&admission, "2001:db8::1").unwrap();
        assert_eq!(enter(&admission, "2001:db8::ffff:1").unwrap_err(), Full::ForAddress);
        assert!(enter(&admission, "2001:db8:0:1::1").is_ok());
    }
}
