//! From the words of a dialogue to the values of the core, and back.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use okuru_core::client::{self, Body, Envelope, Query, Trace};
use okuru_core::sasl::{self, Credentials, Mechanism, Secret};
use okuru_core::syntax::{self, Argument, Command, EhloName, Inspection, ReplyLimits};
use okuru_core::{Error, ErrorCode};

use super::dialogue::{
    Authentication, ChannelBinding, ChannelBindingKind, Chunking, Config, Declaration, InFlight, Message,
    MessageResult, Newlines, Pipelining, Progress, Protocol, Recipient, Reply, ReplyLimit, SmtpUtf8, State, Summary,
    Timeout, Tls, Token,
};
use super::machine::Host;

/// How the connection is set up.
pub(super) fn config(config: &Config, trace: bool) -> Result<client::Config, String> {
    let ehlo: EhloName = config.ehlo.parse().map_err(|error: Error| error.to_string())?;
    let authentication = config.authentication.as_ref().map(authentication).transpose()?;
    let mut timeouts = client::Timeouts::default();
    for (which, milliseconds) in &config.timeouts {
        let time = Duration::from_millis(*milliseconds);
        let field = match which {
            Timeout::All => {
                timeouts = client::Timeouts::all(time);
                continue;
            }
            Timeout::Tls => &mut timeouts.tls,
            Timeout::Greeting => &mut timeouts.greeting,
            Timeout::Command => &mut timeouts.command,
            Timeout::Mail => &mut timeouts.mail,
            Timeout::Rcpt => &mut timeouts.rcpt,
            Timeout::Data => &mut timeouts.data,
            Timeout::Write => &mut timeouts.write,
            Timeout::Content => &mut timeouts.content,
            Timeout::Quit => &mut timeouts.quit,
        };
        *field = time;
    }
    let default = ReplyLimits::default();
    let limit = |which, default| config.reply_limits.get(&which).copied().unwrap_or(default);
    let reply_limits = ReplyLimits {
        line: limit(ReplyLimit::Line, default.line),
        lines: limit(ReplyLimit::Lines, default.lines),
        bytes: limit(ReplyLimit::Bytes, default.bytes),
    };
    let default = client::InFlight::default();
    let bound = |which, default| config.in_flight.get(&which).copied().unwrap_or(default);
    let in_flight = client::InFlight {
        messages: usize::try_from(bound(InFlight::Messages, default.messages as u64)).unwrap_or(usize::MAX),
        bytes: bound(InFlight::Bytes, default.bytes),
        bytes_per_second: bound(InFlight::BytesPerSecond, default.bytes_per_second),
        most_bytes: bound(InFlight::MostBytes, default.most_bytes),
    };
    Ok(client::Config {
        protocol: match config.protocol {
            Protocol::Smtp => client::Protocol::Smtp,
            Protocol::Lmtp => client::Protocol::Lmtp,
        },
        tls: match config.tls {
            Tls::None => client::Tls::None,
            Tls::Opportunistic => client::Tls::Opportunistic,
            Tls::Starttls => client::Tls::StartTls,
            Tls::Implicit => client::Tls::Implicit,
        },
        authentication,
        pipelining: match config.pipelining {
            Pipelining::None => client::Pipelining::None,
            Pipelining::Message => client::Pipelining::Message,
            Pipelining::Session => client::Pipelining::Session,
            Pipelining::Streaming => client::Pipelining::Streaming,
        },
        chunking: match config.chunking {
            Chunking::Auto => client::Chunking::Auto,
            Chunking::Prefer => client::Chunking::Prefer,
            Chunking::Never => client::Chunking::Never,
        },
        timeouts,
        reply_limits,
        in_flight,
        trace,
        ..client::Config::new(config.server_name.clone(), ehlo)
    })
}

fn authentication(authentication: &Authentication) -> Result<client::Authentication, String> {
    let Authentication { user, password, authzid, token, external, mechanisms, .. } = authentication;
    let credentials = match (password, token, external) {
        (Some(password), None, false) => {
            let user = user.clone().ok_or("a password without a user")?;
            Credentials::password(user, password.as_str(), authzid.clone())
        }
        (None, Some(Token::Known(token)), false) => Credentials::token(user.clone(), Some(token.as_str().into())),
        (None, Some(Token::Later {}), false) => Credentials::token(user.clone(), None),
        (None, None, true) => Credentials::external(authzid.clone()),
        _ => return Err("one of password, token and external".into()),
    };
    let mechanisms = mechanisms
        .as_ref()
        .map(|names| names.iter().map(|name| name.parse::<Mechanism>().map_err(|error| error.to_string())).collect());
    Ok(client::Authentication {
        credentials: credentials.map_err(|error| error.to_string())?,
        mechanisms: mechanisms.transpose()?,
        dangerously_allow_plaintext: authentication.dangerously_allow_plaintext,
        try_all: authentication.try_all,
        port: authentication.port,
        nonce: authentication.nonce.0.as_slice().try_into().map_err(|_| "a nonce has 24 octets")?,
    })
}

/// A message to be submitted.
pub(super) fn message(message: &Message, content: &[u8]) -> Result<client::Message, String> {
    let Command::Mail { path, parameters } = command(&format!("MAIL FROM:<{}> {}", message.from, message.parameters))?
    else {
        unreachable!("it begins with MAIL");
    };
    let recipients = message.recipients.iter().map(recipient).collect::<Result<_, String>>()?;
    let envelope = Envelope { reverse_path: path, parameters: *parameters, recipients };
    let body = match message.stream {
        None => Body::Whole(Inspection::of(content)),
        Some(stream) => Body::Stream { size: stream.size, rewindable: stream.rewindable },
    };
    Ok(client::Message {
        declaration: match message.declaration {
            Declaration::Auto => client::BodyDeclaration::Auto,
            Declaration::SevenBit => client::BodyDeclaration::SevenBit,
            Declaration::EightBitMime => client::BodyDeclaration::EightBitMime,
            Declaration::BinaryMime => client::BodyDeclaration::BinaryMime,
        },
        smtputf8: match message.smtputf8 {
            SmtpUtf8::Auto => client::SmtpUtf8::Auto,
            SmtpUtf8::Require => client::SmtpUtf8::Require,
            SmtpUtf8::Never => client::SmtpUtf8::Never,
        },
        newlines: match message.newlines {
            Newlines::Fix => syntax::Newlines::Fix,
            Newlines::Refuse => syntax::Newlines::Refuse,
        },
        all_or_nothing: message.all_or_nothing,
        deadline: message.deadline.map(|milliseconds| Host::START + Duration::from_millis(milliseconds)),
        ..client::Message::new(envelope, body)
    })
}

fn recipient(recipient: &Recipient) -> Result<client::Recipient, String> {
    match command(&format!("RCPT TO:<{}> {}", recipient.address, recipient.parameters))? {
        Command::Rcpt { path, parameters } => Ok(client::Recipient { path, parameters }),
        _ => unreachable!("it begins with RCPT"),
    }
}

fn command(line: &str) -> Result<Command, String> {
    Command::parse(line.as_bytes()).map_err(|error| format!("{line}: {error}"))
}

/// A command of the user.
pub(super) fn query(verb: &str, argument: Option<&str>) -> Result<Query, String> {
    let argument = argument.map(|text| text.parse::<Argument>().map_err(|error| error.to_string())).transpose()?;
    match (verb, argument) {
        ("NOOP", None) => Ok(Query::Noop),
        ("RSET", None) => Ok(Query::Rset),
        ("VRFY", Some(argument)) => Ok(Query::Vrfy(argument)),
        ("EXPN", Some(argument)) => Ok(Query::Expn(argument)),
        ("HELP", argument) => Ok(Query::Help(argument)),
        _ => Err(format!("no such command of a user: {verb}")),
    }
}

pub(super) fn tls_info(verified: bool, channel_binding: Option<&ChannelBinding>) -> client::TlsInfo {
    let channel_binding = channel_binding.map(|binding| {
        let kind = match binding.kind {
            ChannelBindingKind::TlsExporter => sasl::ChannelBindingKind::TlsExporter,
            ChannelBindingKind::TlsServerEndPoint => sasl::ChannelBindingKind::TlsServerEndPoint,
            ChannelBindingKind::TlsUnique => sasl::ChannelBindingKind::TlsUnique,
        };
        sasl::ChannelBinding::new(kind, binding.data.0.clone())
    });
    client::TlsInfo { verified, channel_binding }
}

/// The error that a host hands in.
pub(super) fn error(code: &str) -> Result<Error, String> {
    let known = ErrorCode::ALL.iter().find(|known| known.as_str() == code);
    known.map(|code| Error::new(*code, "the host says so")).ok_or_else(|| format!("there is no error code {code}"))
}

pub(super) fn state(state: client::State) -> State {
    match state {
        client::State::Accepted => State::Accepted,
        client::State::Deferred => State::Deferred,
        client::State::Rejected => State::Rejected,
        client::State::Unknown => State::Unknown,
    }
}

pub(super) fn reply(reply: &syntax::Reply) -> Reply {
    Reply { code: reply.code().into(), enhanced: reply.enhanced().map(|enhanced| enhanced.to_string()) }
}

/// The code of the error that a refusal stands for, if nothing else is known.
pub(super) fn error_of(reply: &Reply) -> &'static str {
    match reply.code {
        421 => "reply.closing",
        530 => "auth.required",
        400..=499 => "reply.deferred",
        _ => "reply.rejected",
    }
}

/// What became of a message, all of it.
pub(super) fn message_result(message: usize, outcome: &client::Outcome) -> MessageResult {
    MessageResult {
        message,
        outcome: match outcome.summary() {
            client::Summary::Accepted => Summary::Accepted,
            client::Summary::Partial => Summary::Partial,
            client::Summary::Deferred => Summary::Deferred,
            client::Summary::Rejected => Summary::Rejected,
            client::Summary::Unknown => Summary::Unknown,
        },
        reply: outcome.reply.as_ref().map(reply),
        error: outcome.error.as_ref().map(|error| error.code().as_str().to_owned()),
        queue_id: outcome.queue_id().map(str::to_owned),
        progress: Some(match outcome.progress {
            client::Progress::Queued => Progress::Queued,
            client::Progress::Envelope => Progress::Envelope,
            client::Progress::Content => Progress::Content,
            client::Progress::Sent => Progress::Sent,
        }),
        round_trips: Some(outcome.round_trips),
    }
}

/// A line of the trace.
pub(super) fn trace(trace: &Trace) -> String {
    match trace {
        Trace::Sent(line) => format!("C: {line}"),
        Trace::SentContent(octets) => format!("C: ({octets} octets)"),
        Trace::Received(reply) => format!("S: {reply}"),
        Trace::Tls => "TLS".into(),
    }
}

/// Nothing that is shown may hold the password or the token, neither as it is nor in base64.
pub(super) fn hides_secrets(config: &Config, host: &Host<'_>) -> Result<(), String> {
    let Some(authentication) = &config.authentication else {
        return Ok(());
    };
    let token = match &authentication.token {
        Some(Token::Known(token)) => Some(token),
        _ => None,
    };
    let debug = format!("{:?}", host.connection);
    let outcomes = host.outcomes.values().flatten().map(|outcome| format!("{outcome:?}"));
    let shown: Vec<String> = host.trace.iter().cloned().chain(outcomes).chain([debug]).collect();
    for secret in [authentication.password.as_ref(), token].into_iter().flatten() {
        let as_list = format!("{:?}", secret.as_bytes());
        let as_list = as_list.trim_matches(['[', ']']);
        for text in &shown {
            if text.contains(secret.as_str()) || text.contains(as_list) || words_in_base64(text, secret) {
                return Err(format!("a secret is shown: {text}"));
            }
        }
    }
    Ok(())
}

/// Whether a word of `text` is base64 of something that holds `secret`.
fn words_in_base64(text: &str, secret: &str) -> bool {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "+/=".contains(c)));
    words
        .filter_map(|word| STANDARD.decode(word).ok())
        .any(|bytes| bytes.windows(secret.len()).any(|window| window == secret.as_bytes()))
}

/// A secret in the type of the core.
pub(super) fn secret(text: &str) -> Secret {
    text.into()
}
