//! The log-in: SASL (RFC 5034), USER and PASS, APOP (RFC 1939 §7).

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use super::config::Login;
use super::connection::{Connection, Phase};
use super::output::{Event, Method, Output};
use crate::error::{Error, ErrorCode, Step};
use crate::sasl::{ClientExchange, Credentials, Mechanism, Params, Response, apop, choose, user_pass};
use crate::syntax::{Pop3Code, Pop3Response};

/// The longest command line that every server takes (RFC 2449 §4). An initial response that does not fit goes in a line of
/// its own (RFC 5034 §4).
const COMMAND_LINE: usize = 255;

/// A log-in under way: what has been said last.
#[derive(Clone, Debug)]
pub(super) enum LoggingIn {
    Auth(Box<Auth>),
    /// AUTH was cancelled by `*`, for this reason.
    Cancelled(Error),
    User {
        password: Response,
    },
    Pass,
    Apop,
}

/// An AUTH command under way.
#[derive(Clone, Debug)]
pub(super) struct Auth {
    exchange: ClientExchange,
    /// The initial response, where it did not fit into the command line.
    unsaid: Option<Response>,
    /// For the next mechanism, if this one is refused.
    credentials: Credentials,
}

impl Connection {
    /// Everything that comes before it is done.
    pub(super) fn log_in(&mut self, now: Duration) {
        let authentication = &self.config.authentication;
        let verified = self.tls.as_ref().is_some_and(|tls| tls.verified);
        if !verified && !authentication.dangerously_allow_plaintext {
            let what = "credentials would go over an unprotected connection";
            let error = Error::new(ErrorCode::SecurityPlaintextCredentials, what);
            return self.part(error.at(Step::Auth), None, now);
        }
        if authentication.credentials.needs_token() && matches!(self.config.login, Login::Auto | Login::Sasl) {
            if let Err(error) = self.choose_mechanism(&authentication.credentials) {
                return self.part(error.at(Step::Auth), None, now);
            }
            self.phase = Phase::Token;
            return self.wire.ask_host(Output::GetToken);
        }
        let credentials = authentication.credentials.clone();
        self.log_in_with(&credentials, now);
    }

    pub(super) fn log_in_with(&mut self, credentials: &Credentials, now: Duration) {
        let done = match self.config.login {
            Login::Sasl => self.say_auth(credentials, now),
            Login::UserPass => self.say_user(credentials, now),
            Login::Apop => self.say_apop(credentials, now),
            Login::Auto => match self.choose_mechanism(credentials) {
                Err(_) if self.may_say_user() => self.say_user(credentials, now),
                _ => self.say_auth(credentials, now),
            },
        };
        if let Err(error) = done {
            self.part(error.at(Step::Auth), None, now);
        }
    }

    /// The response to the last thing that was said has come.
    pub(super) fn login_answered(&mut self, response: Pop3Response, now: Duration) {
        let Phase::LoggingIn(logging_in) = &mut self.phase else {
            return;
        };
        match (logging_in, response) {
            (LoggingIn::Auth(_), Pop3Response::Challenge(challenge)) => self.challenged(&challenge, now),
            (LoggingIn::Cancelled(error), _) => {
                let error = error.clone();
                self.part(error, None, now);
            }
            (_, Pop3Response::Challenge(_)) => {
                let error = Error::new(ErrorCode::ProtocolUnexpectedCode, "the server answered with a challenge");
                self.hang_up(error.at(Step::Auth));
            }
            (LoggingIn::Auth(auth), Pop3Response::Ok(_)) => match auth.exchange.succeeded() {
                Ok(()) => {
                    let method = Method::Sasl(auth.exchange.mechanism());
                    self.logged_in(method, now);
                }
                Err(error) => self.part(error.at(Step::Auth), None, now),
            },
            (LoggingIn::User { password }, Pop3Response::Ok(_)) => {
                let password = password.clone();
                self.phase = Phase::LoggingIn(LoggingIn::Pass);
                self.say_secret(b"PASS ", password.as_bytes(), "PASS <hidden>", now);
            }
            (LoggingIn::Pass, Pop3Response::Ok(_)) => self.logged_in(Method::UserPass, now),
            (LoggingIn::Apop, Pop3Response::Ok(_)) => self.logged_in(Method::Apop, now),
            (_, response @ Pop3Response::Err(..)) => self.refused(response, now),
        }
    }

    /// Says a line of which only `shown` may be seen.
    fn say_secret(&mut self, verb: &[u8], secret: &[u8], shown: &str, now: Duration) {
        self.said = Zeroizing::new(secret.to_vec());
        self.wire.say(now, &[verb, secret], Some(shown));
    }

    fn logged_in(&mut self, method: Method, now: Duration) {
        self.wire.event(Event::LoggedIn(method));
        self.phase = Phase::Stat;
        self.wire.say(now, &[b"STAT"], None);
    }

    fn say_auth(&mut self, credentials: &Credentials, now: Duration) -> Result<(), Error> {
        let mechanism = self.choose_mechanism(credentials)?;
        let authentication = &self.config.authentication;
        let params = Params {
            binding: self.tls.as_ref().and_then(|tls| tls.channel_binding.clone()),
            offered_plus: self.offered().iter().any(|name| name.ends_with("-PLUS")),
            ..Params::new(&self.config.server_name, authentication.port, &authentication.nonce)
        };
        let mut exchange = ClientExchange::new(mechanism, credentials, params)?;
        let mut unsaid = exchange.initial_response()?;
        let command = format!("AUTH {mechanism}");
        let mut initial = Zeroizing::new(String::new());
        if let Some(response) = unsaid.take() {
            initial = encoded(&response);
            if initial.is_empty() {
                // RFC 5034 §4: an empty initial response is a single "=".
                initial.push('=');
            }
            if command.len() + 1 + initial.len() + 2 > COMMAND_LINE {
                unsaid = Some(response);
                initial = Zeroizing::new(String::new());
            }
        }
        if initial.is_empty() {
            self.wire.say(now, &[command.as_bytes()], None);
        } else {
            let shown = format!("{command} <hidden>");
            self.say_secret(format!("{command} ").as_bytes(), initial.as_bytes(), &shown, now);
        }
        self.tried.push(mechanism);
        let credentials = credentials.clone();
        self.phase = Phase::LoggingIn(LoggingIn::Auth(Box::new(Auth { exchange, unsaid, credentials })));
        Ok(())
    }

    fn say_user(&mut self, credentials: &Credentials, now: Duration) -> Result<(), Error> {
        let (user, password) = user_pass(credentials, self.takes_utf8())?;
        self.wire.say(now, &[b"USER ", user.as_bytes()], None);
        self.phase = Phase::LoggingIn(LoggingIn::User { password });
        Ok(())
    }

    fn say_apop(&mut self, credentials: &Credentials, now: Duration) -> Result<(), Error> {
        let timestamp = self.timestamp.clone()?.ok_or_else(|| {
            let what = "there is no timestamp for APOP in a greeting that can be trusted";
            Error::new(ErrorCode::AuthNotOffered, what)
        })?;
        let response = apop(credentials, &timestamp, self.takes_utf8())?;
        self.say_secret(b"APOP ", response.as_bytes(), "APOP <hidden>", now);
        self.phase = Phase::LoggingIn(LoggingIn::Apop);
        Ok(())
    }

    fn challenged(&mut self, challenge: &[u8], now: Duration) {
        let Phase::LoggingIn(LoggingIn::Auth(auth)) = &mut self.phase else {
            return;
        };
        let response = match auth.unsaid.take() {
            Some(initial) => Ok(initial),
            None => decoded(challenge).and_then(|challenge| auth.exchange.challenge(&challenge)),
        };
        match response {
            Ok(response) => self.say_secret(b"", encoded(&response).as_bytes(), "<hidden>", now),
            Err(error) => {
                // RFC 5034 §4: a client cancels by a single "*".
                self.phase = Phase::LoggingIn(LoggingIn::Cancelled(error.at(Step::Auth)));
                self.wire.say(now, &[b"*"], None);
            }
        }
    }

    fn refused(&mut self, response: Pop3Response, now: Duration) {
        let Phase::LoggingIn(logging_in) = &self.phase else {
            return;
        };
        let (detail, next) = match logging_in {
            LoggingIn::Auth(auth) => (auth.exchange.failure_detail(), Some(auth.credentials.clone())),
            _ => (None, None),
        };
        let mut what = format!("the server said: {response}");
        if let Some(detail) = detail {
            what = format!("{what} ({detail})");
        }
        let code = match response {
            Pop3Response::Err(Some(code), _) if code != Pop3Code::Auth => ErrorCode::AuthUnavailable,
            _ => ErrorCode::AuthRefused,
        };
        if let Some(credentials) = next.filter(|_| self.config.authentication.try_all)
            && (self.choose_mechanism(&credentials).is_ok() || self.config.login == Login::Auto && self.may_say_user())
        {
            return self.log_in_with(&credentials, now);
        }
        self.part(Error::new(code, what).at(Step::Auth), Some(response), now);
    }

    /// The strongest mechanism that both sides have and that has not been refused.
    fn choose_mechanism(&self, credentials: &Credentials) -> Result<Mechanism, Error> {
        let offered = self.offered();
        if offered.is_empty() {
            return Err(Error::new(ErrorCode::AuthNotOffered, "the server offers no authentication by SASL"));
        }
        let allowed = self.config.authentication.mechanisms.as_deref().unwrap_or(&Mechanism::STRONGEST_FIRST);
        let left: Vec<_> = allowed.iter().copied().filter(|mechanism| !self.tried.contains(mechanism)).collect();
        let binding = self.tls.as_ref().and_then(|tls| tls.channel_binding.as_ref());
        choose(credentials, offered, Some(&left), binding)
    }

    fn offered(&self) -> &[String] {
        self.capabilities.as_ref().map_or(&[], |capabilities| capabilities.sasl())
    }

    /// Whether USER and PASS are a way: they are offered, or the server is too old to say so; and nobody has asked for a
    /// mechanism by name.
    fn may_say_user(&self) -> bool {
        let authentication = &self.config.authentication;
        let offered = self.capabilities.as_ref().is_none_or(|capabilities| capabilities.user());
        offered && authentication.mechanisms.is_none() && authentication.credentials.is_user_and_password()
    }

    fn takes_utf8(&self) -> bool {
        self.capabilities.as_ref().is_some_and(|capabilities| capabilities.utf8_user())
    }
}

fn encoded(response: &Response) -> Zeroizing<String> {
    Zeroizing::new(Base64::encode_string(response.as_bytes()))
}

fn decoded(challenge: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    core::str::from_utf8(challenge.trim_ascii())
        .ok()
        .and_then(|text| Base64::decode_vec(text).ok())
        .map(Zeroizing::new)
        .ok_or_else(|| Error::new(ErrorCode::AuthMalformedChallenge, "the server's challenge is not base64"))
}
