//! How a session behaves.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::bounds::Bounds;
use super::relay::RelayPolicy;
use crate::sasl::{MIN_SEED, Mechanism};
use crate::syntax::{EhloName, Newlines};

/// Which protocol is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// SMTP (RFC 5321).
    #[default]
    Smtp,
    /// LMTP (RFC 2033): LHLO, and one reply to the content for each recipient.
    Lmtp,
}

/// Whom the server is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Other servers, which bring mail for our domains (RFC 5321). Nobody has to authenticate for that.
    #[default]
    Mx,
    /// Users, who send mail to anywhere (RFC 6409). Whoever has not authenticated and comes from no
    /// [allowed network](RelayPolicy::networks) can say nothing to anybody (§4.3: 530).
    Submission,
}

/// When TLS begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tls {
    /// Never.
    #[default]
    None,
    /// When the client says STARTTLS (RFC 3207).
    Offered,
    /// The same, and before it nothing is taken but what leads to it (530).
    Required,
    /// Before the first byte (RFC 8314 §3.3).
    Implicit,
}

/// Who may prove who they are, and how.
#[derive(Clone)]
pub struct Authentication {
    /// The mechanisms. Offered are those that make sense at that moment: what sends a secret only where nobody can listen,
    /// -PLUS where there is a channel binding, EXTERNAL where the client has proved something.
    pub mechanisms: Vec<Mechanism>,
    /// Random bytes that nobody knows, the same for each session, also after a restart: see
    /// [`ServerParams::fake_seed`](crate::sasl::ServerParams::fake_seed).
    pub fake_seed: [u8; 2 * MIN_SEED],
    /// As many iterations as the stored keys have: see
    /// [`ServerParams::fake_iterations`](crate::sasl::ServerParams::fake_iterations).
    pub fake_iterations: u32,
    /// Let clients send their secrets without TLS: everybody on the way can read them.
    pub dangerously_allow_plaintext: bool,
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mechanisms, fake_iterations, dangerously_allow_plaintext, fake_seed: _ } = self;
        f.debug_struct("Authentication")
            .field("mechanisms", mechanisms)
            .field("fake_iterations", fake_iterations)
            .field("dangerously_allow_plaintext", dangerously_allow_plaintext)
            .finish_non_exhaustive()
    }
}

/// Which extensions are offered. STARTTLS, AUTH and LIMITS follow from what else is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// CHUNKING (RFC 3030).
    pub chunking: bool,
    /// BINARYMIME (RFC 3030). Needs CHUNKING, and is not offered without.
    pub binarymime: bool,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531). Needs 8BITMIME, and is not offered without.
    pub smtputf8: bool,
    /// SIZE (RFC 1870), with [`Bounds::message`].
    pub size: bool,
    /// DSN (RFC 3461): whoever stores the message answers for it.
    pub dsn: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034). Without it no reply has one but those of the host.
    pub enhanced_status_codes: bool,
    /// REQUIRETLS (RFC 8689), inside TLS: whoever sends the message on answers for it.
    pub requiretls: bool,
    /// LIMITS (RFC 9422), with what of [`Bounds`] it has a word for.
    pub limits: bool,
}

impl Default for Offer {
    /// What a server can offer that hands content on as it came: all but DSN and REQUIRETLS, which are promises.
    fn default() -> Self {
        Self { dsn: false, requiretls: false, ..Self::everything() }
    }
}

impl Offer {
    /// All of them.
    pub const fn everything() -> Self {
        Self {
            pipelining: true,
            chunking: true,
            binarymime: true,
            eight_bit_mime: true,
            smtputf8: true,
            size: true,
            dsn: true,
            enhanced_status_codes: true,
            requiretls: true,
            limits: true,
        }
    }

    /// None of them.
    pub const fn nothing() -> Self {
        Self {
            pipelining: false,
            chunking: false,
            binarymime: false,
            eight_bit_mime: false,
            smtputf8: false,
            size: false,
            dsn: false,
            enhanced_status_codes: false,
            requiretls: false,
            limits: false,
        }
    }

    /// Offers the extension with this EHLO keyword, in either case, too. Says whether it is one of these.
    pub fn add(&mut self, keyword: &str) -> bool {
        let offered = match keyword.to_ascii_uppercase().as_str() {
            "PIPELINING" => &mut self.pipelining,
            "CHUNKING" => &mut self.chunking,
            "BINARYMIME" => &mut self.binarymime,
            "8BITMIME" => &mut self.eight_bit_mime,
            "SMTPUTF8" => &mut self.smtputf8,
            "SIZE" => &mut self.size,
            "DSN" => &mut self.dsn,
            "ENHANCEDSTATUSCODES" => &mut self.enhanced_status_codes,
            "REQUIRETLS" => &mut self.requiretls,
            "LIMITS" => &mut self.limits,
            _ => return false,
        };
        *offered = true;
        true
    }
}

/// At which steps the host is asked. Credentials and the finished message are always asked about; where it is not asked, the
/// machine decides as it would after [`Answer::Accept`](super::Answer::Accept).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asks {
    /// Before the greeting. Who speaks while the host thinks, is an early talker.
    pub connect: bool,
    /// At EHLO, HELO or LHLO.
    pub hello: bool,
    /// At STARTTLS.
    pub starttls: bool,
    /// At each MAIL.
    pub reverse_path: bool,
    /// At each RCPT that [`RelayPolicy`] lets through.
    pub forward_path: bool,
    /// At DATA, or the first BDAT.
    pub data: bool,
    /// At QUIT.
    pub quit: bool,
}

impl Default for Asks {
    /// At MAIL and RCPT.
    fn default() -> Self {
        Self { reverse_path: true, forward_path: true, ..Self::nowhere() }
    }
}

impl Asks {
    /// At no step: two writes, the content and one question a message.
    pub const fn nowhere() -> Self {
        Self {
            connect: false,
            hello: false,
            starttls: false,
            reverse_path: false,
            forward_path: false,
            data: false,
            quit: false,
        }
    }

    /// At every step.
    pub const fn everywhere() -> Self {
        Self {
            connect: true,
            hello: true,
            starttls: true,
            reverse_path: true,
            forward_path: true,
            data: true,
            quit: true,
        }
    }
}

/// How long the client may take. No time passes for it while the host is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the TLS handshake.
    pub tls: Duration,
    /// For a whole command, or a response of AUTH (RFC 5321 §4.5.3.2.7).
    pub command: Duration,
    /// For any more content.
    pub content: Duration,
    /// For the whole session. What the host is asked at that moment is still answered.
    pub session: Duration,
}

impl Default for Timeouts {
    /// Five minutes, as RFC 5321 §4.5.3.2.7 has it; two for TLS; two hours for the session.
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        Self { tls: minutes(2), command: minutes(5), content: minutes(5), session: minutes(120) }
    }
}

/// How a session behaves. Many sessions share one.
#[derive(Clone, Debug)]
pub struct Config {
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// Whom the server is for.
    pub role: Role,
    /// Our own name: in the greeting, the reply to EHLO, and challenges.
    pub name: EhloName,
    /// When TLS begins.
    pub tls: Tls,
    /// Who may prove who they are; without it AUTH is not there.
    pub authentication: Option<Authentication>,
    /// Whose mail is taken, and where to.
    pub relay: RelayPolicy,
    /// Which extensions are offered.
    pub offer: Offer,
    /// At which steps the host is asked.
    pub asks: Asks,
    /// How much of anything there may be.
    pub bounds: Bounds,
    /// How long the client may take.
    pub timeouts: Timeouts,
    /// What is done about a CR or LF that stands alone.
    ///
    /// [`Newlines::Refuse`], which is usual, refuses the message, and ends the session where what stands there may be the end
    /// of data for another server (SMTP smuggling), or at a command line that ends so. [`Newlines::Fix`] makes each a CR LF in
    /// what the host gets, and takes command lines that end in LF. Neither ever ends the content, nor reaches the host.
    pub newlines: Newlines,
    /// Whether the dialogue is told as [`Event::Trace`](super::Event::Trace).
    pub trace: bool,
}

impl Config {
    /// The usual choices: an MX without TLS and authentication, which takes no mail for anybody until
    /// [`relay`](Self::relay) says whose.
    pub fn new(name: EhloName) -> Self {
        Self {
            protocol: Protocol::default(),
            role: Role::default(),
            name,
            tls: Tls::default(),
            authentication: None,
            relay: RelayPolicy::default(),
            offer: Offer::default(),
            asks: Asks::default(),
            bounds: Bounds::default(),
            timeouts: Timeouts::default(),
            newlines: Newlines::Refuse,
            trace: false,
        }
    }
}
