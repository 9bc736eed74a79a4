//! A server on loopback that keeps what it takes, and the certificate that it shows.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use okuru::server::{
    Accounts, Answer, Closed, Config, CredentialsQuestion, Endpoint, Handler, MessageId, Received, RelayPolicy, Server,
    Stopped, TlsConfig, Visit,
};
use okuru::{Reply, Secret};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

pub(crate) const NAME: &str = "mx.example";
pub(crate) const USER: &str = "ann";
pub(crate) const PASSWORD: &str = "correct-horse";

/// A message that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) recipients: Vec<String>,
    pub(crate) content: Vec<u8>,
    pub(crate) user: Option<String>,
    pub(crate) address: Option<std::net::IpAddr>,
    pub(crate) with: &'static str,
}

/// Keeps what comes. What a recipient is called says what becomes of it.
#[derive(Clone, Default)]
pub(crate) struct Desk {
    pub(crate) accounts: Accounts,
    pub(crate) taken: Arc<Mutex<Vec<Taken>>>,
    pub(crate) closed: Arc<Mutex<HashMap<u64, Closed>>>,
    /// How long a message takes to be stored.
    pub(crate) delay: Duration,
}

impl Handler for Desk {
    type Store = Vec<u8>;

    async fn credentials(&self, _: &Visit, question: CredentialsQuestion) -> Answer {
        Answer::Credentials(self.accounts.answer(&question))
    }

    async fn forward_path(&self, _: &Visit, recipient: &okuru::server::Recipient) -> Answer {
        match recipient.path.as_str() {
            path if path.contains("slow") => tokio::time::sleep(Duration::from_millis(300)).await,
            path if path.contains("panic") => panic!("as it was told to"),
            path if path.contains("nobody") => return Answer::Refuse,
            _ => {}
        }
        Answer::Accept
    }

    async fn store(&self, _: &Visit, _: MessageId) -> Result<Vec<u8>, Reply> {
        Ok(Vec::new())
    }

    async fn message(&self, visit: &Visit, received: Received, content: Vec<u8>) -> Answer {
        tokio::time::sleep(self.delay).await;
        let recipients = received.envelope.recipients.iter().map(|it| format!("<{}>", it.path.as_str()));
        self.taken.lock().unwrap().push(Taken {
            recipients: recipients.collect(),
            content,
            user: visit.user().map(|user| user.name.clone()),
            address: visit.address(),
            with: received.with,
        });
        Answer::Accept
    }

    fn closed(&self, visit: &Visit, closed: &Closed) {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner).insert(visit.number(), closed.clone());
    }
}

/// A server in a runtime of its own, and what it has taken.
pub(crate) struct Running {
    runtime: tokio::runtime::Runtime,
    running: Option<okuru::server::Running>,
    desk: Desk,
}

impl Running {
    pub(crate) fn address(&self) -> String {
        self.running.as_ref().unwrap().addresses()[0].to_string()
    }

    /// What has been taken since this was asked last.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        std::mem::take(&mut self.desk.taken.lock().unwrap())
    }

    pub(crate) fn connections(&self) -> usize {
        self.running.as_ref().unwrap().connections()
    }

    /// How the sessions ended.
    pub(crate) fn closed(&self) -> HashMap<u64, Closed> {
        self.desk.closed.lock().unwrap().clone()
    }

    pub(crate) fn stop(&mut self, patience: Duration) -> Stopped {
        self.runtime.block_on(self.running.take().unwrap().stop(patience))
    }
}

/// A server that takes everything for everybody.
pub(crate) fn config() -> Config {
    let mut config = Config::new(NAME.parse().unwrap());
    config.relay = RelayPolicy { dangerously_for_anyone: true, ..RelayPolicy::default() };
    config
}

pub(crate) fn start(desk: Desk, config: Config) -> Running {
    start_with(desk, config, |server| server, |endpoint| endpoint)
}

pub(crate) fn start_with(
    desk: Desk,
    config: Config,
    server: impl FnOnce(Server<Desk>) -> Server<Desk>,
    endpoint: impl FnOnce(Endpoint) -> Endpoint,
) -> Running {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let running = runtime.block_on(async {
        let bound = endpoint(Endpoint::bind("127.0.0.1:0", config).await.unwrap().tls(identity().tls.clone()));
        server(Server::new(desk.clone())).endpoint(bound).start().unwrap()
    });
    Running { runtime, running: Some(running), desk }
}

/// A throw-away authority, and what a server shows that it has certified.
pub(crate) struct Identity {
    pub(crate) ca: String,
    pub(crate) tls: TlsConfig,
}

pub(crate) fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = [NAME.to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();
        let tls = TlsConfig::from_pem(certificate.pem().as_bytes(), Secret::new(key.serialize_pem())).unwrap();
        Identity { ca: ca.pem(), tls }
    })
}
