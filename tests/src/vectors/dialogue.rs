//! A dialogue, compiled: what a host is told to do, and what it has to see.
//!
//! These types are what `vectors-json` writes. `tests/vectors/README.md` says what each means.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize, Serializer};

/// One file of `tests/vectors/`.
#[derive(Clone, Debug, Serialize)]
pub struct Dialogue {
    /// The path below `tests/vectors/`, without `.smtp`.
    pub name: String,
    /// What it is about: the first comment.
    pub about: String,
    /// How the connection is set up.
    pub config: Config,
    /// What is submitted.
    pub messages: Vec<Message>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// The file as people read it.
    #[serde(skip)]
    pub source: String,
}

/// How the connection is set up. Where it says null, the machine's own default counts.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "named like the options of the machine")]
pub struct Config {
    pub protocol: Protocol,
    pub tls: Tls,
    pub server_name: String,
    pub ehlo: String,
    pub pipelining: Pipelining,
    pub chunking: Chunking,
    pub authentication: Option<Authentication>,
    /// In milliseconds, by name; `all` stands for all of them.
    pub timeouts: BTreeMap<Timeout, u64>,
    pub reply_limits: BTreeMap<ReplyLimit, usize>,
    pub in_flight: BTreeMap<InFlight, u64>,
    pub trace: bool,
}

/// Who we are.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "named like the options of the machine")]
pub struct Authentication {
    pub user: Option<String>,
    pub password: Option<String>,
    pub authzid: Option<String>,
    pub token: Option<Token>,
    /// Whether the connection itself has proved who we are.
    pub external: bool,
    pub mechanisms: Option<Vec<String>>,
    pub dangerously_allow_plaintext: bool,
    pub try_all: bool,
    pub port: u16,
    /// 24 octets.
    pub nonce: Bytes,
}

/// An OAuth token.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Token {
    /// Known from the beginning.
    Known(String),
    /// Asked for when it is needed.
    Later {},
}

/// A message that is submitted.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// The reverse-path, without angle brackets.
    pub from: String,
    /// The parameters of MAIL, as they stand in the command.
    pub parameters: String,
    /// To whom.
    pub recipients: Vec<Recipient>,
    /// The content, in the chunks in which the host hands it in; one chunk if it holds all of it.
    pub content: Vec<Bytes>,
    /// Null if the host holds the whole content.
    pub stream: Option<Stream>,
    /// How the content is declared.
    pub declaration: Declaration,
    /// Whether it is declared as internationalised.
    pub smtputf8: SmtpUtf8,
    /// What to do about a bare CR or LF.
    pub newlines: Newlines,
    /// Whether one refused recipient stops the others.
    pub all_or_nothing: bool,
    /// When to give up, in milliseconds after the start.
    pub deadline: Option<u64>,
}

/// One recipient.
#[derive(Clone, Debug, Serialize)]
pub struct Recipient {
    /// The forward-path, without angle brackets.
    pub address: String,
    /// The parameters of RCPT, as they stand in the command.
    pub parameters: String,
}

/// How a content that comes in chunks is handed in.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Stream {
    /// What the message says about its size.
    pub size: Option<u64>,
    /// Whether it can be read again from its beginning.
    pub rewindable: bool,
    /// Whether chunks are handed in by steps of the dialogue only, and not as soon as they are asked for.
    pub held: bool,
}

/// One thing that happens.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Where it stands in the file, counted from 1.
    pub line: usize,
    /// What it is.
    #[serde(flatten)]
    pub action: Action,
}

/// What a host does, or has to see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Submit these messages. The first step of each dialogue is this one, if only with none.
    Submit(Vec<usize>),
    /// Cancel this message.
    Abort(usize),
    /// Send a command of the user.
    Command {
        /// NOOP, RSET, VRFY, EXPN or HELP.
        verb: String,
        /// What stands behind it.
        argument: Option<String>,
    },
    /// Quit when all is done.
    Quit {},
    /// These bytes come from the server.
    Receive {
        /// The bytes.
        bytes: Bytes,
        /// They come in one piece, and must not be cut.
        at_once: bool,
    },
    /// The server closes the connection.
    Eof {},
    /// The TLS handshake has succeeded.
    TlsStarted {
        /// Whether the certificate was verified.
        verified: bool,
        /// What the host knows of the channel.
        channel_binding: Option<ChannelBinding>,
    },
    /// The transport, the handshake or the look-up of the token has failed, with this error code.
    Failed(String),
    /// The token that was asked for.
    Token(String),
    /// Hand in the next chunk of this message's content.
    Chunk(usize),
    /// This message's content has ended.
    ContentEnd(usize),
    /// This message's content can't be read.
    ContentFailed {
        /// Which message.
        message: usize,
        /// The error code.
        code: String,
    },
    /// So many milliseconds pass, and no deadline lies in them.
    Wait(u64),
    /// So many milliseconds pass, and exactly then a deadline passes.
    Deadline(u64),
    /// What was left over by a write is written now.
    WriteRest {},

    /// Everything that is to be written between the last input and the next `Wait`.
    Write {
        /// All bytes, whatever they were made of.
        bytes: Bytes,
        /// How many of them get through; null for all.
        written: Option<u64>,
    },
    /// TLS is asked for.
    StartTls {
        /// The name that the certificate is checked against.
        server_name: String,
        /// Whether a certificate that does not verify ends the connection.
        verify: bool,
    },
    /// A token is asked for.
    GetToken {},
    /// The user is told something.
    Event(Event),
    /// What became of a recipient; it has been told by now.
    Recipient(RecipientResult),
    /// What became of a message; it has been told by now.
    Message(MessageResult),
    /// The connection is over.
    Closed(Closed),
}

impl Action {
    /// Whether it is something to do, rather than something to see.
    pub fn is_input(&self) -> bool {
        !matches!(
            self,
            Self::Write { .. }
                | Self::StartTls { .. }
                | Self::GetToken {}
                | Self::Event(_)
                | Self::Recipient(_)
                | Self::Message(_)
                | Self::Closed(_)
        )
    }
}

/// What ties an authentication to TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChannelBinding {
    /// Which data.
    pub kind: ChannelBindingKind,
    /// The data.
    pub data: Bytes,
}

/// What the user is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The greeting, by its code.
    Greeting(u16),
    /// What the server offers has become known.
    Capabilities {},
    /// The credentials were taken, by this mechanism.
    Authenticated(String),
    /// Messages can be sent.
    Ready {},
    /// The server can't take all of PIPELINING.
    PipeliningReduced {},
    /// The reply to a command of the user.
    Reply {
        /// Which command, counted from 0.
        command: usize,
        /// Its code.
        code: u16,
    },
    /// A line of the trace: `C: `, `S: ` or `TLS`.
    Trace(String),
}

impl Event {
    /// Whether it is the same kind of event.
    pub fn is_like(&self, other: &Self) -> bool {
        core::mem::discriminant(self) == core::mem::discriminant(other)
    }

    /// Whether it has to stand in each dialogue in which it comes. The others only have to stand in all places or in
    /// none.
    pub fn is_always_told(&self) -> bool {
        matches!(self, Self::Authenticated(_) | Self::PipeliningReduced {} | Self::Reply { .. })
    }
}

/// What became of a recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecipientResult {
    /// Which message.
    pub message: usize,
    /// Which of its recipients, counted from 0.
    pub recipient: usize,
    /// What became of it.
    pub outcome: State,
    /// Code and enhanced code of the reply, if there is one.
    pub reply: Option<Reply>,
    /// The code of the error, if it is another than the reply stands for.
    pub error: Option<String>,
}

/// What became of a message. Null: not looked at here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MessageResult {
    /// Which message.
    pub message: usize,
    /// What became of it.
    pub outcome: Summary,
    /// The reply to the content, or the one that refused it all.
    pub reply: Option<Reply>,
    /// The code of the error.
    pub error: Option<String>,
    /// The id under which the server has queued it.
    pub queue_id: Option<String>,
    /// How far it had come.
    pub progress: Option<Progress>,
    /// How often the connection had to wait on its account.
    pub round_trips: Option<u32>,
}

/// Why the connection is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// After QUIT.
    Quit {},
    /// Something went wrong.
    Failed {
        /// The code of the error.
        error: String,
        /// The reply, where that was the reason.
        reply: Option<Reply>,
    },
}

/// A reply, as far as a dialogue tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// The enhanced code. Null: there is none.
    pub enhanced: Option<String>,
}

/// Bytes; base64 in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

/// A word out of a list, the same in a dialogue and in JSON.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $variant:ident),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[expect(missing_docs, reason = "named like the machine's own")]
        pub enum $name { $($(#[$attribute])* $variant),+ }
    )+};
}

words! {
    /// Which protocol is spoken.
    Protocol { Smtp, Lmtp }
    /// When TLS begins.
    Tls { None, Opportunistic, Starttls, Implicit }
    /// How much goes in one write.
    Pipelining { None, Message, Session, Streaming }
    /// Whether content goes by BDAT.
    Chunking { Auto, Prefer, Never }
    /// A time that can be set.
    Timeout { All, Tls, Greeting, Command, Mail, Rcpt, Data, Write, Content, Quit }
    /// A bound on replies.
    ReplyLimit { Line, Lines, Bytes }
    /// A bound on what is in flight.
    InFlight { Messages, Bytes, BytesPerSecond, MostBytes }
    /// How content is declared.
    Declaration {
        Auto,
        #[serde(rename = "7bit")] SevenBit,
        #[serde(rename = "8bitmime")] EightBitMime,
        #[serde(rename = "binarymime")] BinaryMime,
    }
    /// Whether a message is declared as internationalised.
    SmtpUtf8 { Auto, Require, Never }
    /// What to do about a bare CR or LF.
    Newlines { Fix, Refuse }
    /// What the host knows of the channel.
    ChannelBindingKind { TlsExporter, TlsServerEndPoint, TlsUnique }
    /// What became of a recipient.
    State { Accepted, Deferred, Rejected, Unknown }
    /// What became of a message.
    Summary { Accepted, Partial, Deferred, Rejected, Unknown }
    /// How far a message had come.
    Progress { Queued, Envelope, Content, Sent }
}
