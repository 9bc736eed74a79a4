//! The receiver for those who test what sends mail: it takes messages into memory, or goes wrong as it was told to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use okuru_core::sasl::{MIN_SEED, Secret};
use okuru_core::server::faults::{Conduct, Fault, Faults, Stage, What};
use okuru_core::server::{
    Accounts, Authentication, Bounds, Config, Offer, Peer, Protocol, RelayPolicy, Role, Seed, Session as Machine, Tls,
};
use okuru_core::{Error, ErrorCode};
use pyo3::prelude::*;

use crate::catalogue::raised;
use crate::sink_session::SinkSession;

/// What sessions with clients have in common: how they behave, who can log in, what goes wrong.
///
/// `tls` is `none`, `starttls`, `required` or `implicit`; `users` maps names to passwords; `faults` are those of `okuru sink
/// --fault`, such as `refuse@mail:3`; `offer` are the only extensions to offer. `random` are 64 random bytes and more, 32 of them
/// for each user.
#[pyclass(frozen, module = "okuru._okuru")]
pub(crate) struct Receiver {
    shared: Arc<Shared>,
}

/// The same for every session.
pub(crate) struct Shared {
    config: Arc<Config>,
    without_starttls: Arc<Config>,
    pub(crate) accounts: Accounts,
    faults: Mutex<Books>,
}

/// What is counted over all sessions.
struct Books {
    faults: Faults,
    messages: u64,
}

#[pymethods]
impl Receiver {
    #[new]
    #[pyo3(signature = (
        random, *, name="localhost", lmtp=false, tls="none", users=Vec::new(), allow_plaintext_auth=false, domains=Vec::new(),
        size=50 << 20, recipients=1000, offer=None, faults=Vec::new(), trace=false,
    ))]
    #[expect(clippy::too_many_arguments, reason = "they have names in Python")]
    fn new(
        py: Python<'_>,
        random: &[u8],
        name: &str,
        lmtp: bool,
        tls: &str,
        users: Vec<(String, String)>,
        allow_plaintext_auth: bool,
        domains: Vec<String>,
        size: u64,
        recipients: u32,
        offer: Option<Vec<String>>,
        faults: Vec<String>,
        trace: bool,
    ) -> PyResult<Self> {
        let configure = || {
            let mut config = Config::new(name.parse()?);
            let faults: Vec<Fault> = faults.into_iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
            let faults = Faults::new(faults);
            if lmtp {
                config.protocol = Protocol::Lmtp;
            } else if faults.has(What::SomeRecipients, Stage::Content) {
                return Err(usage("some-recipients@content needs LMTP: only there each recipient has a reply then"));
            }
            let mut random = Random(random);
            let mut accounts = Accounts::default();
            for (user, password) in users {
                accounts.add(user, Secret::new(password), [random.take()?, random.take()?])?;
            }
            config.tls = when(tls)?;
            let (has_users, has_domains) = (!accounts.is_empty(), !domains.is_empty());
            if has_users {
                config.authentication = Some(Authentication {
                    dangerously_allow_plaintext: allow_plaintext_auth,
                    ..accounts.authentication(random.take::<{ 2 * MIN_SEED }>()?)
                });
            }
            config.role = if has_users && !has_domains { Role::Submission } else { Role::Mx };
            config.relay = RelayPolicy {
                local: domains.into_iter().map(|domain| domain.parse()).collect::<Result<_, _>>()?,
                networks: Vec::new(),
                // It goes no further than into this sink.
                dangerously_for_anyone: !has_users && !has_domains,
            };
            config.offer = offered(offer)?;
            config.asks = faults.asks();
            config.trace = trace;
            config.bounds = Bounds {
                message: size,
                recipients,
                // What is tested makes mistakes, and sends a lot.
                messages: u32::MAX,
                bad_commands: 100,
                ..Bounds::default()
            };
            let without_starttls = Arc::new(Config { tls: Tls::None, ..config.clone() });
            let faults = Mutex::new(Books { faults, messages: 0 });
            Ok(Shared { config: Arc::new(config), without_starttls, accounts, faults })
        };
        let shared = Arc::new(configure().map_err(|error| raised(py, &error))?);
        Ok(Self { shared })
    }

    /// A session with a client that has just come from this address. `random` are 32 random bytes, used once; `unix_time`
    /// are seconds since 1970.
    #[pyo3(signature = (address, random, unix_time))]
    fn session(&self, address: Option<&str>, random: [u8; 32], unix_time: u64) -> SinkSession {
        let shared = Arc::clone(&self.shared);
        let conduct = shared.conduct();
        let config = if conduct.drops_starttls { &shared.without_starttls } else { &shared.config };
        let peer = Peer { address: address.and_then(|address| address.parse().ok()) };
        let machine = Machine::new(Arc::clone(config), peer, Seed { random, unix_time });
        SinkSession::new(machine, shared, conduct)
    }
}

impl Shared {
    fn conduct(&self) -> Conduct {
        self.books().faults.connection(self.config.tls)
    }

    /// Asks what goes wrong.
    pub(crate) fn ask<T>(&self, ask: impl FnOnce(&mut Faults) -> T) -> T {
        ask(&mut self.books().faults)
    }

    /// The number of the next message, from 1.
    pub(crate) fn next_message(&self) -> u64 {
        let mut books = self.books();
        books.messages = books.messages.saturating_add(1);
        books.messages
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Random bytes, each taken once.
struct Random<'a>(&'a [u8]);

impl Random<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.0.split_first_chunk().ok_or_else(|| usage("more random bytes are wanted"))?;
        self.0 = rest;
        Ok(*taken)
    }
}

fn when(tls: &str) -> Result<Tls, Error> {
    match tls {
        "none" => Ok(Tls::None),
        "starttls" => Ok(Tls::Offered),
        "required" => Ok(Tls::Required),
        "implicit" => Ok(Tls::Implicit),
        _ => Err(usage("tls is none, starttls, required or implicit")),
    }
}

fn offered(names: Option<Vec<String>>) -> Result<Offer, Error> {
    let Some(names) = names else {
        return Ok(Offer::everything());
    };
    let mut offer = Offer::nothing();
    match names.iter().find(|name| !offer.add(name)) {
        Some(name) => Err(usage(format!("{name:?} is no extension that can be offered"))),
        None => Ok(offer),
    }
}

fn usage(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorCode::Usage, what)
}
