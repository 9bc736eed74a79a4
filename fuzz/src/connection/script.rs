//! What the bytes mean: how the connection is configured, what is sent over it, and what happens to it.

use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::Unstructured;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use okuru_core::client::{
    Authentication, Body, BodyDeclaration, Chunking, Config, Envelope, InFlight, Message, Pipelining, Protocol, Query,
    Recipient, SmtpUtf8, Timeouts, Tls,
};
use okuru_core::sasl::{Credentials, Mechanism, Secret};
use okuru_core::syntax::{
    AuthParameter, DeliverBy, DeliverByMode, Hold, HoldInterval, Inspection, MailParameters, MtPriority, Newlines,
    Notify, OriginalRecipient, RcptParameters, ReplyLimits, Ret,
};

use crate::bytes::{blob, byte, flag, pick, short};

const PASSWORD: &str = "pencil-8fq3nZ0dWm";
const TOKEN: &str = "token-Kx91vvQpLs72";

/// What nobody may see, in each of the forms in which it goes over the wire.
pub(super) fn secrets() -> &'static [String] {
    static SECRETS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let plain = format!("\0user\0{PASSWORD}");
        [PASSWORD, TOKEN, &plain].iter().flat_map(|secret| [(*secret).into(), BASE64.encode(secret)]).collect()
    });
    &SECRETS
}

/// Reads how the connection is configured.
pub(super) fn config(from: &mut Unstructured<'_>) -> Config {
    let second = Duration::from_secs(1);
    Config {
        protocol: pick(from, &[Protocol::Smtp, Protocol::Lmtp]),
        tls: pick(from, &[Tls::None, Tls::StartTls, Tls::Implicit, Tls::Opportunistic]),
        pipelining: pick(from, &[Pipelining::Session, Pipelining::Streaming, Pipelining::Message, Pipelining::None]),
        chunking: pick(from, &[Chunking::Auto, Chunking::Prefer, Chunking::Never]),
        reply_limits: pick(from, &[ReplyLimits::default(), ReplyLimits { line: 80, lines: 20, bytes: 400 }]),
        timeouts: pick(from, &[Timeouts::default(), Timeouts::all(second), Timeouts::all(Duration::ZERO)]),
        in_flight: pick(from, &[InFlight::default(), InFlight { messages: 2, bytes: 100, ..InFlight::default() }]),
        authentication: authentication(from),
        trace: true,
        ..Config::new("mail.example", "client.example".parse().expect("it is a domain"))
    }
}

fn authentication(from: &mut Unstructured<'_>) -> Option<Authentication> {
    let credentials = match byte(from) % 6 {
        0 | 1 => return None,
        2 => Credentials::password("user", PASSWORD, None),
        3 => Credentials::token(Some("user".into()), Some(Secret::new(TOKEN))),
        4 => Credentials::token(Some("user".into()), None),
        _ => Credentials::external(None),
    };
    let flags = byte(from);
    Some(Authentication {
        credentials: credentials.expect("these are good"),
        mechanisms: match flags & 3 {
            0 => None,
            1 => Some(vec![Mechanism::Plain, Mechanism::OauthBearer]),
            2 => Some(vec![Mechanism::Login, Mechanism::Xoauth2, Mechanism::External]),
            _ => Some(vec![Mechanism::CramMd5, Mechanism::ScramSha1]),
        },
        dangerously_allow_plaintext: flags & 4 != 0,
        try_all: flags & 8 != 0,
        port: 587,
        nonce: [b'n'; 24],
    })
}

/// A message, and the content that the host holds for it.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) message: Message,
    pub(super) content: Vec<u8>,
}

/// Reads the message of this number, which is in all its addresses.
pub(super) fn letter(from: &mut Unstructured<'_>, number: usize, now: Duration) -> Letter {
    let count = usize::from(byte(from) % 6);
    let sender = byte(from);
    let reverse_path = match sender % 6 {
        0 | 1 => format!("<m{number}@a.example>"),
        2 => "<>".into(),
        3 => format!("<m{number}é@a.example>"),
        4 => format!("<m{number}@exämple.test>"),
        _ => format!("<m{number}@[192.0.2.1]>"),
    };
    let recipients = (0..count).map(|index| recipient(from, number, index, sender % 6 != 2)).collect();
    let parameters = mail_parameters(from);
    let pattern = blob(from);
    let content = pattern.repeat(1 + usize::from(byte(from) % 64));
    let size = content.len() as u64;
    let rewindable = |size, rewindable| Body::Stream { size, rewindable };
    let body = match byte(from) % 6 {
        0 | 1 => Body::Whole(Inspection::of(&content)),
        2 => rewindable(None, true),
        3 => rewindable(Some(size), false),
        4 => rewindable(Some(size), true),
        _ => rewindable(Some(size / 2), false),
    };
    let envelope = Envelope { reverse_path: reverse_path.parse().expect("it is a path"), parameters, recipients };
    let message = Message {
        declaration: pick(
            from,
            &[
                BodyDeclaration::Auto,
                BodyDeclaration::BinaryMime,
                BodyDeclaration::EightBitMime,
                BodyDeclaration::SevenBit,
            ],
        ),
        smtputf8: pick(from, &[SmtpUtf8::Auto, SmtpUtf8::Require, SmtpUtf8::Never]),
        newlines: pick(from, &[Newlines::Fix, Newlines::Refuse]),
        all_or_nothing: flag(from),
        deadline: match byte(from) % 4 {
            0 | 1 => None,
            2 => Some(now + Duration::from_millis(500)),
            _ => Some(now),
        },
        ..Message::new(envelope, body)
    };
    Letter { message, content }
}

fn recipient(from: &mut Unstructured<'_>, message: usize, index: usize, sender_tells: bool) -> Recipient {
    let kind = byte(from);
    let path = match kind % 8 {
        // A name that does not tell the message, unless the sender does; and it must be there once.
        7 if sender_tells && index == 0 => "<Postmaster>".into(),
        6 => format!("<m{message}r{index}é@a.example>"),
        5 => format!("<m{message}r{index}@exämple.test>"),
        4 => format!("<m{message}r{index}@b.example>"),
        3 => format!("<m{message}r{index}@c.example>"),
        _ => format!("<m{message}r{index}@a.example>"),
    };
    let mut parameters = RcptParameters::default();
    if kind & 64 != 0 {
        parameters.notify = Some(Notify::on(false, true, true));
    }
    if kind & 128 != 0 {
        parameters.orcpt = OriginalRecipient::new("rfc822", "a+b@example.org").ok();
    }
    Recipient { path: path.parse().expect("it is a path"), parameters }
}

fn mail_parameters(from: &mut Unstructured<'_>) -> MailParameters {
    let set = byte(from);
    let is_set = |bit: u8| set & (1 << bit) != 0;
    MailParameters {
        ret: is_set(0).then_some(Ret::Hdrs),
        envid: is_set(1).then(|| "id 1".parse().expect("it is printable")),
        auth: is_set(2).then_some(AuthParameter::Unknown),
        requiretls: is_set(3),
        deliver_by: if is_set(4) { DeliverBy::new(120, DeliverByMode::Return, false).ok() } else { None },
        hold: if is_set(5) { HoldInterval::new(3600).map(Hold::For).ok() } else { None },
        mt_priority: if is_set(6) { MtPriority::new(3) } else { None },
        size: is_set(7).then_some(5000),
        ..MailParameters::default()
    }
}

/// What happens next.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Submit,
    /// The server answers what is due, in a way of this number; of its answer the last bytes come later.
    Answer {
        kind: u8,
        later: u8,
    },
    /// The server answers well whatever it has heard, up to so many commands.
    AnswerAll(u8),
    /// The network takes so many bytes of what there is to be written; with 0 all of it.
    Write(u16),
    /// The server sends these bytes.
    Receive(Vec<u8>),
    /// So many bytes of the content that was asked for are handed in.
    Feed(u16),
    /// The content that was asked for has ended.
    FeedEnd,
    /// The content that was asked for can't be read.
    FeedFails,
    /// From now on so many bytes of content are handed in as soon as they are asked for; with 0 none.
    Chunk(u8),
    /// Content for this message, which may not have been asked for.
    Unasked(u8),
    Abort(u8),
    Command(Query),
    Quit,
    /// Milliseconds go by.
    Pass(u16),
    /// The deadline that was named has come.
    Deadline,
    /// It is said that a deadline has passed.
    DeadlinePassed,
    TlsStarted {
        verified: bool,
    },
    Token(&'static str),
    Fails(u8),
    Eof,
    /// A copy takes its place.
    Clone,
    /// What the server is going to offer.
    Offer(u16),
    /// Whether the connection is left unpolled after bytes came and went.
    Lazy(bool),
}

/// Reads what happens next; nothing more at the end of the bytes.
pub(super) fn step(from: &mut Unstructured<'_>) -> Option<Step> {
    if from.is_empty() {
        return None;
    }
    Some(match byte(from) % 32 {
        0..=2 => Step::Submit,
        3..=5 => Step::Answer { kind: byte(from), later: 0 },
        6 => Step::Answer { kind: byte(from), later: byte(from) },
        7..=9 => Step::AnswerAll(byte(from)),
        10 => Step::AnswerAll(255),
        11 => Step::Write(short(from)),
        12 | 13 => Step::Write(0),
        14 => Step::Receive(blob(from).to_vec()),
        15 => Step::Feed(short(from)),
        16 => Step::FeedEnd,
        17 => Step::FeedFails,
        18 => Step::Chunk(byte(from)),
        19 => Step::Unasked(byte(from)),
        20 => Step::Abort(byte(from)),
        21 => Step::Command(query(from)),
        22 => Step::Quit,
        23 => Step::Pass(short(from)),
        24 => Step::Deadline,
        25 => Step::DeadlinePassed,
        26 => Step::TlsStarted { verified: byte(from) % 8 != 7 },
        27 => Step::Token(pick(from, &[TOKEN, "", "a b"])),
        28 => Step::Fails(byte(from)),
        29 => Step::Eof,
        30 => Step::Offer(short(from)),
        _ => match byte(from) % 4 {
            0 => Step::Clone,
            1 => Step::Lazy(true),
            _ => Step::Lazy(false),
        },
    })
}

fn query(from: &mut Unstructured<'_>) -> Query {
    let argument = || "Jones".parse().expect("it is text");
    match byte(from) % 6 {
        0 => Query::Noop,
        1 => Query::Rset,
        2 => Query::Vrfy(argument()),
        3 => Query::Expn(argument()),
        4 => Query::Help(None),
        _ => Query::Help(Some(argument())),
    }
}
