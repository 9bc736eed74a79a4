//! From the first byte to the first message: greeting, EHLO, STARTTLS, AUTH.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use super::config::{Authentication, Protocol, Tls, TlsInfo};
use super::connection::{Connection, Phase};
use super::outcome::refusal;
use super::output::{Event, Output, Trace};
use super::wire::Asked;
use crate::error::{Error, ErrorCode, Step};
use crate::sasl::{ClientExchange, Credentials, Mechanism, Params, Response, Secret, choose};
use crate::syntax::{Capabilities, Reply, Severity};

/// The longest command line that every server takes (RFC 5321 §4.5.3.1.4). An initial response that does not fit goes
/// in a line of its own (RFC 4954 §4).
const COMMAND_LINE: usize = 512;

/// An AUTH command under way.
#[derive(Clone, Debug)]
pub(super) struct AuthExchange {
    exchange: ClientExchange,
    /// With the token, where that was asked of the host.
    pub(super) credentials: Credentials,
    /// The last response, as it was said.
    pub(super) said: Zeroizing<String>,
    /// The initial response, where it did not fit into the command line.
    unsaid: Option<Response>,
    /// Why we have cancelled.
    cancelled: Option<Error>,
}

impl Connection {
    pub(super) fn begin(&mut self, now: Duration) {
        if self.config.tls == Tls::Implicit {
            self.ask_for_tls(now);
        } else {
            self.phase = Phase::Opening;
            self.wire.await_reply(now, Asked::Greeting);
        }
    }

    /// A reply has come to what is said before the first message.
    #[cold]
    pub(super) fn opening_answered(&mut self, asked: Asked, reply: &Reply, now: Duration) {
        match asked {
            Asked::Greeting => self.greeted(reply, now),
            Asked::Hello => self.hello_answered(reply, now),
            Asked::StartTls => self.start_tls_answered(reply, now),
            _ => self.auth_answered(reply, now),
        }
    }

    fn greeted(&mut self, reply: &Reply, now: Duration) {
        let severity = reply.severity();
        if severity == Severity::Completion {
            self.wire.event(Event::Greeting(reply.clone()));
            self.say_hello(if self.is_lmtp() { "LHLO" } else { "EHLO" }, now);
        } else if severity == Severity::Intermediate {
            self.unexpected_code(reply, Step::Greeting);
        } else {
            self.part(refusal(reply).at(Step::Greeting), Some(reply.clone()), now);
        }
    }

    fn hello_answered(&mut self, reply: &Reply, now: Duration) {
        let esmtp = !self.said_helo;
        match reply.severity() {
            Severity::Completion => {
                self.capabilities = if esmtp { Capabilities::from_reply(reply) } else { Capabilities::default() };
                self.wire.event(Event::Capabilities(Box::new(self.capabilities.clone())));
                self.secure(now);
            }
            // RFC 5321 §3.2: a server that does not know EHLO.
            Severity::Permanent if esmtp && !self.is_lmtp() && matches!(reply.code().as_u16(), 500 | 502) => {
                self.said_helo = true;
                self.say_hello("HELO", now);
            }
            Severity::Intermediate => self.unexpected_code(reply, Step::Ehlo),
            _ => self.part(refusal(reply).at(Step::Ehlo), Some(reply.clone()), now),
        }
    }

    fn start_tls_answered(&mut self, reply: &Reply, now: Duration) {
        match reply.severity() {
            Severity::Completion => self.ask_for_tls(now),
            Severity::Intermediate => self.unexpected_code(reply, Step::StartTls),
            _ if self.config.tls == Tls::Opportunistic => self.authenticate(now),
            _ => {
                let what = format!("TLS is required, and the server said: {reply}");
                self.part(
                    Error::new(ErrorCode::SecurityTlsStripped, what).at(Step::StartTls),
                    Some(reply.clone()),
                    now,
                );
            }
        }
    }

    /// Bytes came while TLS should begin.
    pub(super) fn injected(&mut self) {
        let what = "bytes arrived behind the reply to STARTTLS, before TLS";
        self.hang_up(Error::new(ErrorCode::SecurityStarttlsInjection, what).at(Step::StartTls), None);
    }

    pub(super) fn secured(&mut self, info: TlsInfo, now: Duration) {
        if !info.verified && self.config.tls != Tls::Opportunistic {
            let error = Error::new(ErrorCode::TlsCertificate, "the certificate was not verified");
            return self.hang_up(error.at(Step::StartTls), None);
        }
        if self.config.trace {
            self.wire.event(Event::Trace(Trace::Tls));
        }
        self.tls = Some(info);
        self.phase = Phase::Opening;
        // RFC 3207 §4.2: nothing that was learnt before counts.
        self.capabilities = Capabilities::default();
        self.said_helo = false;
        if self.config.tls == Tls::Implicit {
            self.wire.await_reply(now, Asked::Greeting);
        } else {
            self.say_hello(if self.is_lmtp() { "LHLO" } else { "EHLO" }, now);
        }
    }

    fn auth_answered(&mut self, reply: &Reply, now: Duration) {
        let Phase::Auth(auth) = &mut self.phase else {
            return;
        };
        match (reply.severity(), &auth.cancelled) {
            (Severity::Intermediate, None) => self.challenged(reply, now),
            (Severity::Completion, None) => match auth.exchange.succeeded() {
                Ok(()) => {
                    let mechanism = auth.exchange.mechanism();
                    self.wire.event(Event::Authenticated(mechanism));
                    self.become_ready();
                }
                Err(error) => self.part(error.at(Step::Auth), None, now),
            },
            (Severity::Transient | Severity::Permanent, None) => self.auth_refused(reply, now),
            (_, Some(error)) => {
                let error = error.clone();
                self.part(error, None, now);
            }
        }
    }

    /// The host has a token.
    pub(super) fn token_given(&mut self, token: Secret, now: Duration) {
        let Phase::Token = self.phase else {
            return;
        };
        let credentials = self.config.authentication.as_ref().map(|it| it.credentials.clone());
        match credentials.map(|credentials| credentials.with_token(token)) {
            Some(Ok(credentials)) => self.say_auth(&credentials, now),
            Some(Err(error)) => self.part(error.at(Step::Auth), None, now),
            None => self.become_ready(),
        }
    }

    fn is_lmtp(&self) -> bool {
        self.config.protocol == Protocol::Lmtp
    }

    fn say_hello(&mut self, verb: &str, now: Duration) {
        let name = self.config.ehlo.as_str();
        self.wire.command(now, Asked::Hello, |out| {
            for part in [verb, " ", name, "\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        });
    }

    fn ask_for_tls(&mut self, now: Duration) {
        self.phase = Phase::Handshake { since: now };
        self.wire.ask_host(Output::StartTls {
            server_name: self.config.server_name.clone(),
            verify: self.config.tls != Tls::Opportunistic,
        });
    }

    /// After EHLO: TLS, where it is wanted and not there yet.
    fn secure(&mut self, now: Duration) {
        let wanted = matches!(self.config.tls, Tls::StartTls | Tls::Opportunistic) && self.tls.is_none();
        if wanted && self.capabilities.starttls() {
            self.wire.command(now, Asked::StartTls, |out| out.extend_from_slice(b"STARTTLS\r\n"));
        } else if wanted && self.config.tls == Tls::StartTls {
            let what = "TLS is required, and the server does not offer STARTTLS";
            self.part(Error::new(ErrorCode::SecurityTlsStripped, what).at(Step::StartTls), None, now);
        } else {
            self.authenticate(now);
        }
    }

    fn authenticate(&mut self, now: Duration) {
        let Some(authentication) = &self.config.authentication else {
            return self.become_ready();
        };
        let verified = self.tls.as_ref().is_some_and(|tls| tls.verified);
        let offered = self.capabilities.auth();
        let error = if !verified && !authentication.dangerously_allow_plaintext {
            Error::new(ErrorCode::SecurityPlaintextCredentials, "credentials would go over an unprotected connection")
        } else if offered.is_empty() {
            Error::new(ErrorCode::AuthNotOffered, "the server offers no authentication")
        } else if let Err(error) = self.choose_mechanism(authentication) {
            error
        } else if authentication.credentials.needs_token() {
            self.phase = Phase::Token;
            return self.wire.ask_host(Output::GetToken);
        } else {
            let credentials = authentication.credentials.clone();
            return self.say_auth(&credentials, now);
        };
        self.part(error.at(Step::Auth), None, now);
    }

    fn say_auth(&mut self, credentials: &Credentials, now: Duration) {
        let started = match &self.config.authentication {
            Some(authentication) => self.start_exchange(authentication, credentials),
            None => return self.become_ready(),
        };
        let (exchange, response) = match started {
            Ok(started) => started,
            Err(error) => return self.part(error.at(Step::Auth), None, now),
        };
        let mut line = Zeroizing::new(format!("AUTH {}", exchange.mechanism()).into_bytes());
        let shown = String::from_utf8_lossy(&line).into_owned();
        let mut unsaid = response;
        let mut said = Zeroizing::default();
        if let Some(initial) = unsaid.take() {
            let encoded = encoded(&initial);
            if line.len() + 1 + encoded.len() + 2 <= COMMAND_LINE {
                line.push(b' ');
                // RFC 4954 §4: an empty initial response is a single "=".
                line.extend_from_slice(if encoded.is_empty() { b"=" } else { encoded.as_bytes() });
                said = encoded;
            } else {
                unsaid = Some(initial);
            }
        }
        let hidden = if line.len() > shown.len() { " <hidden>" } else { "" };
        line.extend_from_slice(b"\r\n");
        self.tried.push(exchange.mechanism());
        self.wire.secret(now, Asked::Auth, &line, shown + hidden);
        self.phase = Phase::Auth(Box::new(AuthExchange {
            exchange,
            credentials: credentials.clone(),
            said,
            unsaid,
            cancelled: None,
        }));
    }

    fn start_exchange(
        &self,
        authentication: &Authentication,
        credentials: &Credentials,
    ) -> Result<(ClientExchange, Option<Response>), Error> {
        let mechanism = self.choose_mechanism(authentication)?;
        let params = Params {
            binding: self.tls.as_ref().and_then(|tls| tls.channel_binding.clone()),
            offered_plus: self.capabilities.auth().iter().any(|name| name.ends_with("-PLUS")),
            ..Params::new(&self.config.server_name, authentication.port, &authentication.nonce)
        };
        let mut exchange = ClientExchange::new(mechanism, credentials, params)?;
        let response = exchange.initial_response()?;
        Ok((exchange, response))
    }

    /// The strongest mechanism that both sides have and that has not been refused.
    fn choose_mechanism(&self, authentication: &Authentication) -> Result<Mechanism, Error> {
        let allowed = authentication.mechanisms.as_deref().unwrap_or(&Mechanism::STRONGEST_FIRST);
        let left: Vec<_> = allowed.iter().copied().filter(|mechanism| !self.tried.contains(mechanism)).collect();
        let binding = self.tls.as_ref().and_then(|tls| tls.channel_binding.as_ref());
        choose(&authentication.credentials, self.capabilities.auth(), Some(&left), binding)
    }

    fn challenged(&mut self, reply: &Reply, now: Duration) {
        let Phase::Auth(auth) = &mut self.phase else {
            return;
        };
        let response = match auth.unsaid.take() {
            Some(initial) => Ok(initial),
            None => decoded(reply).and_then(|challenge| auth.exchange.challenge(&challenge)),
        };
        match response {
            Ok(response) => {
                auth.said = encoded(&response);
                let line = Zeroizing::new([auth.said.as_bytes(), b"\r\n"].concat());
                self.wire.secret(now, Asked::Auth, &line, "<hidden>");
            }
            Err(error) => {
                // RFC 4954 §4: a client cancels by a single "*".
                auth.cancelled = Some(error.at(Step::Auth));
                self.wire.command(now, Asked::Auth, |out| out.extend_from_slice(b"*\r\n"));
            }
        }
    }

    fn auth_refused(&mut self, reply: &Reply, now: Duration) {
        let Phase::Auth(auth) = &self.phase else {
            return;
        };
        let mut what = format!("the server said: {reply}");
        if let Some(detail) = auth.exchange.failure_detail() {
            what = format!("{what} ({detail})");
        }
        let code = match reply.severity() {
            Severity::Permanent => ErrorCode::AuthRefused,
            _ => ErrorCode::ReplyDeferred,
        };
        let Some(authentication) = self.config.authentication.as_ref().filter(|it| it.try_all) else {
            return self.part(Error::new(code, what).at(Step::Auth), Some(reply.clone()), now);
        };
        let credentials = authentication.credentials.clone();
        if self.start_exchange(authentication, &credentials).is_ok() {
            self.say_auth(&credentials, now);
        } else {
            self.part(Error::new(code, what).at(Step::Auth), Some(reply.clone()), now);
        }
    }

    fn become_ready(&mut self) {
        self.phase = Phase::Ready;
        self.sender.learn(&self.capabilities, self.config.pipelining);
        self.wire.event(Event::Ready);
    }

    fn unexpected_code(&mut self, reply: &Reply, step: Step) {
        let what = format!("the server answered with {}", reply.code());
        self.hang_up(Error::new(ErrorCode::ProtocolUnexpectedCode, what).at(step), None);
    }
}

fn encoded(response: &Response) -> Zeroizing<String> {
    Zeroizing::new(Base64::encode_string(response.as_bytes()))
}

fn decoded(reply: &Reply) -> Result<Zeroizing<Vec<u8>>, Error> {
    let text = reply.lines().next().unwrap_or_default().trim_ascii();
    core::str::from_utf8(text)
        .ok()
        .and_then(|text| Base64::decode_vec(text).ok())
        .map(Zeroizing::new)
        .ok_or_else(|| Error::new(ErrorCode::AuthMalformedChallenge, "the server's challenge is not base64"))
}
