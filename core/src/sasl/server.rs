//! The server's side of one exchange, whatever the mechanism.

use super::channel_binding::ChannelBinding;
use super::cram_md5;
use super::decoy::Decoy;
use super::failure::{malformed_response, wrong_password};
use super::hash::Hash;
use super::limits::MAX_MESSAGE;
use super::mechanism::Mechanism;
use super::saslprep::saslprep;
use super::scram::{self, MAX_ITERATIONS, MIN_ITERATIONS, MIN_NONCE, StoredKeys};
use super::secret::{Response, Secret};
use super::{external, login, oauthbearer, plain, xoauth2};
use crate::error::{Error, ErrorCode};
use alloc::string::String;
use alloc::vec::Vec;
use base64ct::{Base64, Encoding};
use core::fmt;

/// How many bytes make a seed for what unknown users are told, at least.
pub const MIN_SEED: usize = 16;

/// What an exchange depends on besides the client.
#[derive(Clone)]
pub struct ServerParams<'a> {
    /// The server's name, in ASCII; for CRAM-MD5's challenge.
    pub host: &'a str,
    /// At least [`MIN_NONCE`] random bytes, never used before; for SCRAM and CRAM-MD5.
    pub nonce: &'a [u8],
    /// Seconds since 1970; for CRAM-MD5's challenge.
    pub unix_time: u64,
    /// All that could tie the exchange to the TLS connection. The client chooses.
    pub bindings: Vec<ChannelBinding>,
    /// Whether the client was offered any mechanism that ends in -PLUS on this connection. If it was, and a client says
    /// that it was not, somebody took it from the list (RFC 5802 §6).
    pub offers_plus: bool,
    /// Whether nobody can listen: there is TLS, or the host has been told in a word that looks dangerous to do without.
    /// Else no mechanism starts that has the client send its secret.
    pub protected: bool,
    /// At least [`MIN_SEED`] random bytes that nobody knows, the same for each exchange, also after a restart. From
    /// them comes what users are told who do not exist, so that it stays the same as it does for others.
    pub fake_seed: &'a [u8],
    /// How many iterations the keys of users who do not exist are said to have: as many as those of the others.
    pub fake_iterations: u32,
}

impl<'a> ServerParams<'a> {
    /// Of a connection that is not protected.
    pub fn new(host: &'a str, nonce: &'a [u8], unix_time: u64, fake_seed: &'a [u8]) -> Self {
        Self {
            host,
            nonce,
            unix_time,
            bindings: Vec::new(),
            offers_plus: false,
            protected: false,
            fake_seed,
            fake_iterations: MIN_ITERATIONS,
        }
    }
}

impl fmt::Debug for ServerParams<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, unix_time, bindings, offers_plus, protected, fake_iterations, nonce: _, fake_seed: _ } = self;
        f.debug_struct("ServerParams")
            .field("host", host)
            .field("unix_time", unix_time)
            .field("bindings", bindings)
            .field("offers_plus", offers_plus)
            .field("protected", protected)
            .field("fake_iterations", fake_iterations)
            .finish_non_exhaustive()
    }
}

/// What to do next.
#[derive(Clone, Debug)]
pub enum ServerStep {
    /// Send this challenge, which may be empty, and hand the response to [`ServerExchange::receive`].
    Challenge(Response),
    /// Find this out, and hand it to [`ServerExchange::answer`].
    Ask(Question),
    /// The client has proved to be `user`. Whether `user` may act for `authzid`, if that is named and somebody else, is
    /// still to be decided.
    Done {
        /// Who it is: by the host's name for them where the host gave one, else as the client said, prepared where the
        /// mechanism asks for it.
        user: String,
        /// Whom they want to act for. `None` for themselves.
        authzid: Option<String>,
    },
    /// It has not proved it.
    ///
    /// | code | is | reply of RFC 4954 §6 |
    /// |---|---|---|
    /// | [`ErrorCode::AuthRefused`] | a wrong password or token, or an unknown user | 535 5.7.8 |
    /// | [`ErrorCode::SecurityChannelBinding`] | another TLS connection, or a -PLUS that was hidden | 535 5.7.8 |
    /// | [`ErrorCode::AuthMalformedResponse`] | no response of this mechanism | 501 5.5.2 |
    /// | [`ErrorCode::AuthUnavailable`] | [`Answer::Unavailable`] | 454 4.7.0 |
    /// | [`ErrorCode::Usage`] | a mistake of the caller's | 454 4.7.0 |
    Failed(Error),
}

/// What only the host knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// SCRAM: the user's keys. Answer with [`Answer::Keys`], or with [`Answer::Unknown`] also for a user who has none for
    /// this hash.
    Keys {
        /// The user's name, prepared by SASLprep.
        user: String,
        /// The hash that they have to be for.
        hash: Hash,
    },
    /// CRAM-MD5: the user's password. Answer with [`Answer::Password`] or [`Answer::Unknown`].
    Password {
        /// The user's name.
        user: String,
    },
    /// PLAIN and LOGIN: whether this is the user's password.
    ///
    /// A host that has [`StoredKeys`] answers with [`Answer::Keys`] or [`Answer::Unknown`]. Those of either hash do;
    /// those for SHA-256 cost the same as an unknown user. A host that finds out by itself answers with
    /// [`Answer::Accept`] or [`Answer::Refuse`], and has to see to it that
    /// an unknown user costs as much as a wrong password.
    Verify {
        /// The user's name, prepared by SASLprep.
        user: String,
        /// The password, as it came. It is not empty.
        password: Secret,
        /// Whom they want to act for.
        authzid: Option<String>,
    },
    /// OAUTHBEARER and XOAUTH2: whose token this is. Answer with [`Answer::Accept`] or [`Answer::Refuse`].
    Token {
        /// Whose token the client says it is.
        user: Option<String>,
        /// The token.
        token: Secret,
        /// Which of the two it is.
        mechanism: Mechanism,
    },
    /// EXTERNAL: who it is by what the connection has proved, such as a TLS certificate. Answer with
    /// [`Answer::Accept`] or [`Answer::Refuse`].
    External {
        /// Whom they want to act for.
        authzid: Option<String>,
    },
}

/// What the host answers. One that does not fit the question fails the exchange with [`ErrorCode::Usage`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What is kept in place of the user's password.
    Keys(StoredKeys),
    /// The user's password.
    Password(Secret),
    /// Yes.
    Accept {
        /// Who it is, by the host's name for them.
        user: String,
    },
    /// No. Where keys or a password were asked for, it is as [`Self::Unknown`].
    Refuse,
    /// There is no such user. The client learns no more than from a wrong password, and waits as long.
    Unknown,
    /// This cannot be found out now.
    Unavailable,
}

/// The server's side of one exchange.
///
/// Once it has failed it stays so, with the same error. If the client cancels it, drop it.
#[derive(Clone, Debug)]
pub struct ServerExchange {
    mechanism: Mechanism,
    decoy: Decoy,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    External,
    Plain,
    Token,
    LoginName,
    LoginPassword {
        user: String,
    },
    CramMd5(cram_md5::Server),
    ScramFirst(scram::First),
    ScramFinal(scram::Final),
    /// The client has been told that all is well, and answers with nothing.
    ScramProved {
        user: String,
        authzid: Option<String>,
    },
    /// The client has been told why it is refused. Whatever it answers, that is the end.
    Refused(Error),
    /// Waits for the host.
    Asked(Asked),
    /// Nothing comes any more.
    Over(Error),
}

/// What the host has been asked.
#[derive(Clone, Debug)]
enum Asked {
    External { authzid: Option<String> },
    Verify { user: String, password: Secret, authzid: Option<String> },
    Token { user: Option<String>, refusal: &'static [u8] },
    CramMd5(cram_md5::Asked),
    Scram(scram::Asked),
}

type Turn = Result<(State, ServerStep), Error>;

impl ServerExchange {
    /// Starts an exchange; `initial` is the response that came with the command, decoded, if there was one.
    ///
    /// An error means that the client must not be asked for anything: [`ErrorCode::SecurityPlaintextCredentials`] if it
    /// would send its secret where others can hear it (538 5.7.11); [`ErrorCode::SecurityChannelBinding`] for a -PLUS
    /// without a binding; [`ErrorCode::Usage`] for a nonce or seed that is too short, iterations that clients would
    /// refuse, or a host name that cannot be said.
    pub fn start(
        mechanism: Mechanism,
        params: ServerParams<'_>,
        initial: Option<&[u8]>,
    ) -> Result<(Self, ServerStep), Error> {
        if mechanism.sends_secret() && !params.protected {
            let what = "the client would send its secret over a connection that is not protected";
            return Err(Error::new(ErrorCode::SecurityPlaintextCredentials, what));
        }
        if params.fake_seed.len() < MIN_SEED {
            return Err(usage("the seed for unknown users is too short"));
        }
        if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&params.fake_iterations) {
            return Err(usage("the iterations for unknown users are too few or too many"));
        }
        let decoy = Decoy::new(params.fake_seed, params.fake_iterations);
        let mut exchange = Self { mechanism, decoy, state: waiting(mechanism, params)? };
        let step = match (&exchange.state, initial) {
            // RFC 4954 §4: 501.
            (State::CramMd5(_), Some(_)) => {
                exchange.enter(Err(malformed_response("there is an initial response where the server speaks first")))
            }
            // LOGIN has no RFC that forbids it, and some clients send the name with the command.
            (_, Some(initial)) => exchange.receive(initial),
            (State::CramMd5(server), None) => ServerStep::Challenge(server.challenge()),
            (State::LoginName, None) => challenge(login::NAME_PROMPT),
            (_, None) => challenge(b""),
        };
        Ok((exchange, step))
    }

    /// The mechanism.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Takes the client's response to the challenge, decoded.
    pub fn receive(&mut self, response: &[u8]) -> ServerStep {
        let state = self.leave();
        let turn = self.received(state, response);
        self.enter(turn)
    }

    /// Takes the host's answer to the question.
    pub fn answer(&mut self, answer: Answer) -> ServerStep {
        let state = self.leave();
        let turn = self.answered(state, answer);
        self.enter(turn)
    }

    fn leave(&mut self) -> State {
        core::mem::replace(&mut self.state, State::Over(usage("the exchange of AUTH is over")))
    }

    fn enter(&mut self, turn: Turn) -> ServerStep {
        let (state, step) = turn.unwrap_or_else(|error| (State::Over(error.clone()), ServerStep::Failed(error)));
        self.state = state;
        step
    }

    fn received(&self, state: State, response: &[u8]) -> Turn {
        match state {
            State::Over(error) | State::Refused(error) => Err(error),
            State::Asked(_) => Err(usage("the client's response came before the host's answer")),
            _ if response.len() > MAX_MESSAGE => Err(malformed_response("the response is too long")),
            State::External => {
                let authzid = external::parse(response)?;
                Ok(ask(Question::External { authzid: authzid.clone() }, Asked::External { authzid }))
            }
            State::Plain => {
                let plain::Request { authzid, user, password } = plain::Request::parse(response)
                    .ok_or_else(|| malformed_response("the response of PLAIN is not a name and a password"))?;
                verify(&user, password, authzid)
            }
            State::Token => {
                let (user, token, refusal) = match self.mechanism {
                    Mechanism::Xoauth2 => {
                        let (user, token) = xoauth2::parse(response)?;
                        (Some(user), token, xoauth2::REFUSAL)
                    }
                    _ => {
                        let (user, token) = oauthbearer::parse(response)?;
                        (user, token, oauthbearer::REFUSAL)
                    }
                };
                let question = Question::Token { user: user.clone(), token, mechanism: self.mechanism };
                Ok(ask(question, Asked::Token { user, refusal }))
            }
            State::LoginName => {
                let user = login_text(response)?.into();
                Ok((State::LoginPassword { user }, challenge(login::PASSWORD_PROMPT)))
            }
            State::LoginPassword { user } => verify(&user, login_text(response)?.into(), None),
            State::CramMd5(server) => {
                let asked = server.receive(response)?;
                Ok(ask(Question::Password { user: asked.user().into() }, Asked::CramMd5(asked)))
            }
            State::ScramFirst(first) => match first.receive(response) {
                Ok(asked) => {
                    let question = Question::Keys { user: asked.user().into(), hash: asked.hash() };
                    Ok(ask(question, Asked::Scram(asked)))
                }
                Err(refusal) => told(refusal),
            },
            State::ScramFinal(last) => match last.receive(response) {
                Ok((user, authzid, server_final)) => {
                    Ok((State::ScramProved { user, authzid }, ServerStep::Challenge(server_final)))
                }
                Err(refusal) => told(refusal),
            },
            State::ScramProved { user, authzid } if response.is_empty() => Ok(done(user, authzid)),
            State::ScramProved { .. } => Err(malformed_response("there is one response too many")),
        }
    }

    fn answered(&self, state: State, answer: Answer) -> Turn {
        let asked = match state {
            State::Asked(asked) => asked,
            State::Over(error) => return Err(error),
            _ => return Err(usage("there is an answer to no question")),
        };
        match (asked, answer) {
            (_, Answer::Unavailable) => {
                Err(Error::new(ErrorCode::AuthUnavailable, "the credentials cannot be checked now"))
            }
            (Asked::Scram(asked), Answer::Keys(keys)) if keys.hash() == asked.hash() => {
                Ok(self.scram_first(asked, Some(keys)))
            }
            (Asked::Scram(asked), Answer::Unknown | Answer::Refuse) => Ok(self.scram_first(asked, None)),
            (Asked::CramMd5(asked), Answer::Password(password)) => self.cram_md5(&asked, Some(password)),
            (Asked::CramMd5(asked), Answer::Unknown | Answer::Refuse) => self.cram_md5(&asked, None),
            (Asked::Verify { user, password, authzid }, Answer::Keys(keys)) => {
                if self.is_password(&user, &password, Some(keys)) {
                    Ok(done(user, authzid))
                } else {
                    Err(wrong_password())
                }
            }
            (Asked::Verify { user, password, .. }, Answer::Unknown) => {
                self.is_password(&user, &password, None);
                Err(wrong_password())
            }
            (Asked::Verify { .. }, Answer::Refuse) => Err(wrong_password()),
            (Asked::Verify { authzid, .. } | Asked::External { authzid }, Answer::Accept { user }) => {
                Ok(done(user, authzid))
            }
            // Whom the client has named is whom it wants to act for: in OAUTHBEARER, that is where it stands.
            (Asked::Token { user: said, .. }, Answer::Accept { user }) => Ok(done(user, said)),
            (Asked::Token { refusal, .. }, Answer::Unknown | Answer::Refuse) => {
                let error = Error::new(ErrorCode::AuthRefused, "the token does not open the mailbox");
                Ok((State::Refused(error), challenge(refusal)))
            }
            (Asked::External { .. }, Answer::Unknown | Answer::Refuse) => {
                Err(Error::new(ErrorCode::AuthRefused, "the connection does not prove who the client is"))
            }
            _ => Err(usage("the host's answer is to another question")),
        }
    }

    /// The decoy is made for each user, so that the time does not tell who needs it.
    fn scram_first(&self, asked: scram::Asked, keys: Option<StoredKeys>) -> (State, ServerStep) {
        let decoy = self.decoy.keys(asked.hash(), asked.user());
        let known = keys.is_some();
        let (next, server_first) = asked.answer(keys.unwrap_or(decoy), known);
        (State::ScramFinal(next), ServerStep::Challenge(server_first))
    }

    /// As above.
    fn cram_md5(&self, asked: &cram_md5::Asked, password: Option<Secret>) -> Turn {
        let decoy = self.decoy.password(asked.user());
        let known = password.is_some();
        if asked.matches(&password.unwrap_or(decoy)) & known {
            Ok(done(asked.user().into(), None))
        } else {
            Err(wrong_password())
        }
    }

    /// As above.
    fn is_password(&self, user: &str, password: &Secret, keys: Option<StoredKeys>) -> bool {
        let decoy = self.decoy.keys(Hash::Sha256, user);
        let known = keys.is_some();
        keys.unwrap_or(decoy).matches(password) & known
    }
}

/// For the first response, in the state that each mechanism begins in.
fn waiting(mechanism: Mechanism, params: ServerParams<'_>) -> Result<State, Error> {
    match mechanism {
        Mechanism::External => Ok(State::External),
        Mechanism::Plain => Ok(State::Plain),
        Mechanism::OauthBearer | Mechanism::Xoauth2 => Ok(State::Token),
        Mechanism::Login => Ok(State::LoginName),
        Mechanism::CramMd5 => {
            cram_md5::Server::new(long_enough(params.nonce)?, params.unix_time, params.host).map(State::CramMd5)
        }
        Mechanism::ScramSha1 | Mechanism::ScramSha1Plus => scram_first(mechanism, Hash::Sha1, params),
        Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => scram_first(mechanism, Hash::Sha256, params),
    }
}

fn scram_first(mechanism: Mechanism, hash: Hash, params: ServerParams<'_>) -> Result<State, Error> {
    let ServerParams { mut bindings, offers_plus, .. } = params;
    bindings.retain(|binding| !binding.data.is_empty());
    let channel = scram::Channel { bindings, offers_plus, plus: mechanism.binds_channel() };
    if channel.plus && channel.bindings.is_empty() {
        let what = "there is no channel binding for a mechanism that needs one";
        return Err(Error::new(ErrorCode::SecurityChannelBinding, what));
    }
    let nonce = Base64::encode_string(long_enough(params.nonce)?);
    Ok(State::ScramFirst(scram::First::new(hash, nonce, channel)))
}

fn long_enough(nonce: &[u8]) -> Result<&[u8], Error> {
    if nonce.len() < MIN_NONCE { Err(usage("the nonce is too short")) } else { Ok(nonce) }
}

fn challenge(words: &[u8]) -> ServerStep {
    ServerStep::Challenge(Response::concat(&[words]))
}

fn ask(question: Question, asked: Asked) -> (State, ServerStep) {
    (State::Asked(asked), ServerStep::Ask(question))
}

/// The name is prepared (RFC 4616 §2). What no user can have is not asked about: a directory may take an empty password
/// for no wish to log in and say yes, and a NUL may end what it looks at.
fn verify(user: &str, password: Secret, authzid: Option<String>) -> Turn {
    let user = saslprep(user, "the user name").map_err(|_| wrong_password())?;
    if password.expose().is_empty() || password.expose().contains('\0') {
        return Err(wrong_password());
    }
    let user = String::from(user.expose());
    let question = Question::Verify { user: user.clone(), password: password.clone(), authzid: authzid.clone() };
    Ok(ask(question, Asked::Verify { user, password, authzid }))
}

fn login_text(response: &[u8]) -> Result<&str, Error> {
    core::str::from_utf8(response).map_err(|_| malformed_response("the response of LOGIN is not UTF-8"))
}

fn told(refusal: scram::Refusal) -> Turn {
    match refusal.told {
        Some(reason) => {
            let server_error = Response::concat(&[b"e=", reason.as_bytes()]);
            Ok((State::Refused(refusal.error), ServerStep::Challenge(server_error)))
        }
        None => Err(refusal.error),
    }
}

fn done(user: String, authzid: Option<String>) -> (State, ServerStep) {
    let authzid = authzid.filter(|authzid| *authzid != user);
    (State::Over(usage("the exchange of AUTH is over")), ServerStep::Done { user, authzid })
}

fn usage(what: &'static str) -> Error {
    Error::new(ErrorCode::Usage, what)
}

#[cfg(test)]
mod tests;
