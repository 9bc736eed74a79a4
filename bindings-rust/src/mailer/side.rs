//! What is kept beside the core for each server: whom to trust, by which way it is reached, and where tokens come from.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use okuru_core::Error;
use okuru_core::client::{ServerAddress, Tls};
use okuru_core::delivery::mailer::Endpoint;
#[cfg(feature = "rustls")]
use tokio::sync::OnceCell;

use crate::asynchronous::connect::Way;
use crate::asynchronous::stream::Stream;
use crate::courier::Opened;
use crate::options::Options;
#[cfg(feature = "rustls")]
use crate::tls::Trust;

/// The servers that are known by name, and those that the DNS names.
pub(super) struct Sides {
    pub(super) by_name: HashMap<Arc<str>, Arc<Side>>,
    pub(super) direct: Arc<Side>,
}

/// What is kept beside the core for a server.
pub(super) struct Side {
    pub(super) options: Arc<Options>,
    #[cfg_attr(not(feature = "rustls"), expect(dead_code, reason = "there is no TLS then"))]
    wants_trust: bool,
    #[cfg(feature = "rustls")]
    trust: OnceCell<Trust>,
}

impl Sides {
    pub(super) fn of(&self, server: &str) -> &Arc<Side> {
        self.by_name.get(server).unwrap_or(&self.direct)
    }
}

impl Side {
    /// `tls_elsewhere`: there may be TLS although `options` know nothing of it.
    pub(super) fn new(options: Options, tls_elsewhere: bool) -> Arc<Self> {
        let wants_trust = tls_elsewhere || options.tls != Tls::None;
        Arc::new(Self {
            options: options.into(),
            wants_trust,
            #[cfg(feature = "rustls")]
            trust: OnceCell::new(),
        })
    }

    /// Opens a connection to `endpoint`.
    pub(super) async fn open(&self, endpoint: &Endpoint) -> Result<(Stream, Opened), Error> {
        #[cfg(feature = "rustls")]
        let trust = match self.wants_trust {
            true => {
                let load = || crate::asynchronous::load_trust(&self.options);
                Some(self.trust.get_or_try_init(load).await?.clone())
            }
            false => None,
        };
        let (address, known): (ServerAddress, &[IpAddr]) = match endpoint {
            Endpoint::Host { name, port, addresses } => (ServerAddress::Host(name.clone(), *port), addresses),
            Endpoint::Socket(path) => (ServerAddress::Socket(path.clone()), &[]),
        };
        let way = Way { address: &address, known, source: self.options.source, proxy: self.options.proxy.as_ref() };
        #[cfg_attr(not(feature = "rustls"), expect(unused_mut, reason = "there is no trust to be added"))]
        let (stream, mut opened) = way.connect(self.options.connect_timeout).await?;
        #[cfg(feature = "rustls")]
        {
            opened.trust = trust;
        }
        Ok((stream, opened))
    }
}
