//! The client's side of one exchange, whatever the mechanism.

use super::channel_binding::ChannelBinding;
use super::credentials::{Credentials, Kind, unusable};
use super::hash::Hash;
use super::limits::MAX_MESSAGE;
use super::mechanism::Mechanism;
use super::scram::{self, Binding, MAX_ITERATIONS, MIN_NONCE, Names};
use super::secret::{Response, Secret};
use super::server_words::shown;
use super::{cram_md5, external, login, oauthbearer, plain, xoauth2};
use crate::error::{Error, ErrorCode};
use alloc::string::String;
use base64ct::{Base64, Encoding};

/// How much of a server's words about a refused token is kept.
const MAX_DETAIL: usize = 512;

/// What an exchange depends on besides the credentials.
#[derive(Clone, Debug)]
pub struct Params<'a> {
    /// The server's name, in ASCII, as the client looked it up; for OAUTHBEARER. Empty: it is not told.
    pub host: &'a str,
    /// The server's port; for OAUTHBEARER.
    pub port: u16,
    /// At least [`MIN_NONCE`] random bytes, never used before; for SCRAM.
    pub nonce: &'a [u8],
    /// What ties the exchange to the TLS connection, if the host has it.
    pub binding: Option<ChannelBinding>,
    /// Whether the server offered any mechanism that ends in -PLUS. If it did not, and there is a `binding`, the server
    /// is told so, and can tell whether somebody took it from the list (RFC 5802 §6).
    pub offered_plus: bool,
    /// The most iterations that SCRAM may cost; [`MAX_ITERATIONS`] is a fair choice.
    pub max_iterations: u32,
}

impl<'a> Params<'a> {
    /// Without a channel binding.
    pub fn new(host: &'a str, port: u16, nonce: &'a [u8]) -> Self {
        Self { host, port, nonce, binding: None, offered_plus: false, max_iterations: MAX_ITERATIONS }
    }
}

/// The client's side of one exchange.
///
/// Once it has failed it stays so, with the same error.
#[derive(Clone, Debug)]
pub struct ClientExchange {
    mechanism: Mechanism,
    state: State,
    failure_detail: Option<String>,
}

#[derive(Clone, Debug)]
enum State {
    /// The client speaks first, and has not yet.
    Opening {
        first: Response,
        then: Turn,
    },
    /// The server speaks next.
    Open(Turn),
    Failed(Error),
}

/// What to do with the server's next challenge.
#[derive(Clone, Debug)]
enum Turn {
    Scram(scram::Client),
    CramMd5(cram_md5::Client),
    Login(login::Client),
    /// It is the reason why the token is refused, and is answered with this.
    Bearer {
        token: Secret,
        answer: &'static [u8],
    },
    /// There must be none: the client has said all, and waits for the verdict.
    Verdict,
    /// The same, after the server has said why the token is refused.
    Refusal,
}

impl ClientExchange {
    /// Starts an exchange.
    ///
    /// [`ErrorCode::AuthCredentials`] if the mechanism cannot carry the credentials (which [`choose`](super::choose)
    /// sees to), or there is no token; [`ErrorCode::SecurityChannelBinding`] for a -PLUS without a binding;
    /// [`ErrorCode::Usage`] for a nonce that is too short, or a host name outside ASCII.
    pub fn new(mechanism: Mechanism, credentials: &Credentials, params: Params<'_>) -> Result<Self, Error> {
        let state = match (mechanism, credentials.kind()) {
            (Mechanism::External, Kind::External { authzid }) => {
                opening(external::response(authzid.as_deref()), Turn::Verdict)?
            }
            (Mechanism::Plain, Kind::Password { user, password, authzid }) => {
                opening(plain::response(authzid.as_deref(), user, password.expose()), Turn::Verdict)?
            }
            (Mechanism::OauthBearer, Kind::Token { user, token }) => {
                let token = required(token.as_ref())?;
                let first = oauthbearer::response(user.as_deref(), token, params.host, params.port)?;
                opening(first, Turn::Bearer { token: token.clone(), answer: oauthbearer::ANSWER_TO_ERROR })?
            }
            (Mechanism::Xoauth2, Kind::Token { user: Some(user), token }) => {
                let token = required(token.as_ref())?;
                let first = xoauth2::response(user, token);
                opening(first, Turn::Bearer { token: token.clone(), answer: xoauth2::ANSWER_TO_ERROR })?
            }
            (Mechanism::CramMd5, Kind::Password { user, password, authzid: None }) => {
                State::Open(Turn::CramMd5(cram_md5::Client::new(user, password)?))
            }
            (Mechanism::Login, Kind::Password { user, password, authzid: None }) => {
                State::Open(Turn::Login(login::Client::new(user, password)))
            }
            (
                Mechanism::ScramSha256Plus | Mechanism::ScramSha256 | Mechanism::ScramSha1Plus | Mechanism::ScramSha1,
                Kind::Password { user, password, authzid },
            ) => {
                if params.nonce.len() < MIN_NONCE {
                    return Err(Error::new(ErrorCode::Usage, "the nonce for SCRAM is too short"));
                }
                let nonce = Base64::encode_string(params.nonce);
                let names = Names { user, authzid: authzid.as_deref() };
                let max_iterations = params.max_iterations;
                let binding = scram_binding(mechanism, params)?;
                let hash = scram_hash(mechanism);
                let (client, first) = scram::Client::new(hash, &names, password, nonce, &binding, max_iterations)?;
                opening(first, Turn::Scram(client))?
            }
            _ => return Err(unusable("the mechanism cannot carry these credentials")),
        };
        Ok(Self { mechanism, state, failure_detail: None })
    }

    /// The mechanism.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// What goes with the command that names the mechanism; `None` if the server speaks first, or this was asked
    /// before.
    ///
    /// Where it must not or does not fit, don't ask for it: then it is the answer to the empty challenge that comes.
    pub fn initial_response(&mut self) -> Result<Option<Response>, Error> {
        match &self.state {
            State::Opening { first, then } => {
                let first = first.clone();
                self.state = State::Open(then.clone());
                Ok(Some(first))
            }
            State::Open(_) => Ok(None),
            State::Failed(error) => Err(error.clone()),
        }
    }

    /// Answers a challenge. An error means that the exchange is to be cancelled.
    pub fn challenge(&mut self, challenge: &[u8]) -> Result<Response, Error> {
        self.respond(challenge).inspect_err(|error| self.state = State::Failed(error.clone()))
    }

    /// To be asked when the server says that all is well; an error means that it must not be believed.
    ///
    /// [`ErrorCode::SecurityServerNotAuthenticated`] if SCRAM's server has not proved that it knows the password;
    /// [`ErrorCode::AuthMalformedChallenge`] if the exchange had not come to its end.
    pub fn succeeded(&mut self) -> Result<(), Error> {
        self.verdict().inspect_err(|error| self.state = State::Failed(error.clone()))
    }

    /// Why the server refused the token, in its own words (JSON, RFC 7628 §3.2.2), bounded, in printable ASCII.
    pub fn failure_detail(&self) -> Option<&str> {
        self.failure_detail.as_deref()
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Response, Error> {
        if challenge.len() > MAX_MESSAGE && !matches!(self.state, State::Failed(_)) {
            return Err(malformed("the challenge is too long"));
        }
        let turn = match &mut self.state {
            State::Opening { .. } if !challenge.is_empty() => {
                return Err(malformed("there is a challenge where the client speaks first"));
            }
            State::Opening { first, then } => {
                let first = first.clone();
                self.state = State::Open(then.clone());
                return Ok(first);
            }
            State::Open(turn) => turn,
            State::Failed(error) => return Err(error.clone()),
        };
        match turn {
            Turn::Scram(client) => client.response(challenge),
            Turn::CramMd5(client) => {
                let response = client.response(challenge).and_then(bounded)?;
                *turn = Turn::Verdict;
                Ok(response)
            }
            Turn::Login(client) => {
                client.response().ok_or_else(|| malformed("there is one challenge too many")).and_then(bounded)
            }
            Turn::Bearer { token, answer } => {
                self.failure_detail = Some(detail(challenge, token));
                let response = Response::concat(&[answer]);
                *turn = Turn::Refusal;
                Ok(response)
            }
            Turn::Verdict | Turn::Refusal => Err(malformed("there is one challenge too many")),
        }
    }

    fn verdict(&self) -> Result<(), Error> {
        match &self.state {
            State::Failed(error) => Err(error.clone()),
            State::Opening { then: Turn::Scram(_), .. } => Err(not_authenticated()),
            State::Open(Turn::Scram(client)) if !client.is_verified() => Err(not_authenticated()),
            State::Open(Turn::Refusal) => Err(malformed("the server refused the token and then took it")),
            State::Open(
                Turn::CramMd5(_) | Turn::Login(login::Client::Name { .. } | login::Client::Password { .. }),
            )
            | State::Opening { .. } => Err(malformed("the server said yes before it had been told everything")),
            State::Open(Turn::Scram(_) | Turn::Login(login::Client::Done) | Turn::Bearer { .. } | Turn::Verdict) => {
                Ok(())
            }
        }
    }
}

fn opening(first: Response, then: Turn) -> Result<State, Error> {
    Ok(State::Opening { first: bounded(first)?, then })
}

fn bounded(response: Response) -> Result<Response, Error> {
    if response.len() > MAX_MESSAGE { Err(unusable("the credentials are too long")) } else { Ok(response) }
}

fn required(token: Option<&Secret>) -> Result<&Secret, Error> {
    token.ok_or_else(|| unusable("there is no token"))
}

fn scram_hash(mechanism: Mechanism) -> Hash {
    match mechanism {
        Mechanism::ScramSha1Plus | Mechanism::ScramSha1 => Hash::Sha1,
        _ => Hash::Sha256,
    }
}

fn scram_binding(mechanism: Mechanism, params: Params<'_>) -> Result<Binding, Error> {
    match params.binding.filter(|binding| !binding.data.is_empty()) {
        Some(binding) if mechanism.binds_channel() => Ok(Binding::Used(binding)),
        None if mechanism.binds_channel() => Err(Error::new(
            ErrorCode::SecurityChannelBinding,
            "there is no channel binding for a mechanism that needs one",
        )),
        Some(_) if !params.offered_plus => Ok(Binding::ServerHasNone),
        _ => Ok(Binding::None),
    }
}

/// The server's words, unless it has put the token itself into them.
fn detail(challenge: &[u8], token: &Secret) -> String {
    if token.is_in(challenge) {
        return "(not shown, since the token is in it)".into();
    }
    shown(challenge, MAX_DETAIL)
}

fn malformed(what: &'static str) -> Error {
    Error::new(ErrorCode::AuthMalformedChallenge, what)
}

fn not_authenticated() -> Error {
    Error::new(
        ErrorCode::SecurityServerNotAuthenticated,
        "the server said yes without having proved that it knows the password",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::ChannelBindingKind;
    use Mechanism::*;
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    const NONCE: &[u8] = &[7; MIN_NONCE];
    const PASSWORD: &str = "hunter2-Xyzzy";
    const TOKEN: &str = "ya29.hunter2-Xyzzy";
    const SERVER_FIRST: &[u8] = b"r=BwcHBwcHBwcHBwcHBwcHBwcHabc,s=AAAA,i=4096";

    fn password() -> Credentials {
        Credentials::password("tim", PASSWORD, None).unwrap()
    }

    fn token() -> Credentials {
        Credentials::token(Some("tim".into()), Some(TOKEN.into())).unwrap()
    }

    /// Those that fit it.
    fn credentials(mechanism: Mechanism) -> Credentials {
        match mechanism {
            External => Credentials::external(Some("tim".into())).unwrap(),
            OauthBearer | Xoauth2 => token(),
            _ => password(),
        }
    }

    fn params() -> Params<'static> {
        let binding = Some(ChannelBinding::new(ChannelBindingKind::TlsExporter, [1; 32]));
        Params { binding, offered_plus: true, ..Params::new("smtp.example.com", 587, NONCE) }
    }

    fn started(mechanism: Mechanism) -> ClientExchange {
        ClientExchange::new(mechanism, &credentials(mechanism), params()).unwrap()
    }

    /// With the initial response sent, where there is one.
    fn opened(mechanism: Mechanism) -> ClientExchange {
        let mut exchange = started(mechanism);
        exchange.initial_response().unwrap();
        exchange
    }

    fn code<T>(result: Result<T, Error>) -> Option<ErrorCode> {
        result.err().map(|error| error.code())
    }

    #[test]
    fn each_says_who_speaks_first() {
        for mechanism in Mechanism::STRONGEST_FIRST {
            let mut exchange = started(mechanism);
            assert_eq!(exchange.mechanism(), mechanism);
            assert_eq!(exchange.initial_response().unwrap().is_some(), mechanism.client_speaks_first(), "{mechanism}");
            assert!(exchange.initial_response().unwrap().is_none(), "{mechanism}: only once");
        }
    }

    #[test]
    fn the_initial_response_may_wait_for_an_empty_challenge() {
        for mechanism in Mechanism::STRONGEST_FIRST.into_iter().filter(|mechanism| mechanism.client_speaks_first()) {
            let at_once = started(mechanism).initial_response().unwrap().unwrap();
            assert_eq!(started(mechanism).challenge(b"").unwrap().as_bytes(), at_once.as_bytes(), "{mechanism}");
            assert_eq!(
                code(started(mechanism).challenge(b"x")),
                Some(ErrorCode::AuthMalformedChallenge),
                "{mechanism}"
            );
        }
    }

    #[test]
    fn only_mechanisms_that_send_the_secret_have_it_in_what_they_send() {
        for mechanism in Mechanism::STRONGEST_FIRST {
            let mut exchange = started(mechanism);
            let mut said = Vec::new();
            said.extend_from_slice(exchange.initial_response().unwrap().as_ref().map_or(b"", Response::as_bytes));
            for challenge in [SERVER_FIRST, b"second"] {
                if let Ok(response) = exchange.challenge(challenge) {
                    said.extend_from_slice(response.as_bytes());
                }
            }
            assert_eq!(String::from_utf8_lossy(&said).contains("hunter2"), mechanism.sends_secret(), "{mechanism}");
        }
    }

    #[test]
    fn login_takes_any_prompts() {
        for prompts in [["Username:", "Password:"], ["", ""], ["Password:", "User Name\0"]] {
            let mut exchange = opened(Login);
            assert_eq!(exchange.challenge(prompts[0].as_bytes()).unwrap().as_bytes(), b"tim");
            assert_eq!(exchange.challenge(prompts[1].as_bytes()).unwrap().as_bytes(), PASSWORD.as_bytes());
            assert_eq!(exchange.clone().succeeded(), Ok(()));
            assert_eq!(code(exchange.challenge(b"")), Some(ErrorCode::AuthMalformedChallenge));
        }
    }

    #[test]
    fn a_refused_token_is_told_and_never_sent_again() {
        const JSON: &str = "{\"status\":\"invalid_token\",\"scope\":\"example_scope\",\
            \"openid-configuration\":\"https://example.com/.well-known/openid-configuration\"}";
        for (mechanism, answer) in [(OauthBearer, &b"\x01"[..]), (Xoauth2, b"")] {
            let mut exchange = opened(mechanism);
            assert_eq!(exchange.failure_detail(), None);
            assert_eq!(exchange.challenge(JSON.as_bytes()).unwrap().as_bytes(), answer);
            assert_eq!(exchange.failure_detail(), Some(JSON));
            assert_eq!(code(exchange.clone().succeeded()), Some(ErrorCode::AuthMalformedChallenge));
            assert_eq!(code(exchange.challenge(b"")), Some(ErrorCode::AuthMalformedChallenge));
        }
    }

    #[test]
    fn what_a_server_says_of_a_token_is_made_safe() {
        let mut exchange = opened(Xoauth2);
        exchange.challenge(b"\x1b[2J\r\n\xc3\xa9").unwrap();
        assert_eq!(exchange.failure_detail(), Some("?[2J????"));
        let mut exchange = opened(Xoauth2);
        exchange.challenge(&[b'x'; MAX_MESSAGE]).unwrap();
        assert!(exchange.failure_detail().unwrap().len() < MAX_DETAIL + 10);
        let mut exchange = opened(OauthBearer);
        exchange.challenge(format!("{{\"token\":\"{TOKEN}\"}}").as_bytes()).unwrap();
        assert_eq!(exchange.failure_detail(), Some("(not shown, since the token is in it)"));
    }

    #[test]
    fn a_yes_too_early_is_not_believed() {
        let malformed = Some(ErrorCode::AuthMalformedChallenge);
        let not_authenticated = Some(ErrorCode::SecurityServerNotAuthenticated);
        for (mechanism, before, after) in [
            (External, malformed, None),
            (Plain, malformed, None),
            (OauthBearer, malformed, None),
            (Xoauth2, malformed, None),
            (CramMd5, malformed, malformed),
            (Login, malformed, malformed),
            (ScramSha1, not_authenticated, not_authenticated),
            (ScramSha1Plus, not_authenticated, not_authenticated),
            (ScramSha256, not_authenticated, not_authenticated),
            (ScramSha256Plus, not_authenticated, not_authenticated),
        ] {
            assert_eq!(code(started(mechanism).succeeded()), before, "{mechanism}, nothing sent");
            assert_eq!(code(opened(mechanism).succeeded()), after, "{mechanism}, opened");
        }
        let mut scram = opened(ScramSha256);
        scram.challenge(SERVER_FIRST).unwrap();
        assert_eq!(code(scram.succeeded()), not_authenticated, "after client-final");
        let mut login = opened(Login);
        login.challenge(b"").unwrap();
        assert_eq!(code(login.succeeded()), malformed, "before the password");
        let mut cram = opened(CramMd5);
        cram.challenge(b"<1@a>").unwrap();
        assert_eq!(code(cram.succeeded()), None);
    }

    #[test]
    fn a_verified_server_is_believed() {
        let credentials = Credentials::password("user", "pencil", None).unwrap();
        let nonce: Vec<u8> = (0..18).collect();
        let mut exchange = ClientExchange::new(
            ScramSha1,
            &credentials,
            Params {
                binding: Some(ChannelBinding::new(ChannelBindingKind::TlsExporter, [1; 32])),
                ..Params::new("", 25, &nonce)
            },
        )
        .unwrap();
        exchange.initial_response().unwrap();
        exchange.challenge(b"r=AAECAwQFBgcICQoLDA0ODxARserver,s=c2FsdHNhbHQ=,i=5000").unwrap();
        assert!(exchange.challenge(b"v=GEMWv1yuLahQu9dxYY/MRIQxnjI=").unwrap().is_empty());
        assert_eq!(exchange.succeeded(), Ok(()));
    }

    #[test]
    fn what_has_failed_stays_failed() {
        let mut exchange = opened(ScramSha256);
        let error = exchange.challenge(b"m=1,r=x").unwrap_err();
        assert_eq!(exchange.challenge(SERVER_FIRST).unwrap_err(), error);
        assert_eq!(exchange.challenge(&[b'x'; MAX_MESSAGE + 1]).unwrap_err(), error);
        assert_eq!(exchange.initial_response().unwrap_err(), error);
        assert_eq!(exchange.succeeded().unwrap_err(), error);
    }

    #[test]
    fn both_directions_are_bounded() {
        for mechanism in Mechanism::STRONGEST_FIRST {
            let error = opened(mechanism).challenge(&[b'x'; MAX_MESSAGE + 1]).unwrap_err();
            assert_eq!(error.what(), "the challenge is too long", "{mechanism}");
        }
        let long = "x".repeat(MAX_MESSAGE + 1);
        let too_long = Credentials::password("tim", &*long, None).unwrap();
        assert_eq!(code(ClientExchange::new(Plain, &too_long, params())), Some(ErrorCode::AuthCredentials));
        let mut login = ClientExchange::new(Login, &too_long, params()).unwrap();
        login.challenge(b"").unwrap();
        assert_eq!(code(login.challenge(b"")), Some(ErrorCode::AuthCredentials));
        let too_long = Credentials::token(None, Some(long.into())).unwrap();
        assert_eq!(code(ClientExchange::new(OauthBearer, &too_long, params())), Some(ErrorCode::AuthCredentials));
    }

    #[test]
    fn what_cannot_be_started() {
        let unusable = Some(ErrorCode::AuthCredentials);
        let new =
            |mechanism, credentials: &Credentials, params| code(ClientExchange::new(mechanism, credentials, params));
        assert_eq!(new(External, &password(), params()), unusable);
        assert_eq!(new(OauthBearer, &password(), params()), unusable);
        assert_eq!(new(Plain, &token(), params()), unusable);
        for mechanism in [OauthBearer, Xoauth2] {
            assert_eq!(new(mechanism, &Credentials::token(Some("tim".into()), None).unwrap(), params()), unusable);
        }
        assert_eq!(new(Xoauth2, &Credentials::token(None, Some(TOKEN.into())).unwrap(), params()), unusable);
        let for_another = Credentials::password("tim", PASSWORD, Some("ann".into())).unwrap();
        assert_eq!(new(Login, &for_another, params()), unusable);
        assert_eq!(new(CramMd5, &for_another, params()), unusable);
        assert_eq!(new(Plain, &for_another, params()), None);
        let short = Params::new("", 25, &NONCE[1..]);
        assert_eq!(new(ScramSha256, &password(), short), Some(ErrorCode::Usage));
        for binding in [None, Some(ChannelBinding::new(ChannelBindingKind::TlsExporter, []))] {
            let unbound = Params { binding, ..params() };
            assert_eq!(new(ScramSha256Plus, &password(), unbound), Some(ErrorCode::SecurityChannelBinding));
        }
    }

    #[test]
    fn what_the_server_is_told_about_channel_binding() {
        let first = |mechanism, params| {
            let mut exchange = ClientExchange::new(mechanism, &password(), params).unwrap();
            let first = exchange.initial_response().unwrap().unwrap();
            String::from_utf8(first.as_bytes().to_vec()).unwrap()
        };
        assert!(first(ScramSha256Plus, params()).starts_with("p=tls-exporter,,n=tim,r="));
        assert!(first(ScramSha256, params()).starts_with("n,,"), "not wanted, though both could");
        assert!(first(ScramSha256, Params { offered_plus: false, ..params() }).starts_with("y,,"));
        assert!(first(ScramSha256, Params::new("", 25, NONCE)).starts_with("n,,"));
    }

    #[test]
    fn no_secret_is_ever_shown() {
        for mechanism in Mechanism::STRONGEST_FIRST {
            let mut shown = format!("{:?} {:?} {:?}", credentials(mechanism), params(), started(mechanism));
            let mut exchange = started(mechanism);
            let initial = exchange.initial_response();
            shown.push_str(&format!("{initial:?} {exchange:?}"));
            for challenge in [SERVER_FIRST, TOKEN.as_bytes(), b"v=AAAA"] {
                let response = exchange.challenge(challenge);
                shown.push_str(&format!("{response:?} {exchange:?} {:?}", exchange.failure_detail()));
                if let Err(error) = response {
                    shown.push_str(&error.to_string());
                }
            }
            let verdict = exchange.succeeded();
            shown.push_str(&format!("{verdict:?} {exchange:?}"));
            assert!(!shown.contains("hunter2") && !shown.contains("Xyzzy"), "{shown}");
            // Nor as the bytes of an array.
            assert!(!shown.contains("104, 117, 110") && !shown.contains("1, 1, 1, 1"), "{shown}");
        }
    }
}
