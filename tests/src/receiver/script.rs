//! A dialogue, as it is carried out.

use okuru_core::sasl::Secret;
use okuru_core::server::{Answer, Config, Peer, TlsInfo};

/// A dialogue.
#[derive(Clone, Debug)]
pub struct Script {
    /// The file, without its folder and ending.
    pub name: String,
    /// The file.
    pub source: String,
    /// The first comment.
    pub about: String,
    /// How the session is set up.
    pub config: Config,
    /// Who has come.
    pub peer: Peer,
    /// What the host answers, the first that fits; else it accepts.
    pub rules: Vec<Rule>,
    /// Whom the host knows.
    pub users: Users,
    /// What happens.
    pub steps: Vec<Step>,
}

/// Whom the host knows.
#[derive(Clone, Debug, Default)]
pub struct Users {
    /// Name and password.
    pub passwords: Vec<(String, Secret)>,
    /// Name and token.
    pub tokens: Vec<(String, Secret)>,
    /// Who it is by the certificate.
    pub external: Option<String>,
}

/// What the host answers to questions of one kind.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `connect`, `hello`, `starttls`, `credentials`, `act-for`, `mail`, `rcpt`, `data`, `message`, `quit`.
    pub stage: String,
    /// Only about this path.
    pub path: Option<String>,
    /// `None`: nothing yet.
    pub answer: Option<Answer>,
}

/// Something that happens, and where it stands.
#[derive(Clone, Debug)]
pub struct Step {
    /// In the file, from 1.
    pub line: usize,
    /// What happens.
    pub action: Action,
}

/// Something to do, or something to see.
#[derive(Clone, Debug)]
pub enum Action {
    /// The client says this. `at_once`: it is never cut.
    Receive {
        /// What it says.
        bytes: Vec<u8>,
        /// Whether it matters that it comes in one piece.
        at_once: bool,
    },
    /// The host answers the first open question that fits.
    Answer(Rule),
    /// TLS is there.
    TlsStarted(TlsInfo),
    /// The transport breaks, with this error code.
    Failed(String),
    /// The client closes.
    Eof,
    /// The server is being stopped.
    Stop,
    /// The host refuses the content that comes.
    RefuseContent(okuru_core::syntax::Reply),
    /// The clock goes on by so many milliseconds; the deadline lies behind that.
    Wait(u64),
    /// The clock goes on by so many milliseconds, exactly to the deadline.
    Deadline(u64),
    /// All that has been written since the last thing to do.
    Write(Vec<u8>),
    /// What the host is told next.
    Told(String),
    /// Why the session is over by now.
    Closed(String),
}

impl Action {
    /// Whether it is something to do.
    pub fn is_input(&self) -> bool {
        !matches!(self, Self::Write(_) | Self::Told(_) | Self::Closed(_))
    }
}
