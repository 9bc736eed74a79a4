//! `okuru sink`: the server that a developer starts to see what an application sends.

pub(crate) mod arguments;
mod certificate;
pub(crate) mod desk;
pub(crate) mod inbox;
pub(crate) mod letter;
mod maildir;
mod mbox;
mod spool;
mod stream;
mod web;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use okuru::EhloName;
use okuru::server::{
    Accounts, Address, Authentication, Bounds, Config, Endpoint, Limits, Offer, Protocol, RelayPolicy, Role, Server,
    Tls, TlsConfig,
};
use okuru::{Error, ErrorCode};
use okuru_core::server::faults::{Faults, Stage, What};
use serde::Serialize;

use self::arguments::{SinkArguments, TlsChoice, User};
pub(crate) use self::certificate::Authority;
use self::certificate::CaFile;
use self::desk::{Desk, Storage, Troubles};
use self::inbox::{Inbox, Room};
use self::letter::Letter;
use self::maildir::Maildir;
use self::mbox::Mbox;
use self::web::Page;
use self::web::dialogues::Dialogues;
use crate::envelope::in_option;
use crate::exit::{Exit, Failure, usage};
use crate::report::print;

/// Takes messages until a signal comes.
pub(crate) fn run(arguments: &SinkArguments) -> Result<Exit, Failure> {
    let certificates = Certificates::new(arguments)?;
    let accounts = accounts(arguments)?;
    let config = config(arguments, &accounts)?;
    let desk = desk(arguments, accounts, &certificates)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(cannot("the sink can't start"))?;
    runtime.block_on(serve(arguments, config, desk, &certificates))
}

/// How long sessions have to come to their end.
const PATIENCE: Duration = Duration::from_secs(10);

async fn serve(
    arguments: &SinkArguments,
    config: Config,
    desk: Desk,
    certificates: &Certificates,
) -> Result<Exit, Failure> {
    let limits = Limits {
        connections: arguments.connections,
        // They may all come from the same machine.
        connections_per_address: arguments.connections,
        ..Limits::default()
    };
    let mut signals = Signals::new().map_err(cannot("signals can't be awaited"))?;
    let page = match &arguments.web {
        Some(address) => {
            let page = Page::bind(address, desk.inbox.clone(), desk.dialogues.clone()).await;
            Some(page.map_err(cannot(format!("--web {address}")))?)
        }
        None => None,
    };
    let mut server = Server::new(desk).limits(limits);
    let usual = ["127.0.0.1:2525".to_owned()];
    let is_usual = arguments.listen.is_empty() && arguments.listen_tls.is_empty();
    let listen = if is_usual { &usual[..] } else { &arguments.listen };
    let mut urls = Vec::new();
    let starttls = Arc::new(config);
    let implicit = Arc::new(Config { tls: Tls::Implicit, ..Config::clone(&starttls) });
    for (addresses, config, option) in
        [(listen, &starttls, "--listen"), (&arguments.listen_tls, &implicit, "--listen-tls")]
    {
        for address in addresses {
            let mut endpoint = bind(address, config).await.map_err(cannot(format!("{option} {address}")))?;
            if let Some(tls) = &certificates.tls {
                endpoint = endpoint.tls(tls.clone());
            }
            urls.push(url(endpoint.address(), config));
            server = server.endpoint(endpoint);
        }
    }
    if let Some(page) = &page {
        urls.push(format!("http://{}/", page.address().map_err(cannot("--web"))?));
    }
    let running = server.start()?;
    if let Some(page) = page {
        page.start();
    }
    let greeting = greeting(arguments, &urls, certificates);
    if arguments.json {
        // Standard output is for the messages alone. Clients can come also where nobody reads of it.
        let _ = io::stderr().write_all(greeting.as_bytes());
    } else {
        print(greeting.as_bytes())?;
    }
    signals.wait().await;
    let stopping = running.stop(PATIENCE);
    tokio::select! {
        stopped = stopping => match stopped.unfinished {
            0 => Ok(Exit::Success),
            unfinished => {
                let what = format!("{unfinished} sessions had not come to their end in {} seconds", PATIENCE.as_secs());
                Err(Failure { error: Error::new(ErrorCode::TimeoutSession, what), exit: Exit::Unfinished })
            }
        },
        // Who asks twice does not want to wait.
        () = signals.wait() => Ok(Exit::Unfinished),
    }
}

async fn bind(address: &str, config: &Arc<Config>) -> io::Result<Endpoint> {
    #[cfg(unix)]
    if address.contains('/') {
        return Endpoint::unix(address, Arc::clone(config));
    }
    Endpoint::bind(address, Arc::clone(config)).await
}

/// As clients write it.
fn url(address: &Address, config: &Config) -> String {
    match (address, config.protocol, config.tls) {
        (Address::Unix(path), Protocol::Lmtp, _) => format!("lmtp://{}", path.display()),
        (address, Protocol::Lmtp, _) => format!("lmtp://{address}"),
        (address, Protocol::Smtp, Tls::Implicit) => format!("smtps://{address}"),
        (address, Protocol::Smtp, _) => format!("smtp://{address}"),
    }
}

/// What is printed once clients can come.
fn greeting(arguments: &SinkArguments, urls: &[String], certificates: &Certificates) -> String {
    let ca = certificates.ca.as_ref().map(CaFile::path);
    if arguments.json {
        let listening = Listening { event: "listening", urls, ca: ca.map(Path::to_string_lossy) };
        // Strings can be written as JSON, whatever is in them.
        return serde_json::to_string(&listening).unwrap_or_default() + "\n";
    }
    let mut text: String = urls.iter().map(|url| format!("listening on {url}\n")).collect();
    if let Some(path) = ca {
        text.push_str(&format!("the certificate is by the authority in {}\n", path.display()));
    }
    text
}

/// What `--json` says on standard error once clients can come.
#[derive(Serialize)]
struct Listening<'a> {
    event: &'static str,
    urls: &'a [String],
    ca: Option<std::borrow::Cow<'a, str>>,
}

/// What clients are shown.
struct Certificates {
    tls: Option<TlsConfig>,
    wrong: Option<TlsConfig>,
    ca: Option<CaFile>,
}

impl Certificates {
    fn new(arguments: &SinkArguments) -> Result<Self, Failure> {
        if arguments.tls == TlsChoice::None && arguments.listen_tls.is_empty() {
            if arguments.cert.is_some() || arguments.ca_file.is_some() {
                return Err(usage("a certificate is of no use without --tls starttls, --tls required or --listen-tls"));
            }
            return Ok(Self { tls: None, wrong: None, ca: None });
        }
        let is_wrong = arguments.fault.iter().any(|fault| fault.what == What::WrongCertificate);
        let given = match (&arguments.cert, &arguments.key) {
            (Some(certificate), Some(key)) => Some(TlsConfig::from_files(certificate, key)?),
            _ => None,
        };
        if let (Some(given), false) = (&given, is_wrong) {
            return Ok(Self { tls: Some(given.clone()), wrong: None, ca: None });
        }
        let authority = Authority::make()?;
        let wrong = is_wrong.then(|| authority.certify(&["wrong.invalid"])).transpose()?;
        let tls = match given {
            Some(given) => given,
            None => authority.certify(&names(arguments))?,
        };
        let file = CaFile::write(arguments.ca_file.as_deref(), &authority.pem());
        let ca = file.map_err(cannot("the authority's certificate can't be written"))?;
        Ok(Self { tls: Some(tls), wrong, ca: Some(ca) })
    }
}

/// What clients may call us.
fn names(arguments: &SinkArguments) -> Vec<&str> {
    let mut names = vec!["localhost", "127.0.0.1", "::1"];
    let hosts = arguments.listen.iter().chain(&arguments.listen_tls).filter_map(|address| address.rsplit_once(':'));
    let hosts = hosts.map(|(host, _)| host.trim_start_matches('[').trim_end_matches(']'));
    for name in hosts.chain([arguments.name.as_str()]) {
        let is_specified = name.parse::<IpAddr>().map_or(!name.contains('/'), |address| !address.is_unspecified());
        if !names.contains(&name) && is_specified && !name.is_empty() {
            names.push(name);
        }
    }
    names
}

fn config(arguments: &SinkArguments, accounts: &Accounts) -> Result<Config, Failure> {
    let name: EhloName = arguments.name.parse().map_err(in_option("--name"))?;
    let mut config = Config::new(name);
    let faults = Faults::new(arguments.fault.iter().copied());
    if arguments.lmtp {
        config.protocol = Protocol::Lmtp;
    } else if faults.has(What::SomeRecipients, Stage::Content) {
        return Err(usage("--fault some-recipients@content needs --lmtp: only there each recipient has a reply then"));
    }
    config.tls = match arguments.tls {
        TlsChoice::None => Tls::None,
        TlsChoice::Starttls => Tls::Offered,
        TlsChoice::Required => Tls::Required,
    };
    let (users, domains) = (!accounts.is_empty(), !arguments.domain.is_empty());
    if users {
        let dangerously_allow_plaintext = arguments.allow_plaintext_auth;
        config.authentication = Some(Authentication { dangerously_allow_plaintext, ..accounts.authentication()? });
    }
    config.role = if users && !domains { Role::Submission } else { Role::Mx };
    config.relay = RelayPolicy {
        local: arguments.domain.clone(),
        networks: Vec::new(),
        // It goes no further than into this sink.
        dangerously_for_anyone: !users && !domains,
    };
    config.offer = arguments.offer.unwrap_or(Offer::everything());
    config.trace = arguments.web.is_some();
    config.asks = faults.asks();
    config.bounds = Bounds {
        message: arguments.size,
        recipients: arguments.recipients,
        // What is developed makes mistakes, and load tests send a lot.
        messages: u32::MAX,
        bad_commands: 100,
        ..Bounds::default()
    };
    Ok(config)
}

fn desk(arguments: &SinkArguments, accounts: Accounts, certificates: &Certificates) -> Result<Desk, Failure> {
    let storage = match (&arguments.maildir, &arguments.mbox) {
        (Some(path), _) => {
            let maildir = Maildir::open(path).map_err(cannot(format!("--maildir {}", path.display())))?;
            Storage::Maildir(Arc::new(maildir))
        }
        (None, Some(path)) => {
            let mbox = Mbox::open(path).map_err(cannot(format!("--mbox {}", path.display())))?;
            Storage::Mbox(Arc::new(mbox))
        }
        (None, None) => Storage::Memory,
    };
    let tell: fn(&Letter) = if arguments.json { tell_json } else { tell_text };
    Ok(Desk {
        accounts,
        faults: Troubles::new(Faults::new(arguments.fault.iter().copied())),
        storage,
        inbox: Inbox::new(Room::default()),
        dialogues: Dialogues::default(),
        wrong_certificate: certificates.wrong.clone(),
        hashes: arguments.json,
        prefix: "SINK",
        tell: Some(tell),
        ..Desk::default()
    })
}

fn accounts(arguments: &SinkArguments) -> Result<Accounts, Failure> {
    let mut accounts = Accounts::new();
    for user in &arguments.user {
        let User { name, password } = User::parse(user)?;
        accounts = accounts.with(name, password)?;
    }
    Ok(accounts)
}

fn tell_text(letter: &Letter) {
    say(letter.text());
}

fn tell_json(letter: &Letter) {
    // Strings and numbers can be written as JSON, whatever they are.
    say(letter.json().unwrap_or_default());
}

fn say(mut line: String) {
    line.push('\n');
    // Messages are taken also when nobody reads of them.
    let _ = io::stdout().write_all(line.as_bytes());
}

/// The signals that ask for the end.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
        })
    }

    async fn wait(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Something of this machine's does not work.
fn cannot<E: Display>(what: impl Into<String>) -> impl FnOnce(E) -> Failure {
    let what = what.into();
    move |error| {
        let error = Error::new(ErrorCode::ConnectFailed, format!("{what}: {error}"));
        Failure { error, exit: Exit::Unfinished }
    }
}
