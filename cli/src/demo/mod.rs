//! `okuru demo`: three messages travel to a server in the same process, and arrive byte for byte.

mod dialogue;
mod verdict;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use okuru::blocking::Client;
use okuru::server::{Accounts, Authentication, Config, Endpoint, Offer, RelayPolicy, Role, Running, Server, Tls};
use okuru::{Envelope, Error, ErrorCode, Mechanism, Message, Options, Secret};
use okuru_core::syntax::{ForwardPath, Header, MailParameters, ReversePath};
use tokio::runtime::Runtime;

use crate::arguments::DemoArguments;
use crate::exit::{Exit, Failure};
use crate::report::print;
use crate::sink::Authority;
use crate::sink::desk::Desk;
use crate::sink::inbox::Inbox;
use crate::sink::letter::Place;
use dialogue::Dialogue;
use verdict::{Arrived, Verdict};

/// The messages, with their names.
const MESSAGES: [(&str, &[u8]); 3] = [
    ("letter.eml", include_bytes!("../../messages/letter.eml")),
    ("attachment.eml", include_bytes!("../../messages/attachment.eml")),
    ("dots.eml", include_bytes!("../../messages/dots.eml")),
];

const NAME: &str = "demo.example";

const USER: &str = "ann@demo.example";

/// Sends the messages, shows the dialogue, and compares what arrived with what was sent.
pub(crate) fn run(arguments: &DemoArguments) -> Result<Exit, Failure> {
    let mut random = [0; 18];
    getrandom::fill(&mut random).map_err(broken)?;
    let password = Secret::new(Base64::encode_string(&random));
    let authority = Authority::make()?;
    let inbox = Inbox::default();
    let runtime = Runtime::new().map_err(broken)?;
    let running = runtime.block_on(start(&password, &authority, inbox.clone()))?;
    let address = running.addresses().first().map(ToString::to_string).unwrap_or_default();

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
        .add_root_certificate(authority.pem())
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
    runtime.block_on(running.stop(PATIENCE));

    let verdict = Verdict::new(&outcomes, &arrived(&inbox));
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

/// How long the server may take to stop.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts the server.
async fn start(password: &Secret, authority: &Authority, inbox: Inbox) -> Result<Running, Failure> {
    let accounts = Accounts::new().with(USER, password.clone())?;
    let mut config = Config::new(NAME.parse()?);
    config.role = Role::Submission;
    config.tls = Tls::Required;
    config.authentication = Some(Authentication {
        mechanisms: vec![Mechanism::ScramSha256Plus, Mechanism::ScramSha256],
        ..accounts.authentication()?
    });
    config.relay = RelayPolicy::default();
    config.offer = Offer { pipelining: true, eight_bit_mime: true, enhanced_status_codes: true, ..Offer::nothing() };
    let endpoint = Endpoint::bind((Ipv4Addr::LOCALHOST, 0), config).await.map_err(broken)?;
    let endpoint = endpoint.tls(authority.certify(&[NAME])?);
    let desk = Desk { accounts, inbox, prefix: "DEMO", ..Desk::default() };
    Ok(Server::new(desk).endpoint(endpoint).start()?)
}

fn arrived(inbox: &Inbox) -> Vec<Arrived> {
    let letters = inbox.letters();
    let arrived = letters.iter().filter_map(|letter| match &letter.place {
        Place::Memory(content) => Some(Arrived::new(&letter.received.envelope, content)),
        Place::File(_) => None,
    });
    arrived.collect()
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
