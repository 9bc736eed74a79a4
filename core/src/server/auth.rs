//! Proving who the client is (RFC 4954).

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::answers::Asked;
use super::offer::mechanisms;
use super::output::{Answer, Event, Question, Trace};
use super::peer::User;
use super::session::{Phase, Session};
use super::words::{
    AUTHENTICATED, CANCELLED, MALFORMED_RESPONSE, NEEDS_ENCRYPTION, NO_SUCH_MECHANISM, NOT_BASE64, NOT_CHECKED,
    NOT_ITS_TURN, NOT_PROVED, NOT_THERE, OUT_OF_SEQUENCE, TOO_MANY_ATTEMPTS, Words,
};
use crate::error::{Error, ErrorCode, Step};
use crate::sasl::{self, Mechanism, ServerExchange, ServerParams, ServerStep};
use crate::syntax::{InitialResponse, MechanismName};

impl Session {
    pub(super) fn auth(&mut self, name: &MechanismName, initial: Option<&InitialResponse>) {
        let Some(authentication) = &self.config.authentication else {
            return self.bad_command(NOT_THERE);
        };
        let is_wanted = |mechanism: &Mechanism| authentication.mechanisms.contains(mechanism);
        let mechanism = name.as_str().parse::<Mechanism>().ok().filter(is_wanted);
        if !self.has_said_hello() {
            return;
        }
        // RFC 4954 §4: once, and not within a transaction.
        if self.user.is_some() || self.transaction.is_some() {
            return self.bad_command(OUT_OF_SEQUENCE);
        }
        let Some(mechanism) = mechanism else {
            return self.bad_command(NO_SUCH_MECHANISM);
        };
        let initial = match initial.map(|initial| decoded(initial.as_base64().as_bytes())) {
            None => None,
            Some(Some(initial)) => Some(initial),
            Some(None) => return self.bad_command(NOT_BASE64),
        };
        self.tally.exchanges = self.tally.exchanges.saturating_add(1);
        match self.start_exchange(mechanism, initial.as_ref().map(|initial| initial.as_slice())) {
            Ok((exchange, step)) => {
                self.phase = Phase::Auth(Box::new(exchange));
                self.auth_step(mechanism, step);
            }
            Err(error) => self.auth_failed(mechanism, error),
        }
    }

    fn start_exchange(
        &self,
        mechanism: Mechanism,
        initial: Option<&[u8]>,
    ) -> Result<(ServerExchange, ServerStep), Error> {
        let Some(authentication) = &self.config.authentication else {
            return Err(Error::new(ErrorCode::Usage, "there is no authentication"));
        };
        // What only makes sense with TLS, or with a certificate, is not there without.
        if mechanism == Mechanism::External && !mechanisms(&self.config, self.tls.as_ref()).any(|it| it == mechanism) {
            return Err(Error::new(ErrorCode::AuthRefused, "the connection does not prove who the client is"));
        }
        let nonce = self.nonce();
        let mut params = ServerParams::new(
            self.config.name.as_str(),
            nonce.as_slice(),
            self.seed.unix_time,
            &authentication.fake_seed,
        );
        params.fake_iterations = authentication.fake_iterations;
        params.protected = self.tls.is_some() || authentication.dangerously_allow_plaintext;
        params.offers_plus = mechanisms(&self.config, self.tls.as_ref()).any(Mechanism::binds_channel);
        params.bindings = self.tls.as_ref().map(|tls| tls.channel_bindings.clone()).unwrap_or_default();
        ServerExchange::start(mechanism, params, initial)
    }

    /// Random bytes that are used once, although there may be several attempts.
    fn nonce(&self) -> Zeroizing<[u8; 24]> {
        let mut hmac =
            <Hmac<Sha256> as KeyInit>::new_from_slice(&self.seed.random).expect("HMAC takes keys of any length");
        hmac.update(&self.tally.exchanges.to_be_bytes());
        let mut nonce = Zeroizing::new([0; 24]);
        for (byte, random) in nonce.iter_mut().zip(hmac.finalize().into_bytes()) {
            *byte = random;
        }
        nonce
    }

    /// A response has come. `more`: the client has not waited for the challenge.
    pub(super) fn auth_response(&mut self, line: &[u8], more: bool) {
        let response = line.trim_ascii_end();
        self.wire.trace(|| Trace::Received(if response == b"*" { "*" } else { "<hidden>" }.into()));
        let Phase::Auth(exchange) = &mut self.phase else {
            return;
        };
        let mechanism = exchange.mechanism();
        if more {
            let what = "the client did not wait for the reply to what it says in AUTH";
            return self.fail(Error::new(ErrorCode::ProtocolNotItsTurn, what).at(Step::Auth), NOT_ITS_TURN);
        }
        if response == b"*" {
            self.phase = Phase::Commands;
            let error = Error::new(ErrorCode::Cancelled, "the client cancelled the authentication").at(Step::Auth);
            return self.auth_refused(mechanism, error, CANCELLED);
        }
        match decoded(response) {
            Some(response) => {
                let step = exchange.receive(&response);
                self.auth_step(mechanism, step);
            }
            None => {
                let error = Error::new(ErrorCode::AuthMalformedResponse, "the client's response is not base64");
                self.auth_refused(mechanism, error.at(Step::Auth), NOT_BASE64);
            }
        }
    }

    /// The host has said something about the credentials.
    pub(super) fn credentials_answered(&mut self, answer: Answer) {
        let Phase::Auth(exchange) = &mut self.phase else {
            return;
        };
        let mechanism = exchange.mechanism();
        let answer = match answer {
            Answer::Credentials(answer) => answer,
            Answer::Refuse => sasl::Answer::Refuse,
            answer => {
                self.phase = Phase::Commands;
                return self.auth_ended_by_host(answer);
            }
        };
        let step = exchange.answer(answer);
        self.auth_step(mechanism, step);
    }

    fn auth_step(&mut self, mechanism: Mechanism, step: ServerStep) {
        match step {
            ServerStep::Challenge(challenge) => {
                let line = Zeroizing::new(format!(
                    "334 {}\r\n",
                    Zeroizing::new(Base64::encode_string(challenge.as_bytes())).as_str()
                ));
                self.wire.say_secret(line.as_bytes(), if challenge.is_empty() { "334" } else { "334 <hidden>" });
            }
            ServerStep::Ask(question) => {
                self.ask(Asked::Credentials, Question::Credentials(question));
            }
            ServerStep::Done { user, authzid: None } => {
                self.authenticated(User { name: user, acts_for: None, mechanism });
            }
            ServerStep::Done { user, authzid } => {
                let user = User { name: user, acts_for: authzid, mechanism };
                self.ask(Asked::ActFor(user.clone()), Question::ActFor(user));
            }
            ServerStep::Failed(error) => self.auth_failed(mechanism, error),
        }
    }

    pub(super) fn authenticated(&mut self, user: User) {
        self.phase = Phase::Commands;
        self.wire.event(Event::Authenticated(user.clone()));
        self.user = Some(user);
        self.say(AUTHENTICATED);
    }

    /// The client is who it says, but may not act for whom it wants to.
    pub(super) fn may_not_act(&mut self, user: &User) {
        let what = format!(
            "{} may not act for {}",
            printable(&user.name),
            printable(user.acts_for.as_deref().unwrap_or_default())
        );
        self.auth_refused(user.mechanism, Error::new(ErrorCode::AuthRefused, what).at(Step::Auth), NOT_PROVED);
    }

    fn auth_failed(&mut self, mechanism: Mechanism, error: Error) {
        let words = match error.code() {
            ErrorCode::SecurityPlaintextCredentials => NEEDS_ENCRYPTION,
            ErrorCode::AuthMalformedResponse => MALFORMED_RESPONSE,
            ErrorCode::AuthUnavailable | ErrorCode::Usage => NOT_CHECKED,
            _ => NOT_PROVED,
        };
        self.auth_refused(mechanism, error.at(Step::Auth), words);
    }

    fn auth_refused(&mut self, mechanism: Mechanism, error: Error, words: Words) {
        self.phase = Phase::Commands;
        self.wire.event(Event::NotAuthenticated { mechanism, error });
        self.say(words);
        self.attempt_failed();
    }

    pub(super) fn attempt_failed(&mut self) {
        self.tally.auth_failures = self.tally.auth_failures.saturating_add(1);
        if self.tally.auth_failures >= self.config.bounds.auth_failures.max(1) {
            let error = Error::new(ErrorCode::LimitErrors, "there were too many attempts to authenticate");
            self.fail(error.at(Step::Auth), TOO_MANY_ATTEMPTS);
        }
    }
}

/// What stands behind AUTH or in a response; `=` stands for an empty one (RFC 4954 §4).
fn decoded(base64: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    if base64 == b"=" {
        return Some(Zeroizing::new(Vec::new()));
    }
    let text = core::str::from_utf8(base64).ok()?;
    Base64::decode_vec(text).ok().map(Zeroizing::new)
}

fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
