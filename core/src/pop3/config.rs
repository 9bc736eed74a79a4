//! How a connection behaves.

use alloc::string::String;

use crate::client::{Authentication, Timeouts, Tls};
use crate::syntax::ReplyLimits;

/// How a connection behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// When TLS begins. [`Tls::StartTls`] is by STLS.
    pub tls: Tls,
    /// The name of the server: for TLS, and for mechanisms that bind to it.
    pub server_name: String,
    /// Who we are. Without verified TLS nothing of it is said, unless it allows that.
    pub authentication: Authentication,
    /// By which of the ways of POP3.
    pub login: Login,
    /// How long the server may take: those for TLS, the greeting, a command and QUIT.
    pub timeouts: Timeouts,
    /// How large responses may be.
    pub reply_limits: ReplyLimits,
    /// Whether the dialogue is told as [`Event::Trace`](super::Event::Trace).
    pub trace: bool,
}

impl Config {
    /// The usual choices: STLS required, the strongest way to log in but APOP.
    pub fn new(server_name: impl Into<String>, authentication: Authentication) -> Self {
        Self {
            tls: Tls::default(),
            server_name: server_name.into(),
            authentication,
            login: Login::default(),
            timeouts: Timeouts::default(),
            reply_limits: ReplyLimits::default(),
            trace: false,
        }
    }
}

/// By which way a user logs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Login {
    /// By the strongest mechanism of SASL that both sides have; if there is none, by USER and PASS.
    #[default]
    Auto,
    /// By SASL only (RFC 5034).
    Sasl,
    /// By USER and PASS only (RFC 1939 §7).
    UserPass,
    /// By APOP only (RFC 1939 §7): it does not send the password, but rests on MD5, and somebody in between who can make up
    /// greetings may find out a part of it (CVE-2007-1558). It can't be used behind STLS, since the greeting came before TLS then, from anybody.
    Apop,
}
