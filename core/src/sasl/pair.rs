//! Client and server joined: every mechanism, and what a third party could learn or change.

use super::*;
use crate::error::{Error, ErrorCode};
use Mechanism::*;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;

const PASSWORD: &str = "pencil";
const KEYS_SHA_1: &str = "SCRAM-SHA-1$4096:AAECAwQFBgcICQoLDA0ODw==\
    $VDlbg2hiPs7Sz96xRXoDeVxwMPk=:4q9hLjotvo0hqzEIvTJY/oC5Boo=";
const KEYS_SHA_256: &str = "SCRAM-SHA-256$4096:AAECAwQFBgcICQoLDA0ODw==\
    $zHCdol2044/ZyWzPLi7oxApCkamKw9Z+E4U/QApd/5Y=:dd5peBOitVnLNFu7VmwP+HiDaaw4OUCv396eVCWhYiE=";
const TOKEN: &str = "ya29.abc";
const SCRAM: [Mechanism; 4] = [ScramSha256Plus, ScramSha1Plus, ScramSha256, ScramSha1];
const CLIENT_NONCE: [u8; MIN_NONCE] = [1; MIN_NONCE];
const SERVER_NONCE: [u8; MIN_NONCE] = [2; MIN_NONCE];
const SEED: [u8; 32] = [3; 32];

fn binding() -> ChannelBinding {
    ChannelBinding::new(ChannelBindingKind::TlsExporter, [4; 32])
}

/// Both ends see the same TLS connection, and the server offers everything.
fn params() -> (Params<'static>, ServerParams<'static>) {
    let client =
        Params { binding: Some(binding()), offered_plus: true, ..Params::new("smtp.example.com", 587, &CLIENT_NONCE) };
    let server = ServerParams::new("smtp.example.com", &SERVER_NONCE, 1_700_000_000, &SEED);
    (client, ServerParams { bindings: vec![binding()], offers_plus: true, protected: true, ..server })
}

/// Those that fit the mechanism, right or wrong.
fn credentials(mechanism: Mechanism, user: &str, password: &str, authzid: Option<&str>) -> Credentials {
    let authzid = authzid.map(String::from);
    match mechanism {
        External => Credentials::external(authzid),
        OauthBearer | Xoauth2 => {
            let token = if password == PASSWORD { TOKEN } else { password };
            Credentials::token(Some(authzid.unwrap_or(user.into())), Some(token.into()))
        }
        _ => Credentials::password(user, password, authzid),
    }
    .unwrap()
}

/// A host that keeps one user, tim: keys for SCRAM and PLAIN, the password for CRAM-MD5 only. A certificate says that
/// it is tim who has connected, unless it is `nobody`.
#[derive(Default)]
struct Host {
    nobody: bool,
    asked: RefCell<Vec<&'static str>>,
}

impl Host {
    fn answer(&self, question: Question) -> Answer {
        let (name, answer) = match question {
            Question::Keys { user, hash } => ("keys", keys(&user, hash)),
            Question::Verify { user, .. } => ("verify", keys(&user, Hash::Sha256)),
            Question::Password { user } if user == "tim" => ("password", Answer::Password(PASSWORD.into())),
            Question::Password { .. } => ("password", Answer::Unknown),
            Question::Token { token, .. } if token.expose() == TOKEN => ("token", tim()),
            Question::Token { .. } => ("token", Answer::Refuse),
            Question::External { .. } if self.nobody => ("external", Answer::Refuse),
            Question::External { .. } => ("external", tim()),
        };
        self.asked.borrow_mut().push(name);
        answer
    }
}

fn tim() -> Answer {
    Answer::Accept { user: "tim".into() }
}

fn keys(user: &str, hash: Hash) -> Answer {
    if user != "tim" {
        return Answer::Unknown;
    }
    let text = match hash {
        Hash::Sha1 => KEYS_SHA_1,
        Hash::Sha256 => KEYS_SHA_256,
    };
    Answer::Keys(text.parse().unwrap())
}

/// What has been said, and what each side makes of it in the end.
#[derive(Debug, PartialEq, Eq)]
struct Dialogue {
    said: Vec<String>,
    /// `None` if the client cancelled.
    server: Option<Result<(String, Option<String>), Error>>,
    /// Without the server's verdict, if that is no.
    client: Result<(), Error>,
}

fn join(
    mechanism: Mechanism,
    credentials: &Credentials,
    (client, server): (Params<'_>, ServerParams<'_>),
    host: &Host,
    initial: bool,
) -> Dialogue {
    let mut client = ClientExchange::new(mechanism, credentials, client).unwrap();
    let mut said = Vec::new();
    let initial = if initial { client.initial_response().unwrap() } else { None };
    said.extend(initial.iter().map(|response| text("C", response)));
    let (mut server, mut step) =
        ServerExchange::start(mechanism, server, initial.as_ref().map(Response::as_bytes)).unwrap();
    // No mechanism takes more.
    for _ in 0..10 {
        step = match step {
            ServerStep::Ask(question) => server.answer(host.answer(question)),
            ServerStep::Challenge(challenge) => {
                said.push(text("S", &challenge));
                match client.challenge(challenge.as_bytes()) {
                    Ok(response) => {
                        said.push(text("C", &response));
                        server.receive(response.as_bytes())
                    }
                    Err(error) => {
                        let server = match server.receive(b"") {
                            ServerStep::Failed(error) => Some(Err(error)),
                            _ => None,
                        };
                        return Dialogue { said, server, client: Err(error) };
                    }
                }
            }
            ServerStep::Done { user, authzid } => {
                return Dialogue { said, server: Some(Ok((user, authzid))), client: client.succeeded() };
            }
            ServerStep::Failed(error) => return Dialogue { said, server: Some(Err(error)), client: Ok(()) },
        };
    }
    panic!("{mechanism} does not end: {said:?}");
}

fn text(who: &str, message: &Response) -> String {
    format!("{who}: {}", core::str::from_utf8(message.as_bytes()).unwrap())
}

fn code<T>(result: &Result<T, Error>) -> Option<ErrorCode> {
    result.as_ref().err().map(Error::code)
}

#[test]
fn who_has_the_right_credentials_gets_in() {
    for mechanism in Mechanism::STRONGEST_FIRST {
        let credentials = credentials(mechanism, "tim", PASSWORD, None);
        let host = Host::default();
        let at_once = join(mechanism, &credentials, params(), &host, true);
        assert_eq!(at_once.server, Some(Ok(("tim".into(), None))), "{mechanism}: {:?}", at_once.said);
        assert_eq!(at_once.client, Ok(()), "{mechanism}");
        assert_eq!(host.asked.borrow().len(), 1, "{mechanism}");
        let later = join(mechanism, &credentials, params(), &host, false);
        assert_eq!((&later.server, &later.client), (&at_once.server, &at_once.client), "{mechanism}");
        let empty = if mechanism.client_speaks_first() { &["S: ".into()][..] } else { &[] };
        assert_eq!(later.said, [empty, &at_once.said].concat(), "{mechanism}");
    }
}

/// What differs between users and passwords of one length by their nature is blotted out: names, passwords, salts, and
/// what is reckoned from them.
fn shape(dialogue: &Dialogue) -> Vec<String> {
    let blot = |line: &String| {
        let mut parts: Vec<String> = Vec::new();
        for part in line.replace("tom", "tim").replace("Pencil", PASSWORD).split(',') {
            let kept = ["s=", "p="].iter().find(|name| part.starts_with(*name) && !part.starts_with("p=tls"));
            parts.push(kept.map_or(part.into(), |name| format!("{name}{}", part.len())));
        }
        let line = parts.join(",");
        // CRAM-MD5.
        match line.strip_prefix("C: tim ") {
            Some(digest) => format!("C: tim {}", digest.len()),
            None => line,
        }
    };
    dialogue.said.iter().map(blot).collect()
}

#[test]
fn an_unknown_user_is_as_a_wrong_password() {
    for mechanism in [&SCRAM[..], &[CramMd5, Plain, Login]].concat() {
        for initial in [true, false] {
            let dialogue = |user, password| {
                let host = Host::default();
                let dialogue = join(mechanism, &credentials(mechanism, user, password, None), params(), &host, initial);
                (dialogue, host.asked.into_inner())
            };
            let (wrong, asked_wrong) = dialogue("tim", "Pencil");
            let wrong_password = Error::new(ErrorCode::AuthRefused, "the user name or the password is wrong");
            assert_eq!(wrong.server, Some(Err(wrong_password)), "{mechanism}");
            for password in [PASSWORD, "Pencil"] {
                let (unknown, asked_unknown) = dialogue("tom", password);
                assert_eq!(unknown.server, wrong.server, "{mechanism}");
                assert_eq!(unknown.client, wrong.client, "{mechanism}");
                assert_eq!(shape(&unknown), shape(&wrong), "{mechanism}");
                assert_eq!(asked_unknown, asked_wrong, "{mechanism}");
                assert_eq!(dialogue("tom", password).0, unknown, "{mechanism}: told the same each time");
            }
        }
    }
}

#[test]
fn a_wrong_token_is_told_why() {
    for (mechanism, reason, answer) in [
        (OauthBearer, "{\"status\":\"invalid_token\"}", "C: \x01"),
        (Xoauth2, "{\"status\":\"401\",\"schemes\":\"bearer\"}", "C: "),
    ] {
        let credentials = credentials(mechanism, "tim", "ya29.wrong", None);
        let dialogue = join(mechanism, &credentials, params(), &Host::default(), true);
        assert_eq!(code(&dialogue.server.unwrap()), Some(ErrorCode::AuthRefused), "{mechanism}");
        assert_eq!(dialogue.said[1..], [format!("S: {reason}"), answer.into()], "{mechanism}");
    }
}

#[test]
fn a_connection_that_proves_nothing_is_refused() {
    let host = Host { nobody: true, ..Host::default() };
    let dialogue = join(External, &credentials(External, "tim", "", Some("tim")), params(), &host, true);
    assert_eq!(code(&dialogue.server.unwrap()), Some(ErrorCode::AuthRefused));
}

#[test]
fn whom_to_act_for_is_told_to_the_caller() {
    for mechanism in [&SCRAM[..], &[External, OauthBearer, Xoauth2, Plain]].concat() {
        for (authzid, told) in [("a,n=n", Some("a,n=n")), ("tim", None)] {
            let credentials = credentials(mechanism, "tim", PASSWORD, Some(authzid));
            let dialogue = join(mechanism, &credentials, params(), &Host::default(), true);
            assert_eq!(dialogue.server, Some(Ok(("tim".into(), told.map(String::from)))), "{mechanism} {authzid}");
            assert_eq!(dialogue.client, Ok(()), "{mechanism} {authzid}");
        }
    }
}

#[test]
fn whom_to_act_for_gets_nobody_in() {
    for mechanism in [&SCRAM[..], &[Plain]].concat() {
        for user in ["tim", "tom"] {
            let credentials = credentials(mechanism, user, "Pencil", Some("tim"));
            let dialogue = join(mechanism, &credentials, params(), &Host::default(), true);
            assert_eq!(code(&dialogue.server.unwrap()), Some(ErrorCode::AuthRefused), "{mechanism}");
        }
    }
}

#[test]
fn who_sits_in_between_is_found_out() {
    let theirs = [
        (ChannelBinding::new(ChannelBindingKind::TlsExporter, [9; 32]), "channel-bindings-dont-match"),
        (ChannelBinding::new(ChannelBindingKind::TlsExporter, [4; 31]), "channel-bindings-dont-match"),
        (ChannelBinding::new(ChannelBindingKind::TlsUnique, [4; 32]), "unsupported-channel-binding-type"),
    ];
    for mechanism in [ScramSha256Plus, ScramSha1Plus] {
        for (theirs, told) in &theirs {
            for (user, password) in [("tim", PASSWORD), ("tim", "Pencil"), ("tom", PASSWORD)] {
                let (client, server) = params();
                let credentials = credentials(mechanism, user, password, None);
                let server = ServerParams { bindings: vec![theirs.clone()], ..server };
                let dialogue = join(mechanism, &credentials, (client, server), &Host::default(), true);
                assert_eq!(code(&dialogue.server.unwrap()), Some(ErrorCode::SecurityChannelBinding), "{mechanism}");
                assert!(dialogue.client.unwrap_err().what().ends_with(told), "{mechanism}");
                assert_eq!(*dialogue.said.last().unwrap(), format!("S: e={told}"), "{mechanism}");
            }
        }
    }
}

#[test]
fn the_client_chooses_among_bindings() {
    let kinds = [ChannelBindingKind::TlsUnique, ChannelBindingKind::TlsServerEndPoint, ChannelBindingKind::TlsExporter];
    let bindings = kinds.map(|kind| ChannelBinding::new(kind, kind.name().as_bytes()));
    for binding in &bindings {
        let (client, server) = params();
        let both = (
            Params { binding: Some(binding.clone()), ..client },
            ServerParams { bindings: bindings.to_vec(), ..server },
        );
        let credentials = credentials(ScramSha256Plus, "tim", PASSWORD, None);
        let dialogue = join(ScramSha256Plus, &credentials, both, &Host::default(), true);
        assert_eq!((dialogue.server.map(|it| it.is_ok()), dialogue.client), (Some(true), Ok(())), "{binding:?}");
    }
}

#[test]
fn a_plus_taken_from_the_list_is_found_out() {
    for mechanism in [ScramSha256, ScramSha1] {
        for (has_binding, shown, offered, found_out) in [
            (true, false, true, true),
            (true, false, false, false),
            (true, true, true, false),
            (false, false, true, false),
            (false, false, false, false),
        ] {
            let (client, server) = params();
            let both = (
                Params { binding: has_binding.then(binding), offered_plus: shown, ..client },
                ServerParams { offers_plus: offered, ..server },
            );
            let host = Host::default();
            let dialogue = join(mechanism, &credentials(mechanism, "tim", PASSWORD, None), both, &host, true);
            let expected = found_out.then_some(ErrorCode::SecurityChannelBinding);
            assert_eq!(code(&dialogue.server.unwrap()), expected, "{mechanism}");
            assert_eq!(code(&dialogue.client), expected, "{mechanism}");
            assert_eq!(host.asked.borrow().is_empty(), found_out, "{mechanism}");
        }
    }
}

/// Whatever is changed on the way, neither side is satisfied, whichever message it is in.
#[test]
fn who_changes_a_scram_message_gains_nothing() {
    let (client, server) = params();
    let credentials = credentials(ScramSha256, "tim", PASSWORD, Some("ann"));
    let mut client = ClientExchange::new(ScramSha256, &credentials, client).unwrap();
    let first = client.initial_response().unwrap().unwrap();
    let host = Host::default();
    for at in 0..first.len() {
        let mut changed = first.as_bytes().to_vec();
        changed[at] ^= 1;
        let mut client = client.clone();
        let (mut server, mut step) = ServerExchange::start(ScramSha256, server.clone(), Some(&changed)).unwrap();
        let satisfied = loop {
            step = match step {
                ServerStep::Ask(question) => server.answer(host.answer(question)),
                ServerStep::Challenge(challenge) => match client.challenge(challenge.as_bytes()) {
                    Ok(response) => server.receive(response.as_bytes()),
                    Err(_) => break false,
                },
                ServerStep::Done { .. } => break true,
                ServerStep::Failed(_) => break false,
            };
        };
        assert!(!satisfied && client.succeeded().is_err(), "{at}");
    }
}
