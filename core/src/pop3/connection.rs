//! One connection to a POP3 server: what goes in, what comes out, and how it ends.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use zeroize::Zeroizing;

use super::config::Config;
use super::login::LoggingIn;
use super::output::{Closed, Event, Failure, Output};
use super::repeated_secret::{without_secret, without_text};
use super::wire::Wire;
use crate::client::{Tls, TlsInfo};
use crate::error::{Error, ErrorCode, Step, in_words};
use crate::sasl::{Mechanism, Secret};
use crate::syntax::{Pop3Capabilities, Pop3Code, Pop3Framer, Pop3Response, Pop3Timestamp};

/// What the connection is doing.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    Created,
    /// The server speaks first.
    Greeting,
    /// CAPA was said.
    Capa,
    /// The list behind the response to CAPA comes.
    Listing(Listing),
    /// STLS was said.
    Stls,
    /// The host makes TLS.
    Handshake,
    /// The host gets a token.
    Token,
    LoggingIn(LoggingIn),
    /// STAT was said.
    Stat,
    /// QUIT was said.
    Quitting,
    Closed(Closed),
}

/// A list that has not come to its end.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    capabilities: Box<Pop3Capabilities>,
    lines: usize,
    bytes: usize,
}

/// One connection to a POP3 server, as a machine: a pure function of what is handed in. See the [module](super) for how
/// to drive it.
///
/// It begins when the transport is there, and before anything has been read or written.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(super) config: Config,
    pub(super) phase: Phase,
    pub(super) wire: Wire,
    pub(super) tls: Option<TlsInfo>,
    /// `None` if the server does not know CAPA.
    pub(super) capabilities: Option<Box<Pop3Capabilities>>,
    /// What the greeting has for APOP.
    pub(super) timestamp: Result<Option<Pop3Timestamp>, Error>,
    /// Mechanisms that were refused.
    pub(super) tried: Vec<Mechanism>,
    /// What has been said last that is a secret, or tells one: a server may repeat it.
    pub(super) said: Zeroizing<Vec<u8>>,
    pub(super) framer: Pop3Framer,
}

impl Connection {
    /// A connection over a transport that has just been opened.
    pub fn new(config: Config) -> Self {
        Self {
            phase: Phase::Created,
            wire: Wire::new(config.trace),
            tls: None,
            capabilities: None,
            timestamp: Ok(None),
            tried: Vec::new(),
            said: Zeroizing::default(),
            framer: Pop3Framer::new(config.reply_limits.line.min(config.reply_limits.bytes)),
            config,
        }
    }

    /// Bytes have come.
    pub fn receive(&mut self, now: Duration, bytes: &[u8]) {
        let mut input = bytes;
        while !input.is_empty() {
            match self.phase {
                Phase::Closed(_) => return,
                Phase::Created => self.begin(now),
                // CVE-2011-0411: what came before TLS must not be taken for what comes inside it.
                Phase::Handshake => {
                    let what = "bytes arrived behind the response to STLS, before TLS";
                    return self.hang_up(Error::new(ErrorCode::SecurityStarttlsInjection, what).at(Step::StartTls));
                }
                _ => match self.framer.next(&mut input) {
                    Ok(Some(line)) => self.heard(now, &line),
                    Ok(None) => return,
                    Err(error) => {
                        let error = self.without_quotation(error).at(self.step());
                        return self.hang_up(error);
                    }
                },
            }
        }
    }

    /// The other side has closed, and nothing more will come.
    pub fn receive_eof(&mut self, _now: Duration) {
        if matches!(self.phase, Phase::Quitting) {
            return self.end(Closed::Quit);
        }
        let error = Error::new(ErrorCode::ProtocolClosed, "the server closed the connection");
        self.hang_up(error.at(self.step()));
    }

    /// TLS is there.
    pub fn tls_started(&mut self, now: Duration, info: TlsInfo) {
        if !matches!(self.phase, Phase::Handshake) {
            return;
        }
        if !info.verified && self.config.tls != Tls::Opportunistic {
            let error = Error::new(ErrorCode::TlsCertificate, "the certificate was not verified");
            return self.hang_up(error.at(Step::StartTls));
        }
        self.tls = Some(info);
        self.wire.secured(now);
        // RFC 2595 §4: nothing that was learnt before counts, and so not the greeting's timestamp.
        self.capabilities = None;
        self.timestamp = Ok(None);
        if self.config.tls == Tls::Implicit {
            self.phase = Phase::Greeting;
        } else {
            self.say_capa(now);
        }
    }

    /// Here is the token that was asked for.
    pub fn token(&mut self, now: Duration, token: Secret) {
        if !matches!(self.phase, Phase::Token) {
            return;
        }
        match self.config.authentication.credentials.clone().with_token(token) {
            Ok(credentials) => self.log_in_with(&credentials, now),
            Err(error) => self.part(error.at(Step::Auth), None, now),
        }
    }

    /// The transport broke, TLS could not be made, no token could be had: the connection is over, for this reason.
    pub fn failed(&mut self, error: Error) {
        let error = if error.step().is_none() { error.at(self.step()) } else { error };
        self.hang_up(error);
    }

    /// The moment has come that [`Output::Wait`] named.
    pub fn deadline_passed(&mut self, now: Duration) {
        let Some(timeout) = self.timeout().filter(|timeout| self.wire.since.saturating_add(*timeout) <= now) else {
            return;
        };
        let (code, what) = match self.phase {
            Phase::Quitting => return self.end(Closed::Quit),
            Phase::Handshake => (ErrorCode::TimeoutTls, "the TLS handshake did not end"),
            _ => (ErrorCode::TimeoutReply, "no complete reply came"),
        };
        let what = format!("{what} within {}", in_words(timeout));
        self.hang_up(Error::new(code, what).at(self.step()));
    }

    /// What to do next. To be called until it says [`Output::Wait`] or [`Output::Closed`].
    pub fn poll(&mut self, now: Duration) -> Output {
        if let Phase::Created = self.phase {
            self.begin(now);
        }
        if let Some(output) = self.wire.next_output() {
            return output;
        }
        match &self.phase {
            Phase::Closed(closed) => Output::Closed(closed.clone()),
            _ => Output::Wait { deadline: self.timeout().map(|timeout| self.wire.since.saturating_add(timeout)) },
        }
    }

    /// Whether it is over.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed(_))
    }

    fn begin(&mut self, now: Duration) {
        self.wire.since = now;
        if self.config.tls == Tls::Implicit {
            self.ask_for_tls(now);
        } else {
            self.phase = Phase::Greeting;
        }
    }

    /// A line has come.
    fn heard(&mut self, now: Duration, line: &[u8]) {
        let repeats_secret = self.repeats_secret(line);
        if repeats_secret {
            self.wire.heard(without_text(line).as_bytes());
        } else {
            self.wire.heard(line);
        }
        let asked = !self.wire.is_unsaid() && !matches!(self.phase, Phase::Token);
        if let Phase::Listing(listing) = &mut self.phase
            && asked
        {
            return match listing.add(line, &self.config) {
                Ok(true) => {}
                Ok(false) => {
                    let capabilities = core::mem::take(&mut listing.capabilities);
                    self.capabilities = Some(capabilities);
                    self.capabilities_known(now);
                }
                Err(error) => self.hang_up(error),
            };
        }
        match Pop3Response::parse(line) {
            Ok(response) => {
                let response = if repeats_secret { without_secret(response) } else { response };
                if asked { self.answered(now, line, response) } else { self.unasked(&response) }
            }
            Err(error) => {
                let error = self.without_quotation(error).at(self.step());
                self.hang_up(error);
            }
        }
    }

    /// A response has come that nothing had asked for.
    fn unasked(&mut self, response: &Pop3Response) {
        let what = format!("the server said without being asked: {response}");
        let error = Error::new(ErrorCode::ProtocolUnexpectedReply, what);
        self.hang_up(error.at(self.step()));
    }

    /// A response has come.
    fn answered(&mut self, now: Duration, line: &[u8], response: Pop3Response) {
        if matches!(response, Pop3Response::Challenge(_)) && !matches!(self.phase, Phase::LoggingIn(_)) {
            let error = Error::new(ErrorCode::ProtocolUnexpectedCode, "the server answered with a challenge");
            return self.hang_up(error.at(self.step()));
        }
        let ok = matches!(response, Pop3Response::Ok(_));
        match self.phase {
            Phase::Greeting if ok => {
                self.timestamp = Pop3Timestamp::find(line);
                self.wire.event(Event::Greeting(response));
                self.say_capa(now);
            }
            Phase::Greeting => {
                let error = refusal(&response).at(Step::Greeting);
                self.part(error, Some(response), now);
            }
            Phase::Capa if ok => self.phase = Phase::Listing(Listing::default()),
            Phase::Capa => self.capabilities_known(now),
            Phase::Stls if ok => self.ask_for_tls(now),
            Phase::Stls if self.config.tls == Tls::Opportunistic => self.log_in(now),
            Phase::Stls => {
                let what = format!("TLS is required, and the server said: {response}");
                self.part(Error::new(ErrorCode::SecurityTlsStripped, what).at(Step::StartTls), Some(response), now);
            }
            Phase::LoggingIn(_) => self.login_answered(response, now),
            Phase::Stat => {
                if let Some(maildrop) = maildrop(&response) {
                    self.wire.event(maildrop);
                }
                self.phase = Phase::Quitting;
                self.wire.say(now, &[b"QUIT"], None);
            }
            Phase::Quitting => self.end(Closed::Quit),
            Phase::Created | Phase::Listing(_) | Phase::Handshake | Phase::Token | Phase::Closed(_) => {}
        }
    }

    fn say_capa(&mut self, now: Duration) {
        self.phase = Phase::Capa;
        self.wire.say(now, &[b"CAPA"], None);
    }

    /// After CAPA: TLS, where it is wanted and not there yet.
    fn capabilities_known(&mut self, now: Duration) {
        self.wire.event(Event::Capabilities(self.capabilities.clone().unwrap_or_default()));
        let wanted = matches!(self.config.tls, Tls::StartTls | Tls::Opportunistic) && self.tls.is_none();
        let offered = self.capabilities.as_ref().is_some_and(|capabilities| capabilities.stls());
        if wanted && offered {
            self.phase = Phase::Stls;
            self.wire.say(now, &[b"STLS"], None);
        } else if wanted && self.config.tls == Tls::StartTls {
            let what = "TLS is required, and the server does not offer STLS";
            self.part(Error::new(ErrorCode::SecurityTlsStripped, what).at(Step::StartTls), None, now);
        } else {
            self.log_in(now);
        }
    }

    fn ask_for_tls(&mut self, now: Duration) {
        self.phase = Phase::Handshake;
        self.wire.since = now;
        self.wire.ask_host(Output::StartTls {
            server_name: self.config.server_name.clone(),
            verify: self.config.tls != Tls::Opportunistic,
        });
    }

    /// How long the other side may take for what it has to do now.
    fn timeout(&self) -> Option<Duration> {
        let timeouts = &self.config.timeouts;
        match self.phase {
            Phase::Created | Phase::Token | Phase::Closed(_) => None,
            Phase::Greeting => Some(timeouts.greeting),
            Phase::Handshake => Some(timeouts.tls),
            Phase::Quitting => Some(timeouts.quit),
            Phase::Capa | Phase::Listing(_) | Phase::Stls | Phase::LoggingIn(_) | Phase::Stat => Some(timeouts.command),
        }
    }

    fn step(&self) -> Step {
        match self.phase {
            Phase::Created | Phase::Greeting => Step::Greeting,
            Phase::Capa | Phase::Listing(_) => Step::Capa,
            Phase::Stls | Phase::Handshake => Step::StartTls,
            Phase::Token | Phase::LoggingIn(_) => Step::Auth,
            Phase::Stat => Step::Stat,
            Phase::Quitting | Phase::Closed(_) => Step::Quit,
        }
    }

    /// Ends it with QUIT, whose answer nobody waits for: the protocol is in order, we don't want to go on.
    pub(super) fn part(&mut self, error: Error, response: Option<Pop3Response>, now: Duration) {
        self.wire.hang_up();
        self.wire.say(now, &[b"QUIT"], None);
        self.phase = Phase::Closed(Closed::Failed(Failure { error, response }));
    }

    /// Ends it without a word.
    pub(super) fn hang_up(&mut self, error: Error) {
        self.end(Closed::Failed(Failure { error, response: None }));
    }

    fn end(&mut self, closed: Closed) {
        if !self.is_closed() {
            self.wire.hang_up();
            self.phase = Phase::Closed(closed);
        }
    }
}

impl Listing {
    /// Takes a line; false if it was the last one.
    fn add(&mut self, line: &[u8], config: &Config) -> Result<bool, Error> {
        let limits = &config.reply_limits;
        self.lines += 1;
        self.bytes = self.bytes.saturating_add(line.len() + 2);
        let (code, what) = if self.lines > limits.lines {
            (ErrorCode::LimitReplyLines, format!("the server's reply has more than {} lines", limits.lines))
        } else if self.bytes > limits.bytes {
            (ErrorCode::LimitReplyBytes, format!("the server's reply has more than {} bytes", limits.bytes))
        } else {
            return Ok(self.capabilities.add_line(line));
        };
        Err(Error::new(code, what).at(Step::Capa))
    }
}

/// The error that a response stands for which is no `+OK`, to anything but a log-in.
fn refusal(response: &Pop3Response) -> Error {
    let code = match response {
        Pop3Response::Err(Some(Pop3Code::SystemPermanent), _) => ErrorCode::ReplyRejected,
        _ => ErrorCode::ReplyDeferred,
    };
    Error::new(code, format!("the server said: {response}"))
}

// RFC 1939 section 5
//
//   drop-listing = nn SP mm

/// What STAT says, if it is that.
fn maildrop(response: &Pop3Response) -> Option<Event> {
    let Pop3Response::Ok(text) = response else {
        return None;
    };
    let mut words = text.split_ascii_whitespace();
    let (messages, octets) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(Event::Maildrop { messages, octets })
}
