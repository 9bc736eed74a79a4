//! What can be said on the command line.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use okuru::mailer::Rate;
use okuru_core::client::{BodyDeclaration, Chunking, Pipelining, SmtpUtf8, Tls};
use okuru_core::syntax::Newlines;
use okuru_core::syntax::dkim::{Algorithm, Canonicalization};

use crate::amounts;
use crate::help;
use crate::sendmail::help::{SENDMAIL, SENDMAIL_END, USAGE};
use crate::sink::arguments::SinkArguments;

/// Sends mail by SMTP and LMTP, and tells exactly what became of it.
#[derive(Debug, Parser)]
#[command(name = "okuru", version, max_term_width = 100, after_help = help::PROGRAM_END, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send messages.
    #[command(long_about = help::SEND, after_help = help::SEND_END)]
    Send(Box<SendArguments>),
    /// Send the message on standard input, as sendmail(1) of other mail systems.
    #[command(long_about = SENDMAIL, after_help = SENDMAIL_END, override_usage = USAGE, disable_help_flag = true)]
    Sendmail,
    /// Tell where mail for an address goes, as the DNS has it.
    #[command(long_about = help::ROUTE, after_help = help::ROUTE_END)]
    Route(Box<RouteArguments>),
    /// Tell what a server offers, without sending anything.
    #[command(long_about = help::PROBE, after_help = help::PROBE_END)]
    Probe(Box<ProbeArguments>),
    /// Tell who may send mail in the name of a domain, or whether a client may (SPF).
    #[command(long_about = help::SPF, after_help = help::SPF_END)]
    Spf(SpfArguments),
    /// Sign a message in the name of a domain, or verify one (DKIM).
    #[command(after_help = help::DKIM_END)]
    Dkim {
        #[command(subcommand)]
        command: DkimCommand,
    },
    /// Take messages, and show what came: a server to develop against.
    #[command(long_about = help::SINK, after_help = help::SINK_END)]
    Sink(Box<SinkArguments>),
    /// Watch three messages travel, on a machine with nothing else.
    #[command(long_about = help::DEMO)]
    Demo(DemoArguments),
    /// Print a script that completes this command's arguments in a shell.
    Completions {
        /// For which shell.
        shell: Shell,
    },
}

/// `okuru send`
#[derive(Args, Debug)]
pub(crate) struct SendArguments {
    /// Messages as RFC 5322 has them: header, empty line, body; `-` is standard input, as is no FILE at all.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) way: WayArguments,

    #[command(flatten)]
    pub(crate) envelope: EnvelopeArguments,

    #[command(flatten)]
    pub(crate) transfer: TransferArguments,

    /// Print one line of JSON for each message, instead of a summary.
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) json: bool,

    /// Show the dialogue on standard error; secrets are hidden.
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) trace: bool,
}

/// Which servers get the messages, and how they are spoken to. What `okuru sendmail` is configured by has the same names.
#[derive(Args, Debug)]
pub(crate) struct WayArguments {
    /// Where the server is: smtp://HOST:PORT, smtps://, lmtp:// or lmtp:///path/to/socket; the port may be left out. May be
    /// repeated: each is used while those before it have failed.
    #[arg(long, value_name = "URL", env = "OKURU_SERVER", hide_env_values = true, help_heading = SERVER)]
    #[arg(required_unless_present_any = ["direct", "direct_then_relay"])]
    pub(crate) server: Vec<String>,

    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,

    #[command(flatten)]
    pub(crate) login: LoginArguments,

    #[command(flatten)]
    pub(crate) mailer: MailerArguments,
}

/// How a server is reached.
#[derive(Args, Debug)]
pub(crate) struct ConnectionArguments {
    /// When TLS begins (default: what the URL says).
    #[arg(long, value_name = "WHEN", help_heading = SERVER)]
    pub(crate) tls: Option<TlsChoice>,

    /// Trust the authorities in this PEM file, in place of the system's.
    #[arg(long, value_name = "FILE", help_heading = SERVER)]
    pub(crate) ca: Option<PathBuf>,

    /// The name that the server's certificate is for (default: the host of the URL).
    #[arg(long, value_name = "NAME", help_heading = SERVER)]
    pub(crate) tls_name: Option<String>,

    /// Show this certificate (with its chain, in PEM) to the server.
    #[arg(long, value_name = "FILE", requires = "client_key", help_heading = SERVER)]
    pub(crate) client_cert: Option<PathBuf>,

    /// The key of that certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "client_cert", help_heading = SERVER)]
    pub(crate) client_key: Option<PathBuf>,

    /// What to call ourselves (default: this machine's name, or its address).
    #[arg(long, value_name = "NAME", help_heading = SERVER)]
    pub(crate) ehlo: Option<String>,

    /// Connect through a proxy: socks5://HOST:PORT or http://HOST:PORT, with USER:PASSWORD@ where it wants that.
    #[arg(long, value_name = "URL", help_heading = SERVER)]
    pub(crate) proxy: Option<String>,

    /// Connect from this address.
    #[arg(long, value_name = "ADDRESS", help_heading = SERVER)]
    pub(crate) source_address: Option<IpAddr>,

    /// How long connecting may take (default: 30).
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = LIMITS)]
    pub(crate) connect_timeout: Option<Duration>,

    /// How long each reply may take, as a whole (default: as RFC 5321 has it, 2 to 10 minutes).
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = LIMITS)]
    pub(crate) reply_timeout: Option<Duration>,

    /// How large a reply may be (default: 65536).
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(64..), help_heading = LIMITS)]
    pub(crate) max_reply: Option<u32>,
}

/// Who we are.
#[derive(Args, Debug)]
pub(crate) struct LoginArguments {
    /// Log in as this user; the URL may name one too.
    #[arg(long, value_name = "USER", help_heading = LOGIN)]
    pub(crate) user: Option<String>,

    /// The password is the first line of this file (default: the environment's OKURU_PASSWORD).
    #[arg(long, value_name = "FILE", conflicts_with = "token_file", help_heading = LOGIN)]
    pub(crate) password_file: Option<PathBuf>,

    /// The OAuth 2.0 access token is the first line of this file, which is read whenever a connection needs it.
    #[arg(long, value_name = "FILE", help_heading = LOGIN)]
    pub(crate) token_file: Option<PathBuf>,

    /// Only these mechanisms (default: all that fit, the strongest first).
    #[arg(long, value_name = "MECHANISM", value_delimiter = ',', help_heading = LOGIN)]
    pub(crate) auth: Vec<String>,

    /// DANGEROUS: log in although nobody has verified the server, so that everybody on the way may read the password.
    #[arg(long, help_heading = LOGIN)]
    pub(crate) allow_plaintext_auth: bool,
}

/// Many messages, many servers.
#[derive(Args, Debug)]
pub(crate) struct MailerArguments {
    /// Use all servers by turns.
    #[arg(long, conflicts_with_all = ["direct", "direct_then_relay"], help_heading = MAILER)]
    pub(crate) round_robin: bool,

    /// Deliver to the servers of each recipient's domain, as the DNS names them; no --server is used then.
    #[arg(long, conflicts_with = "direct_then_relay", help_heading = MAILER)]
    pub(crate) direct: bool,

    /// The same, and hand to this server what none of those takes from us: none can be reached, or they refuse us.
    #[arg(long, value_name = "URL", help_heading = MAILER)]
    pub(crate) direct_then_relay: Option<String>,

    #[command(flatten)]
    pub(crate) dns: DnsArguments,

    /// Where the servers that the DNS names listen (default: 25).
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), help_heading = MAILER)]
    pub(crate) mx_port: Option<u16>,

    /// How many connections at a time: to each server, or in all with --direct (default: 1; 256 with --direct).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = MAILER)]
    pub(crate) connections: Option<u32>,

    /// How many messages in a second, a minute or an hour, such as 20/s, 600/m or 5000/h.
    #[arg(long, value_name = "N/UNIT", value_parser = amounts::rate, help_heading = MAILER)]
    pub(crate) rate: Option<Rate>,

    /// Try again what is deferred, for so long, such as 90s, 30m, 4h or 2d.
    #[arg(long, value_name = "DURATION", value_parser = amounts::duration, help_heading = MAILER)]
    pub(crate) retry_for: Option<Duration>,

    /// Log in by POP3 before sending: pop3://USER:PASSWORD@HOST or pop3s://.
    #[arg(long, value_name = "URL", help_heading = MAILER)]
    pub(crate) pop_before: Option<String>,

    /// Keep books in this file; with the same messages again, go on where they end.
    #[arg(long, value_name = "FILE", help_heading = MAILER)]
    pub(crate) resume: Option<PathBuf>,
}

/// How the DNS is asked, and who we are there.
#[derive(Args, Debug)]
pub(crate) struct DnsArguments {
    /// The name server to ask (default: the system's).
    #[arg(long, value_name = "HOST:PORT", value_parser = amounts::name_server, help_heading = MAILER)]
    pub(crate) dns: Option<SocketAddr>,

    /// An address of ours: mail that would go there has come round; may be repeated.
    #[arg(long, value_name = "ADDRESS", help_heading = MAILER)]
    pub(crate) self_address: Vec<IpAddr>,
}

/// `okuru route`
#[derive(Args, Debug)]
pub(crate) struct RouteArguments {
    /// Mailboxes.
    #[arg(value_name = "ADDRESS", required = true)]
    pub(crate) addresses: Vec<String>,

    #[command(flatten)]
    pub(crate) dns: DnsArguments,

    /// What we call ourselves: mail that would go to a server of this name has come round.
    #[arg(long, value_name = "NAME", help_heading = MAILER)]
    pub(crate) ehlo: Option<String>,

    /// Print one line of JSON for each address.
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) json: bool,
}

/// `okuru spf`
#[derive(Args, Debug)]
pub(crate) struct SpfArguments {
    /// The domain whose record is explained.
    #[arg(value_name = "DOMAIN", required_unless_present = "check")]
    pub(crate) domain: Option<String>,

    /// Check whether the client at this address may send from this mailbox, `<>` for nobody, when it calls itself so.
    #[arg(long, num_args = 3, value_names = ["IP", "FROM", "HELO"], conflicts_with = "domain")]
    pub(crate) check: Vec<String>,

    /// Check what the client calls itself, not from whom it sends.
    #[arg(long, requires = "check")]
    pub(crate) helo: bool,

    /// What the host is called that makes the check.
    #[arg(long, value_name = "NAME", requires = "check")]
    pub(crate) receiver: Option<String>,

    /// The name server to ask (default: the system's).
    #[arg(long, value_name = "HOST:PORT", value_parser = amounts::name_server)]
    pub(crate) dns: Option<SocketAddr>,

    /// Print one object of JSON.
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) json: bool,
}

/// `okuru dkim`
#[derive(Debug, Subcommand)]
pub(crate) enum DkimCommand {
    /// Sign the message on standard input; what goes out begins with the signature.
    Sign(SignArguments),
    /// Verify the signatures of the message on standard input.
    Verify(VerifyArguments),
    /// Print the TXT record of a key.
    Record {
        /// The private key, in PEM or DER.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
}

/// `okuru dkim sign`
#[derive(Args, Debug)]
pub(crate) struct SignArguments {
    /// Which of the domain's keys it is: its record is at SELECTOR._domainkey.DOMAIN.
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) selector: String,

    /// In whose name the message is signed.
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain: String,

    /// The private key, in PEM or DER (PKCS#8, or PKCS#1 for RSA).
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,

    /// The algorithm, rsa-sha256 or ed25519-sha256 (default: what the key is for).
    #[arg(long, value_name = "NAME")]
    pub(crate) algorithm: Option<Algorithm>,

    /// What header and body may suffer: simple, or relaxed where white space may change.
    #[arg(long, value_name = "HEADER/BODY", default_value = "relaxed/relaxed")]
    pub(crate) canonicalization: Canonicalization,

    /// The fields that are signed (default: From and all that readers see).
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) headers: Vec<String>,

    /// Let others add fields of these names, which are signed once more than they are there otherwise.
    #[arg(long)]
    pub(crate) no_over_signing: bool,

    /// For how long the signature holds, such as 7d (default: for ever).
    #[arg(long, value_name = "DURATION", value_parser = amounts::duration)]
    pub(crate) lifetime: Option<Duration>,
}

/// `okuru dkim verify`
#[derive(Args, Debug)]
pub(crate) struct VerifyArguments {
    /// The name server to ask (default: the system's).
    #[arg(long, value_name = "HOST:PORT", value_parser = amounts::name_server)]
    pub(crate) dns: Option<SocketAddr>,

    /// What the host is called that verifies, for the Authentication-Results field.
    #[arg(long, value_name = "NAME", default_value = "unknown")]
    pub(crate) receiver: String,

    /// Print one object of JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// From whom and to whom.
#[derive(Args, Debug)]
pub(crate) struct EnvelopeArguments {
    /// Who sends it, `<>` for nobody (default: Sender or From of the message).
    #[arg(long, value_name = "ADDRESS", help_heading = ENVELOPE)]
    pub(crate) from: Option<String>,

    /// Who gets it; may be repeated (default: To, Cc and Bcc of the message).
    #[arg(long, value_name = "ADDRESS", help_heading = ENVELOPE)]
    pub(crate) to: Vec<String>,

    /// Send a Bcc field as it is, for everybody to see, where it would be removed.
    #[arg(long, help_heading = ENVELOPE)]
    pub(crate) keep_bcc: bool,

    /// Send each message to all of its recipients or to none.
    #[arg(long, help_heading = ENVELOPE)]
    pub(crate) all_or_nothing: bool,

    /// A parameter of MAIL, such as REQUIRETLS, BY=3600;R, HOLDFOR=60 or MT-PRIORITY=3; may be repeated.
    #[arg(long, value_name = "KEY[=VALUE]", help_heading = ENVELOPE)]
    pub(crate) param: Vec<String>,

    /// When to be told of each recipient: never, or a list of success, failure and delay.
    #[arg(long, value_name = "WHEN,...", help_heading = ENVELOPE)]
    pub(crate) notify: Option<String>,

    /// How much of the message comes back with a notice of failure.
    #[arg(long, value_name = "PART", help_heading = ENVELOPE)]
    pub(crate) ret: Option<RetChoice>,

    /// A name for the message, which notices of it carry.
    #[arg(long, value_name = "ID", help_heading = ENVELOPE)]
    pub(crate) envid: Option<String>,
}

/// How messages go over the wire.
#[derive(Args, Debug)]
pub(crate) struct TransferArguments {
    /// How much goes in one write, where the server offers PIPELINING.
    #[arg(long, value_name = "LEVEL", default_value = "session", help_heading = TRANSFER)]
    pub(crate) pipelining: PipeliningChoice,

    /// Whether content goes by BDAT, where the server offers CHUNKING.
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = TRANSFER)]
    pub(crate) chunking: ChunkingChoice,

    /// How the content is declared.
    #[arg(long, value_name = "TYPE", default_value = "auto", help_heading = TRANSFER)]
    pub(crate) body: BodyChoice,

    /// Whether messages are declared as internationalised.
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = TRANSFER)]
    pub(crate) smtputf8: SmtpUtf8Choice,

    /// What to do about a CR or LF that stands alone.
    #[arg(long, value_name = "WHAT", default_value = "fix", help_heading = TRANSFER)]
    pub(crate) newlines: NewlinesChoice,

    /// Send each message so many times.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u64).range(1..))]
    #[arg(help_heading = TRANSFER)]
    pub(crate) repeat: u64,

    /// When to give up on each message, connecting and all (default: never).
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = LIMITS)]
    pub(crate) deadline: Option<Duration>,
}

/// `okuru probe`
#[derive(Args, Debug)]
pub(crate) struct ProbeArguments {
    /// Where the server is: smtp://HOST:PORT, smtps://, lmtp:// or lmtp:///path/to/socket; the port may be left out.
    #[arg(value_name = "URL")]
    pub(crate) server: String,

    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,

    /// Print one object of JSON, instead of a table.
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) json: bool,

    /// Show the dialogue on standard error.
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) trace: bool,
}

/// `okuru demo`
#[derive(Args, Debug)]
pub(crate) struct DemoArguments {
    /// How wide the dialogue is, in columns (default: that of the terminal).
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..))]
    pub(crate) width: Option<u16>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TlsChoice {
    /// Never.
    None,
    /// By STARTTLS where it is offered, verified or not: protects nothing against who can change what is sent.
    Opportunistic,
    /// By STARTTLS, verified; nothing is sent without it.
    Starttls,
    /// From the first byte, verified.
    Implicit,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PipeliningChoice {
    /// One command at a time.
    None,
    /// The whole envelope: 2 round trips a message.
    Message,
    /// Content and the next envelope: 1 round trip a message.
    Session,
    /// Everything at once, by BDAT; only for servers that are known to take it.
    Streaming,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ChunkingChoice {
    /// Where it saves a round trip or the content needs it.
    Auto,
    /// Wherever it is offered.
    Prefer,
    /// Never.
    Never,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum BodyChoice {
    /// As 7-bit; anything else is not sent.
    #[value(name = "7bit")]
    SevenBit,
    /// As 8-bit text.
    #[value(name = "8bitmime")]
    EightBitMime,
    /// As bytes, which are sent by BDAT as they are.
    #[value(name = "binarymime")]
    BinaryMime,
    /// As 8-bit text where it is.
    Auto,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SmtpUtf8Choice {
    /// Where an address or the header needs it.
    Auto,
    /// Always.
    Require,
    /// Never.
    Never,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum NewlinesChoice {
    /// Make it a CR LF.
    Fix,
    /// Don't send the message.
    Refuse,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RetChoice {
    /// All of it.
    Full,
    /// Its header.
    Hdrs,
}

impl From<TlsChoice> for Tls {
    fn from(choice: TlsChoice) -> Self {
        match choice {
            TlsChoice::None => Self::None,
            TlsChoice::Opportunistic => Self::Opportunistic,
            TlsChoice::Starttls => Self::StartTls,
            TlsChoice::Implicit => Self::Implicit,
        }
    }
}

impl From<PipeliningChoice> for Pipelining {
    fn from(choice: PipeliningChoice) -> Self {
        match choice {
            PipeliningChoice::None => Self::None,
            PipeliningChoice::Message => Self::Message,
            PipeliningChoice::Session => Self::Session,
            PipeliningChoice::Streaming => Self::Streaming,
        }
    }
}

impl From<ChunkingChoice> for Chunking {
    fn from(choice: ChunkingChoice) -> Self {
        match choice {
            ChunkingChoice::Auto => Self::Auto,
            ChunkingChoice::Prefer => Self::Prefer,
            ChunkingChoice::Never => Self::Never,
        }
    }
}

impl From<BodyChoice> for BodyDeclaration {
    fn from(choice: BodyChoice) -> Self {
        match choice {
            BodyChoice::SevenBit => Self::SevenBit,
            BodyChoice::EightBitMime => Self::EightBitMime,
            BodyChoice::BinaryMime => Self::BinaryMime,
            BodyChoice::Auto => Self::Auto,
        }
    }
}

impl From<SmtpUtf8Choice> for SmtpUtf8 {
    fn from(choice: SmtpUtf8Choice) -> Self {
        match choice {
            SmtpUtf8Choice::Auto => Self::Auto,
            SmtpUtf8Choice::Require => Self::Require,
            SmtpUtf8Choice::Never => Self::Never,
        }
    }
}

impl From<NewlinesChoice> for Newlines {
    fn from(choice: NewlinesChoice) -> Self {
        match choice {
            NewlinesChoice::Fix => Self::Fix,
            NewlinesChoice::Refuse => Self::Refuse,
        }
    }
}

impl From<RetChoice> for okuru_core::syntax::Ret {
    fn from(choice: RetChoice) -> Self {
        match choice {
            RetChoice::Full => Self::Full,
            RetChoice::Hdrs => Self::Hdrs,
        }
    }
}

/// Seconds, with decimals if need be.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse().map(Duration::try_from_secs_f64) {
        Ok(Ok(duration)) if !duration.is_zero() => Ok(duration),
        _ => Err("a number of seconds above zero is wanted, such as 10 or 0.5".to_owned()),
    }
}

const SERVER: &str = "Server";
const LOGIN: &str = "Login";
const MAILER: &str = "Many messages, many servers";
const ENVELOPE: &str = "Envelope";
const TRANSFER: &str = "Transfer";
const LIMITS: &str = "Limits";
const OUTPUT: &str = "Output";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_description_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn seconds_are_positive_numbers() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["", "0", "-1", "NaN", "inf", "1e30", "5s"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
