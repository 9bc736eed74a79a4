//! What a session asks of its host, and what the host answers.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::envelope::{MessageId, Received, Recipient};
use super::peer::{Hello, User};
use crate::error::Error;
use crate::sasl::{self, Mechanism};
use crate::syntax::{DecodedPiece, MailParameters, Reply, ReversePath};

/// What the host is to do next.
#[derive(Clone, Debug)]
#[must_use]
pub enum Output {
    /// Send these bytes. Everything up to the next [`Wait`](Self::Wait) may go in one write.
    Write(Vec<u8>),
    /// Store this piece of a message, behind what came of it before. The message is
    /// [`Session::envelope`](super::Session::envelope)'s; it is not complete, and nothing has been promised.
    Content {
        /// Which message.
        message: MessageId,
        /// A range of the bytes last handed to [`receive`](super::Session::receive), or bytes between two. Dots are taken out,
        /// and every line ends in CR LF unless it is BINARYMIME.
        piece: DecodedPiece,
    },
    /// Throw away what was stored of this message: it will not be completed.
    Discard {
        /// Which message.
        message: MessageId,
    },
    /// Find this out, and say [`answer`](super::Session::answer), at once or later.
    Ask {
        /// To be given back.
        id: QuestionId,
        /// What is asked.
        question: Question,
    },
    /// Begin TLS, after everything before this has been written; then
    /// [`tls_started`](super::Session::tls_started) or [`failed`](super::Session::failed). Nothing else comes until then.
    /// Bytes that have been read before must not be kept for later: hand them in, and the session ends.
    StartTls,
    /// Something that may be worth knowing.
    Event(Event),
    /// Nothing to do before an answer or input comes, or `deadline` passes:
    /// [`deadline_passed`](super::Session::deadline_passed).
    Wait {
        /// On the clock of the host.
        deadline: Option<Duration>,
        /// Whether bytes are taken now: those first that [`receive`](super::Session::receive) has not taken yet, then others
        /// from the network. While this says no, an answer is waited for.
        reads: bool,
    },
    /// It is over: close the socket. Stays the same for ever.
    Closed(Closed),
}

/// Names a question. Counted from 0 in each session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QuestionId(pub u64);

/// What only the host can decide.
///
/// Several can be open at once: each forward-path of a transaction, and messages whose replies the client has not waited for.
/// They may be answered in any order; the replies go out in that of the commands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Question {
    /// A client has come. A 2yz is the greeting; after a refusal only QUIT is taken (RFC 5321 §3.1).
    Connect,
    /// It says its name. A 2yz is said in the usual words, since it tells what is offered.
    Hello(Hello),
    /// It wants TLS.
    StartTls,
    /// It wants to prove who it is: [`Answer::Credentials`]. A refusing [`Answer::Reply`] ends the attempt.
    Credentials(sasl::Question),
    /// It has proved who it is, and wants to act for somebody else: [`Answer::Accept`], or [`Answer::Refuse`].
    ActFor(User),
    /// It begins a message.
    ReversePath {
        /// Where bounces go.
        path: ReversePath,
        /// What else it says. All of it is among what is offered.
        parameters: Box<MailParameters>,
    },
    /// It names a recipient, to whom it may send.
    ForwardPath(Recipient),
    /// It wants to send the content.
    Data,
    /// The content is all there. [`Answer::Accept`] says that the message is safe, and only then the client is told so.
    Message(Box<Received>),
    /// It says good-bye.
    Quit,
}

/// What the host says to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes, in the usual words.
    Accept,
    /// No, in the usual words.
    Refuse,
    /// In these words. A 2yz is yes (at [`Question::Data`] a 354), a 4yz and 5yz no; a 421 closes the connection. One that
    /// does not fit becomes a 451.
    Reply(Reply),
    /// LMTP, to [`Question::Message`]: in these words, one for each recipient of the envelope, in its order. Those that are
    /// missing become a 451.
    Replies(Vec<Reply>),
    /// In these words, and the connection closes.
    ReplyAndClose(Reply),
    /// The connection closes without a word.
    Close,
    /// To [`Question::Credentials`].
    Credentials(sasl::Answer),
}

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    /// After QUIT.
    Quit,
    /// The host wanted it: by an [`Answer`], or by [`stop`](super::Session::stop).
    Stopped,
    /// Something went wrong.
    Failed(Error),
}

/// What may be worth knowing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The client has named itself.
    Hello(Hello),
    /// TLS is there.
    TlsStarted,
    /// The client has proved who it is.
    Authenticated(User),
    /// It has not proved it.
    NotAuthenticated {
        /// By which mechanism it has tried.
        mechanism: Mechanism,
        /// Why.
        error: Error,
    },
    /// The content of a message is refused while it comes.
    ContentRefused {
        /// Which message.
        message: MessageId,
        /// Why.
        error: Error,
    },
    /// A line of the dialogue, if [`Config::trace`](super::Config::trace) is set. Secrets are hidden.
    Trace(Trace),
}

/// A line of the dialogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trace {
    /// What the client said, without the line end.
    Received(String),
    /// So many octets of content came.
    ReceivedContent(u64),
    /// What we said, without the line end.
    Sent(String),
    /// From here on inside TLS.
    Tls,
}
