//! `okuru demo`: three messages travel to a server in the same process, and arrive byte for byte.

mod dialogue;
mod server;
mod verdict;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use okuru::blocking::Client;
use okuru::{Envelope, Error, ErrorCode, Message, Options, Secret};
use okuru_core::sasl::{Hash, MIN_ITERATIONS, StoredKeys};
use okuru_core::syntax::{ForwardPath, Header, MailParameters, ReversePath};
use rcgen::{CertifiedKey, KeyPair};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::arguments::DemoArguments;
use crate::exit::{Exit, Failure};
use crate::report::print;
use dialogue::Dialogue;
use server::{NAME, Received, Setting};
use verdict::Verdict;

/// The messages, with their names.
const MESSAGES: [(&str, &[u8]); 3] = [
    ("letter.eml", include_bytes!("../../messages/letter.eml")),
    ("attachment.eml", include_bytes!("../../messages/attachment.eml")),
    ("dots.eml", include_bytes!("../../messages/dots.eml")),
];

const USER: &str = "ann@demo.example";

/// Sends the messages, shows the dialogue, and compares what arrived with what was sent.
pub(crate) fn run(arguments: &DemoArguments) -> Result<Exit, Failure> {
    let password = random::<18>().map(|bytes| Secret::new(Base64::encode_string(&bytes)))?;
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([NAME.to_owned()]).map_err(broken)?;
    let setting = Setting {
        tls: tls(&cert, &signing_key)?,
        user: USER,
        keys: StoredKeys::derive(Hash::Sha256, &password, random()?, MIN_ITERATIONS)?,
        nonce: random()?,
        seed: random()?,
    };
    let (address, server) = start(setting).map_err(broken)?;

    let dialogue = Arc::new(Mutex::new(Dialogue::new(width(arguments), MESSAGES.map(|(name, _)| name).into())));
    let introduction = format!(
        "Three messages to a server at {address} in this process, over one connection.\n\
         Each numbered line is a round trip: what is below it goes in one write, and then the client waits.\n\n"
    );
    print(introduction.as_bytes())?;
    print(lock(&dialogue).heading().as_bytes())?;
    let told = Arc::clone(&dialogue);
    let options = Options::new(&format!("smtp://{address}"))?
        .tls_name(NAME)
        .add_root_certificate(cert.der().to_vec())
        .password(USER, password)?
        .trace(move |trace| {
            // Should nobody read it, the result still counts.
            let _ = io::stdout().write_all(lock(&told).rows(trace).as_bytes());
        });
    let mut client = Client::new(options);
    let messages: Vec<_> = MESSAGES.iter().map(|(_, content)| message(content)).collect::<Result<_, _>>()?;
    let outcomes: Vec<_> = client.send_many(messages).collect();
    if client.server_info().is_some() {
        client.close();
    }
    let info = client.last_server_info().cloned().unwrap_or_default();
    drop(client);
    let received = server.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into())).map_err(broken)?;

    let verdict = Verdict::new(&outcomes, &received);
    print(verdict.text(&info, lock(&dialogue).turns()).as_bytes())?;
    for outcome in outcomes {
        outcome.into_result()?;
    }
    Ok(if verdict.all_the_same() { Exit::Success } else { Exit::Protocol })
}

fn message(content: &'static [u8]) -> Result<Message, Error> {
    let header = Header::of(content);
    let envelope = Envelope {
        reverse_path: header.sender()?.map_or(ReversePath::Null, Into::into),
        parameters: MailParameters::default(),
        recipients: header.recipients()?.into_iter().map(|mailbox| ForwardPath::from(mailbox).into()).collect(),
    };
    Ok(Message::with_envelope(envelope, content))
}

fn tls(certificate: &rcgen::Certificate, key: &KeyPair) -> Result<Arc<ServerConfig>, Failure> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(broken)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(broken)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .map_err(broken)?;
    Ok(Arc::new(config))
}

type Server = JoinHandle<io::Result<Vec<Received>>>;

/// Starts the server, for one connection.
fn start(setting: Setting) -> io::Result<(SocketAddr, Server)> {
    const PATIENCE: Duration = Duration::from_secs(60);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let server = thread::Builder::new().name("server".to_owned()).spawn(move || {
        runtime.block_on(async {
            let served = async {
                let (stream, _) = tokio::net::TcpListener::from_std(listener)?.accept().await?;
                server::serve(stream, &setting).await
            };
            tokio::time::timeout(PATIENCE, served).await?
        })
    })?;
    Ok((address, server))
}

fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(broken)?;
    Ok(bytes)
}

fn width(arguments: &DemoArguments) -> usize {
    const USUAL: u16 = 110;
    const WIDEST: u16 = 140;
    let terminal = || terminal_size::terminal_size().map_or(USUAL, |(width, _)| width.0.clamp(40, WIDEST));
    arguments.width.unwrap_or_else(terminal).into()
}

fn lock(dialogue: &Mutex<Dialogue>) -> MutexGuard<'_, Dialogue> {
    dialogue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something that has nothing to do with mail.
fn broken(error: impl Display) -> Failure {
    let error = Error::new(ErrorCode::ConnectFailed, format!("the demonstration could not go on: {error}"));
    Failure { error, exit: Exit::Unfinished }
}
