//! The client's side of an exchange, against a server that says anything.
//!
//! - An exchange comes to its end, and once it has failed stays so with the same error.
//! - SCRAM believes only a server that knows the password, and the nonce, and the channel.
//! - What PLAIN, LOGIN and CRAM-MD5 say is what their RFCs say.
//! - No secret is in any error or `Debug`.

use arbitrary::Unstructured;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use okuru_core::sasl::{
    ChannelBinding, ChannelBindingKind, ClientExchange, Credentials, MAX_MESSAGE, MIN_ITERATIONS, Mechanism, Params,
    Secret, choose,
};
use okuru_core::{Error, ErrorCode};
use sha2::{Digest, Sha256};

use crate::bytes::{blob, byte, flag, pick, text};

const PASSWORD: &str = "pencil-8fq3nZ0dWm";
const TOKEN: &str = "token-Kx91vvQpLs72";
const NONCE: [u8; 24] = *b"a nonce of 24 octets....";
const BINDING: &[u8] = b"what both ends know";

/// Credentials, a mechanism, and challenges: arbitrary ones, or those of a server that knows SCRAM.
pub fn run(data: &[u8]) {
    // A server that knows a secret may say it.
    if [PASSWORD, TOKEN].iter().any(|secret| data.windows(secret.len()).any(|window| window == secret.as_bytes())) {
        return;
    }
    let mut from = Unstructured::new(data);
    let Ok(credentials) = credentials(&mut from) else {
        return;
    };
    let binding = flag(&mut from).then(|| ChannelBinding::new(ChannelBindingKind::TlsExporter, BINDING));
    let mechanism = mechanism(&mut from, &credentials, binding.as_ref());
    let host = text(&mut from);
    let params = Params {
        binding: binding.clone(),
        offered_plus: flag(&mut from),
        max_iterations: MIN_ITERATIONS,
        ..Params::new(&host, 587, &NONCE)
    };
    let exchange = match ClientExchange::new(mechanism, &credentials, params) {
        Ok(exchange) => exchange,
        Err(error) => return discreet(&error),
    };
    if mechanism == Mechanism::ScramSha256 || mechanism == Mechanism::ScramSha256Plus {
        scram(exchange, binding.is_some(), &mut from);
    } else {
        converse(exchange, &credentials, &mut from);
    }
}

fn credentials(from: &mut Unstructured<'_>) -> Result<Credentials, Error> {
    match byte(from) % 6 {
        0 => Credentials::password("user", PASSWORD, None),
        1 => Credentials::password(text(from), PASSWORD, Some(text(from))),
        2 => Credentials::password("user", text(from), None),
        3 => Credentials::token(Some(text(from)), Some(Secret::new(TOKEN))),
        4 => Credentials::token(None, Some(Secret::new(text(from)))),
        _ => Credentials::external(Some(text(from))),
    }
}

/// One that was chosen from an arbitrary offer, or any, whether it fits or not.
fn mechanism(from: &mut Unstructured<'_>, credentials: &Credentials, binding: Option<&ChannelBinding>) -> Mechanism {
    if flag(from) {
        return pick(from, &Mechanism::STRONGEST_FIRST);
    }
    let offered: Vec<String> = text(from).split(' ').map(str::to_owned).collect();
    match choose(credentials, &offered, None, binding) {
        Ok(mechanism) => {
            assert!(offered.iter().any(|name| name.eq_ignore_ascii_case(mechanism.name())));
            assert!(!mechanism.binds_channel() || binding.is_some());
            mechanism
        }
        Err(error) => {
            assert_eq!(error.code(), ErrorCode::AuthNoMechanism);
            discreet(&error);
            Mechanism::Plain
        }
    }
}

fn discreet(error: &Error) {
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(PASSWORD) && !shown.contains(TOKEN), "{shown}");
    assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
}

/// How many responses an exchange has at the most, the one to an empty challenge at its beginning included.
const MOST_RESPONSES: usize = 3;

fn converse(mut exchange: ClientExchange, credentials: &Credentials, from: &mut Unstructured<'_>) {
    let mechanism = exchange.mechanism();
    let mut responses = Vec::new();
    if flag(from)
        && let Some(first) = exchange.initial_response().expect("it has not failed yet")
    {
        responses.push(first.as_bytes().to_vec());
    }
    let mut heard = Vec::new();
    let mut failed = None;
    for _ in 0..=MOST_RESPONSES + 1 {
        let challenge = blob(from);
        match exchange.challenge(challenge) {
            Ok(response) => {
                assert_eq!(failed, None, "an exchange that has failed goes on");
                assert!(response.len() <= MAX_MESSAGE);
                responses.push(response.as_bytes().to_vec());
            }
            Err(error) => {
                discreet(&error);
                assert_eq!(*failed.get_or_insert(error.clone()), error);
                assert_eq!(exchange.initial_response().err(), failed);
            }
        }
        heard.push(challenge);
        if flag(from) {
            break;
        }
    }
    assert!(responses.len() <= MOST_RESPONSES, "{responses:?}");
    match exchange.succeeded() {
        Ok(()) => {
            assert_eq!(failed, None);
            assert!(!matches!(mechanism, Mechanism::ScramSha1 | Mechanism::ScramSha1Plus), "an unproved server");
            assert!(!responses.is_empty());
        }
        Err(error) => {
            discreet(&error);
            assert_eq!(failed.get_or_insert(error.clone()), &error);
            assert_eq!(exchange.challenge(b"").err(), failed);
        }
    }
    said(mechanism, credentials, &responses, &heard);
    let shown = format!("{exchange:?} {credentials:?} {:?}", exchange.failure_detail());
    assert!(!shown.contains(PASSWORD) && !shown.contains(TOKEN), "{shown}");
}

/// What the RFCs want to be said.
fn said(mechanism: Mechanism, credentials: &Credentials, responses: &[Vec<u8>], heard: &[&[u8]]) {
    let user = credentials.user().unwrap_or_default().as_bytes();
    let (Some(first), challenge) = (responses.first(), heard.first().copied().unwrap_or_default()) else {
        return;
    };
    match mechanism {
        // RFC 4616 section 2.
        Mechanism::Plain => {
            let fields: Vec<&[u8]> = first.split(|&byte| byte == 0).collect();
            assert_eq!((fields.len(), responses.len()), (3, 1));
        }
        Mechanism::Login if user.is_ascii() => assert_eq!(first, user),
        // RFC 2195 section 2.
        Mechanism::CramMd5 => {
            let (name, digest) = first.split_at(first.len() - 32);
            assert!(name.ends_with(b" ") && digest.iter().all(|byte| b"0123456789abcdef".contains(byte)));
            assert!(!challenge.is_empty() || !digest.is_empty());
        }
        // RFC 7628 section 3.1.
        Mechanism::OauthBearer => assert!(first.ends_with(b"\x01\x01")),
        _ => {}
    }
}

/// A server that knows the password, or nearly: it says something else in one place, if the bytes want it.
fn scram(mut exchange: ClientExchange, bound: bool, from: &mut Unstructured<'_>) {
    let client_first = exchange.initial_response().expect("it has not failed").expect("the client speaks first");
    let client_first = String::from_utf8(client_first.as_bytes().to_vec()).expect("SCRAM is text");
    let (header, bare) = client_first.split_at(client_first.match_indices(',').nth(1).expect("there are two").0 + 1);
    assert_eq!(exchange.mechanism() == Mechanism::ScramSha256Plus, header.starts_with("p=tls-exporter,"));
    let nonce = bare.rsplit_once("r=").expect("there is a nonce").1;
    assert_eq!(nonce, BASE64.encode(NONCE));

    let falsehood = byte(from);
    let salt = b"salt of the user";
    let server_first = match falsehood {
        1 => String::from_utf8_lossy(blob(from)).into_owned(),
        2 => format!("r={}x,s={},i={MIN_ITERATIONS}", &nonce[1..], BASE64.encode(salt)),
        3 => format!("r={nonce},s={},i={MIN_ITERATIONS}", BASE64.encode(salt)),
        4 => format!("r={nonce}srv,s={},i={}", BASE64.encode(salt), MIN_ITERATIONS - 1),
        5 => format!("r={nonce}srv,s={},i={}", BASE64.encode(salt), MIN_ITERATIONS + 1),
        6 => format!("m=x,r={nonce}srv,s={},i={MIN_ITERATIONS}", BASE64.encode(salt)),
        _ => format!("r={nonce}srv,s={},i={MIN_ITERATIONS}", BASE64.encode(salt)),
    };
    let client_final = match exchange.challenge(server_first.as_bytes()) {
        Ok(response) => String::from_utf8(response.as_bytes().to_vec()).expect("SCRAM is text"),
        Err(error) => {
            assert!(!(7..).contains(&falsehood) && falsehood != 0, "{error}");
            discreet(&error);
            return assert!(exchange.succeeded().is_err());
        }
    };
    if falsehood == 1 {
        return assert!(exchange.succeeded().is_err(), "the server has proved nothing");
    }
    assert!(!matches!(falsehood, 2..=6), "{server_first} was taken");

    let (without_proof, proof) = client_final.rsplit_once(",p=").expect("there is a proof");
    let binding = without_proof.strip_prefix("c=").and_then(|rest| rest.split_once(',')).expect("there is c=").0;
    let plus = exchange.mechanism() == Mechanism::ScramSha256Plus;
    assert!(!plus || bound);
    let said_binding = [header.as_bytes(), if plus { BINDING } else { b"" }].concat();
    assert_eq!(BASE64.decode(binding).expect("it is base64"), said_binding);

    let mut salted = [0; 32];
    pbkdf2::pbkdf2::<Hmac<Sha256>>(PASSWORD.as_bytes(), salt, MIN_ITERATIONS, &mut salted).expect("any length is good");
    let exchanged = format!("{bare},{server_first},{without_proof}");
    let client_key = mac(&salted, b"Client Key");
    let signature = mac(&Sha256::digest(client_key), exchanged.as_bytes());
    let expected: Vec<u8> = client_key.iter().zip(signature).map(|(key, sign)| key ^ sign).collect();
    // The others were given a password of their own.
    let knows = BASE64.decode(proof).expect("it is base64") == expected;

    let mut server_final = format!("v={}", BASE64.encode(mac(&mac(&salted, b"Server Key"), exchanged.as_bytes())));
    if falsehood == 7 {
        server_final = String::from_utf8_lossy(blob(from)).into_owned();
    } else if falsehood >= 128 {
        let place = usize::from(falsehood) % server_final.len();
        let other = if server_final.as_bytes()[place] == b'A' { "B" } else { "A" };
        server_final.replace_range(place..=place, other);
    }
    let honest = falsehood != 7 && falsehood < 128;
    match exchange.challenge(server_final.as_bytes()) {
        Ok(response) => assert!(honest && knows && response.is_empty(), "{server_final} was believed"),
        Err(error) => {
            assert!(!(honest && knows), "{server_final} was not believed: {error}");
            discreet(&error);
        }
    }
    assert_eq!(exchange.succeeded().is_ok(), honest && knows);
}

fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("a key may have any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}
