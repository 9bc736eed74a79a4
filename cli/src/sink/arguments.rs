//! What can be said to `okuru sink`.

use std::convert::Infallible;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use okuru::Secret;
use okuru::server::{LocalDomain, Offer};
use okuru_core::server::faults::Fault;

use crate::exit::{Failure, usage};

/// `okuru sink`
#[derive(Args, Debug)]
pub(crate) struct SinkArguments {
    /// Where to listen: HOST:PORT, or the path of a Unix socket. Port 0 is any that is free [default: 127.0.0.1:2525, unless
    /// --listen-tls is given].
    #[arg(long, value_name = "ADDR", help_heading = LISTENING)]
    pub(crate) listen: Vec<String>,

    /// Where to listen for clients that begin with TLS.
    #[arg(long, value_name = "ADDR", help_heading = LISTENING)]
    pub(crate) listen_tls: Vec<String>,

    /// Speak LMTP, with one reply to the content for each recipient.
    #[arg(long, help_heading = LISTENING)]
    pub(crate) lmtp: bool,

    /// What to call ourselves.
    #[arg(long, value_name = "NAME", default_value = "localhost", help_heading = LISTENING)]
    pub(crate) name: String,

    /// Whether STARTTLS is offered on --listen.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = TlsChoice::None, help_heading = TLS)]
    pub(crate) tls: TlsChoice,

    /// Show this certificate (with its chain, in PEM); without one a certificate is made, with an authority.
    #[arg(long, value_name = "FILE", requires = "key", help_heading = TLS)]
    pub(crate) cert: Option<PathBuf>,

    /// The key of that certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = TLS)]
    pub(crate) key: Option<PathBuf>,

    /// Write the certificate of the authority that is made to this file (default: one in the folder for temporary files, which goes
    /// when the sink does).
    #[arg(long, value_name = "FILE", conflicts_with = "cert", help_heading = TLS)]
    pub(crate) ca_file: Option<PathBuf>,

    /// Somebody who can log in, by any mechanism; the password is also the token of OAUTHBEARER and XOAUTH2. Without --domain
    /// only those who have logged in may send.
    #[arg(long, value_name = "NAME:PASSWORD", value_parser = secret, help_heading = POLICY)]
    pub(crate) user: Vec<Secret>,

    /// DANGEROUS: let clients send passwords without TLS, so that everybody on the way may read them.
    #[arg(long, requires = "user", help_heading = POLICY)]
    pub(crate) allow_plaintext_auth: bool,

    /// Take mail for this domain from anyone, and for others only from those who have logged in; *.example.com is everything below
    /// example.com. Without --domain and --user everything is taken.
    #[arg(long, value_name = "D", help_heading = POLICY)]
    pub(crate) domain: Vec<LocalDomain>,

    /// How large a message may be.
    #[arg(long, value_name = "OCTETS", default_value_t = 50 << 20, help_heading = POLICY)]
    pub(crate) size: u64,

    /// How many recipients a message may have.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=999_999), help_heading = POLICY)]
    pub(crate) recipients: u32,

    /// How many connections there may be at a time.
    #[arg(long, value_name = "N", default_value_t = 5000, help_heading = POLICY)]
    pub(crate) connections: usize,

    /// The only extensions to offer, of PIPELINING, CHUNKING, BINARYMIME, 8BITMIME, SMTPUTF8, SIZE, DSN, ENHANCEDSTATUSCODES,
    /// REQUIRETLS and LIMITS; or none. [default: all]
    #[arg(long, value_name = "EXT,...", value_parser = offer, help_heading = POLICY)]
    pub(crate) offer: Option<Offer>,

    /// Keep messages in this Maildir, which is made if need be: a message that was answered by 250 is on the disc.
    #[arg(long, value_name = "DIR", conflicts_with = "mbox", help_heading = STORAGE)]
    pub(crate) maildir: Option<PathBuf>,

    /// Append messages to this file (mboxrd), as safely.
    #[arg(long, value_name = "FILE", help_heading = STORAGE)]
    pub(crate) mbox: Option<PathBuf>,

    /// Serve a page that lists what arrived and shows each message, at this address: HOST:PORT. Whoever reaches it can read
    /// all of it.
    #[arg(long, value_name = "ADDR", conflicts_with = "mbox", help_heading = STORAGE)]
    pub(crate) web: Option<String>,

    /// Print a line of JSON for each message.
    #[arg(long, help_heading = STORAGE)]
    pub(crate) json: bool,

    /// Do something wrong: see the list below.
    #[arg(long, value_name = "NAME[=VALUE][@STAGE][:EVERY]", value_parser = fault, help_heading = FAULTS)]
    pub(crate) fault: Vec<Fault>,
}

/// Whether STARTTLS is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TlsChoice {
    /// No.
    None,
    /// Yes.
    Starttls,
    /// Yes, and before it nothing else is done.
    Required,
}

/// Somebody who can log in.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password: Secret,
}

impl User {
    /// From NAME:PASSWORD. What is wrong is said without repeating it.
    pub(crate) fn parse(text: &Secret) -> Result<Self, Failure> {
        match text.expose().split_once(':') {
            Some((name, password)) if !name.is_empty() && !password.is_empty() => {
                Ok(Self { name: name.to_owned(), password: Secret::new(password) })
            }
            _ => Err(usage("--user: a name, a colon and a password are wanted")),
        }
    }
}

/// It is looked at later: what is refused here would be repeated on the screen.
fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

fn fault(text: &str) -> Result<Fault, String> {
    text.parse().map_err(|error: okuru::Error| error.what().to_owned())
}

fn offer(text: &str) -> Result<Offer, String> {
    let mut offer = Offer::nothing();
    if text.eq_ignore_ascii_case("none") {
        return Ok(offer);
    }
    for name in text.split(',') {
        let name = name.trim();
        if !offer.add(name) {
            return Err(match name.to_ascii_uppercase().as_str() {
                "STARTTLS" => "STARTTLS is offered by --tls starttls".to_owned(),
                "AUTH" => "AUTH is offered by --user".to_owned(),
                _ => format!("{name:?} is no extension that can be offered"),
            });
        }
    }
    if offer.binarymime && !offer.chunking {
        return Err("BINARYMIME needs CHUNKING".to_owned());
    }
    if offer.smtputf8 && !offer.eight_bit_mime {
        return Err("SMTPUTF8 needs 8BITMIME".to_owned());
    }
    Ok(offer)
}

const LISTENING: &str = "Listening";
const TLS: &str = "TLS";
const POLICY: &str = "What is taken";
const STORAGE: &str = "What becomes of it";
const FAULTS: &str = "Faults";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::help::SINK_END;

    #[test]
    fn users() {
        let ann = User::parse(&"ann:a:b".into()).unwrap();
        assert_eq!((ann.name.as_str(), ann.password.expose()), ("ann", "a:b"));
        assert!(!format!("{ann:?}").contains("a:b"));
        for text in ["", "ann", ":", "ann:", ":secret"] {
            let failure = User::parse(&text.into()).unwrap_err();
            assert!(!failure.error.to_string().contains("secret"), "{text}");
        }
    }

    #[test]
    fn offers() {
        let offered = offer("pipelining, CHUNKING,BinaryMIME").unwrap();
        assert!(offered.pipelining && offered.chunking && offered.binarymime && !offered.size);
        assert_eq!(offer("none"), Ok(Offer::nothing()));
        for text in ["", "PIPELINING,", "BINARYMIME", "SMTPUTF8", "STARTTLS", "AUTH", "XCLIENT"] {
            assert!(offer(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_list_has_each_fault() {
        for line in SINK_END
            .lines()
            .take_while(|line| !line.starts_with("Examples"))
            .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        {
            let name = line.trim_start().split([' ', '[']).next().unwrap();
            assert!(fault(name).is_ok(), "{name}");
        }
    }
}
