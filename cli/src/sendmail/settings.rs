//! The configuration of `okuru sendmail`: a TOML file whose keys are named as the options of `okuru send` are.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use okuru::{Error, ErrorCode, ReversePath};
use okuru_core::client::Url;
use okuru_core::syntax::Domain;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::addresses::Addresses;
use super::caller::{Caller, local_domain};
use crate::amounts;
use crate::arguments::{
    ConnectionArguments, DnsArguments, LoginArguments, MailerArguments, SmtpUtf8Choice, TlsChoice, WayArguments,
};
use crate::exit::{Exit, Failure};
use crate::letter::in_words;

/// What the configuration says.
pub(crate) struct Settings {
    /// Where it was read.
    pub(crate) path: PathBuf,
    pub(crate) way: WayArguments,
    pub(crate) deadline: Option<Duration>,
    pub(crate) smtputf8: SmtpUtf8Choice,
    pub(crate) all_or_nothing: bool,
    /// Who sends what is sent without -f.
    pub(crate) sender: ReversePath,
    pub(crate) addresses: Addresses,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[derive(Default)]
struct Table {
    #[serde(deserialize_with = "one_or_many")]
    server: Vec<String>,
    round_robin: bool,
    direct: bool,
    direct_then_relay: Option<String>,
    #[serde(deserialize_with = "choice")]
    tls: Option<TlsChoice>,
    ca: Option<PathBuf>,
    tls_name: Option<String>,
    client_cert: Option<PathBuf>,
    client_key: Option<PathBuf>,
    ehlo: Option<String>,
    proxy: Option<String>,
    source_address: Option<IpAddr>,
    #[serde(deserialize_with = "seconds")]
    connect_timeout: Option<Duration>,
    #[serde(deserialize_with = "seconds")]
    reply_timeout: Option<Duration>,
    #[serde(deserialize_with = "seconds")]
    deadline: Option<Duration>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
    #[serde(deserialize_with = "one_or_many")]
    auth: Vec<String>,
    allow_plaintext_auth: bool,
    pop_before: Option<String>,
    #[serde(deserialize_with = "name_server")]
    dns: Option<SocketAddr>,
    self_address: Vec<IpAddr>,
    mx_port: Option<u16>,
    #[serde(deserialize_with = "choice")]
    smtputf8: Option<SmtpUtf8Choice>,
    all_or_nothing: bool,
    domain: Option<String>,
    sender: Option<String>,
    aliases: BTreeMap<String, Strings>,
}

/// The environment's name of the file.
const VARIABLE: &str = "OKURU_SENDMAIL_CONFIG";

/// For every user of this machine.
const SYSTEM: &str = "/etc/okuru/sendmail.toml";

impl Settings {
    /// Reads the file that is named, or else the first that there is.
    pub(crate) fn read(named: Option<&Path>, caller: &Caller) -> Result<Self, Failure> {
        let named = named.map(Path::to_owned).or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
        let (path, text) = match named {
            Some(path) => match fs::read_to_string(&path) {
                Ok(text) => (path, text),
                Err(error) => return Err(unreadable(&path, &error)),
            },
            None => find(caller)?,
        };
        let table: Table = match toml::from_str(&text) {
            Ok(table) => table,
            Err(error) => {
                let line =
                    error.span().map_or(0, |span| text.get(..span.start).unwrap_or_default().matches('\n').count());
                let what = in_words_of_ours(error.message());
                return Err(configuration(format!("{}, line {}: {what}", path.display(), line + 1)));
            }
        };
        let in_file = |error: Error| configuration(format!("{}: {}", path.display(), error.what()));
        table.check(&path)?;
        table.settings(&path, caller).map_err(in_file)
    }

    /// What is wrong with a key, in the words of the option of the same name.
    pub(crate) fn blame(&self, failure: &Failure) -> Failure {
        let words = failure.error.what().split(' ').map(|word| word.strip_prefix("--").unwrap_or(word));
        configuration(format!("{}: {}", self.path.display(), words.collect::<Vec<_>>().join(" ")))
    }
}

/// The configuration can't be used.
fn configuration(what: String) -> Failure {
    Failure { error: Error::new(ErrorCode::Usage, what), exit: Exit::Configuration }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    configuration(format!("the configuration {} can't be read: {}", path.display(), in_words(error)))
}

/// What the parser says in one line: without values, which may be secret, and without all the keys that there might have been.
fn in_words_of_ours(message: &str) -> String {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match message.split_once(", expected ") {
        Some((what, _)) if what.starts_with("unknown field ") => what.to_owned(),
        Some((what, wanted)) if what.starts_with("invalid type: ") || what.starts_with("invalid value: ") => {
            let wanted = wanted.rsplit(", expected ").next().unwrap_or_default();
            format!("what stands here is not what is wanted: {wanted}")
        }
        _ => message,
    }
}

/// The caller's own file, or that of the system.
fn find(caller: &Caller) -> Result<(PathBuf, String), Failure> {
    let own = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let own = own.or_else(|| caller.home.as_ref().map(|home| home.join(".config")));
    let own = own.map(|folder| folder.join("okuru/sendmail.toml"));
    for path in own.iter().map(PathBuf::as_path).chain([Path::new(SYSTEM)]) {
        match fs::read_to_string(path) {
            Ok(text) => return Ok((path.to_owned(), text)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => return Err(unreadable(path, &error)),
        }
    }
    let own = own.map_or_else(String::new, |path| format!("neither {} nor ", path.display()));
    Err(configuration(format!("there is no configuration: {own}{SYSTEM}; okuru sendmail --help says what it holds")))
}

impl Table {
    /// Whether the keys go together, and secrets are kept.
    fn check(&self, path: &Path) -> Result<(), Failure> {
        let wrong = |what: &str| Err(configuration(format!("{}: {what}", path.display())));
        if self.server.is_empty() && !self.direct && self.direct_then_relay.is_none() {
            return wrong("no server is named, nor direct or direct-then-relay");
        }
        if self.direct && self.direct_then_relay.is_some() {
            return wrong("direct and direct-then-relay exclude each other");
        }
        if (self.direct || self.direct_then_relay.is_some()) && (self.round_robin || !self.server.is_empty()) {
            return wrong("server and round-robin are of no use with direct or direct-then-relay");
        }
        if self.password_file.is_some() && self.token_file.is_some() {
            return wrong("password-file and token-file exclude each other");
        }
        if self.client_cert.is_some() != self.client_key.is_some() {
            return wrong("client-cert and client-key need each other");
        }
        let urls = self.server.iter().chain(&self.direct_then_relay).chain(&self.pop_before).chain(&self.proxy);
        if urls.into_iter().any(|url| Url::parse(url).is_ok_and(|url| url.password.is_some())) {
            check_secrecy(path, "holds a password")?;
        }
        for (key, file) in [("password-file", &self.password_file), ("token-file", &self.token_file)] {
            if let Some(file) = file {
                check_secrecy(&beside(path, file.clone()), &format!("is the {key}"))?;
            }
        }
        Ok(())
    }

    fn settings(self, path: &Path, caller: &Caller) -> Result<Settings, Error> {
        let beside = |file: Option<PathBuf>| file.map(|file| beside(path, file));
        let domain: Option<Domain> = self.domain.as_deref().map(str::parse).transpose()?;
        let mut addresses = Addresses::of(domain.unwrap_or_else(local_domain));
        for (name, list) in &self.aliases {
            addresses = addresses.alias(name, &list.0)?;
        }
        let sender = sender(self.sender.as_deref().unwrap_or(&caller.login), &addresses)?;
        let way = WayArguments {
            server: self.server,
            connection: ConnectionArguments {
                tls: self.tls,
                ca: beside(self.ca),
                tls_name: self.tls_name,
                client_cert: beside(self.client_cert),
                client_key: beside(self.client_key),
                ehlo: self.ehlo,
                proxy: self.proxy,
                source_address: self.source_address,
                connect_timeout: self.connect_timeout,
                reply_timeout: self.reply_timeout,
                max_reply: None,
            },
            login: LoginArguments {
                user: self.user,
                password_file: beside(self.password_file),
                token_file: beside(self.token_file),
                auth: self.auth,
                allow_plaintext_auth: self.allow_plaintext_auth,
            },
            mailer: MailerArguments {
                round_robin: self.round_robin,
                direct: self.direct,
                direct_then_relay: self.direct_then_relay,
                dns: DnsArguments { dns: self.dns, self_address: self.self_address },
                mx_port: self.mx_port,
                connections: None,
                rate: None,
                retry_for: None,
                pop_before: self.pop_before,
                resume: None,
            },
        };
        Ok(Settings {
            path: path.to_owned(),
            way,
            deadline: self.deadline,
            smtputf8: self.smtputf8.unwrap_or(SmtpUtf8Choice::Auto),
            all_or_nothing: self.all_or_nothing,
            sender,
            addresses,
        })
    }
}

/// Who sends a message: an address as programs write it; nobody is `<>` or nothing at all.
pub(crate) fn sender(text: &str, addresses: &Addresses) -> Result<ReversePath, Error> {
    if text.trim().is_empty() || text.trim() == "<>" {
        return Ok(ReversePath::Null);
    }
    let mut mailboxes = addresses.list(text)?;
    match (mailboxes.pop(), mailboxes.is_empty()) {
        (Some(mailbox), true) => Ok(mailbox.into()),
        _ => Err(Error::new(ErrorCode::AddressSyntax, format!("{text:?} is more than one sender"))),
    }
}

/// A file that the configuration names: beside it, unless its path is absolute.
fn beside(configuration: &Path, file: PathBuf) -> PathBuf {
    configuration.parent().map_or(file.clone(), |folder| folder.join(file))
}

/// A file with a secret is for its owner, and perhaps for a group; everybody else must be kept out.
fn check_secrecy(path: &Path, what: &str) -> Result<(), Failure> {
    // What can't be looked at, can't be read either: that is told when it is.
    if fs::metadata(path).is_ok_and(|metadata| is_open_to_all(&metadata)) {
        let path = path.display();
        return Err(configuration(format!("{path} {what}, and is open to everybody: chmod o-rwx {path}")));
    }
    Ok(())
}

#[cfg(unix)]
fn is_open_to_all(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o007 != 0
}

#[cfg(not(unix))]
fn is_open_to_all(_: &fs::Metadata) -> bool {
    false
}

/// A string or a list of them.
#[derive(Default)]
struct Strings(Vec<String>);

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one_or_many(deserializer).map(Self)
    }
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Taker;
    impl<'de> Visitor<'de> for Taker {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a string or a list of strings")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<String>, E> {
            Ok(vec![text.to_owned()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
            let mut strings = Vec::new();
            while let Some(text) = list.next_element()? {
                strings.push(text);
            }
            Ok(strings)
        }
    }
    deserializer.deserialize_any(Taker)
}

/// One of the words that the option takes.
fn choice<'de, D: Deserializer<'de>, T: ValueEnum>(deserializer: D) -> Result<Option<T>, D::Error> {
    let word = String::deserialize(deserializer)?;
    let choice = T::from_str(&word, false).map_err(|_| {
        // The word itself may be a secret at the wrong place.
        let words =
            T::value_variants().iter().filter_map(T::to_possible_value).map(|value| value.get_name().to_owned());
        D::Error::custom(format!("one of these is wanted: {}", words.collect::<Vec<_>>().join(", ")))
    })?;
    Ok(Some(choice))
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let wanted = || D::Error::custom("a number of seconds above zero is wanted, such as 10 or 0.5");
    let duration = Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(|_| wanted())?;
    if duration.is_zero() { Err(wanted()) } else { Ok(Some(duration)) }
}

fn name_server<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    amounts::name_server(&String::deserialize(deserializer)?).map(Some).map_err(D::Error::custom)
}
