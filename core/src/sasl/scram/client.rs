//! The client's side.

use super::grammar::{Attributes, Fault, posit_number};
use super::keys::{self, Keys};
use super::limits::MIN_ITERATIONS;
use crate::error::{Error, ErrorCode};
use crate::sasl::channel_binding::ChannelBinding;
use crate::sasl::gs2::{Gs2Flag, gs2_header, saslname};
use crate::sasl::hash::Hash;
use crate::sasl::saslprep::saslprep;
use crate::sasl::secret::{Key, Response, Secret};
use crate::sasl::server_words::shown;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base64ct::{Base64, Encoding};

/// What the server is told about channel binding.
#[derive(Clone, Debug)]
pub(in crate::sasl) enum Binding {
    /// `n`: the client has none.
    None,
    /// `y`: the client has one and believes that the server does not, which the server checks.
    ServerHasNone,
    /// `p`: this one.
    Used(ChannelBinding),
}

/// The client, from the moment it has said client-first.
#[derive(Clone, Debug)]
pub(in crate::sasl) struct Client {
    hash: Hash,
    max_iterations: u32,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// Waits for server-first.
    First {
        /// The prepared password.
        password: Secret,
        nonce: String,
        client_first_bare: String,
        /// What `c=` will say: gs2-header and binding, in base64.
        channel: String,
    },
    /// Waits for server-final.
    Final { server_signature: Key },
    /// The server has proved that it knows the password.
    Verified,
}

/// What the user is called, and whom to act for.
pub(in crate::sasl) struct Names<'a> {
    pub(in crate::sasl) user: &'a str,
    pub(in crate::sasl) authzid: Option<&'a str>,
}

impl Client {
    /// Gives client-first too. `nonce` is random, and printable ASCII without a comma.
    ///
    /// ```abnf
    /// client-first-message      = gs2-header client-first-message-bare    ; RFC 5802 §7
    /// client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]
    /// ```
    pub(in crate::sasl) fn new(
        hash: Hash,
        names: &Names<'_>,
        password: &Secret,
        nonce: String,
        binding: &Binding,
        max_iterations: u32,
    ) -> Result<(Self, Response), Error> {
        let user = saslprep(names.user, "the user name")?;
        let password = saslprep(password.expose(), "the password")?;
        let (gs2, data): (String, &[u8]) = match binding {
            Binding::None => (gs2_header(&Gs2Flag::None, names.authzid), &[]),
            Binding::ServerHasNone => (gs2_header(&Gs2Flag::ServerHasNone, names.authzid), &[]),
            Binding::Used(binding) => (gs2_header(&Gs2Flag::Used(binding.kind.name()), names.authzid), &binding.data),
        };
        let client_first_bare = format!("n={},r={nonce}", saslname(user.expose()));
        let client_first = Response::concat(&[gs2.as_bytes(), client_first_bare.as_bytes()]);
        let channel = Base64::encode_string(&[gs2.as_bytes(), data].concat());
        let state = State::First { password, nonce, client_first_bare, channel };
        Ok((Self { hash, max_iterations, state }, client_first))
    }

    /// Answers server-first with client-final, and server-final with nothing.
    pub(in crate::sasl) fn response(&mut self, challenge: &[u8]) -> Result<Response, Error> {
        let message = core::str::from_utf8(challenge).map_err(|_| malformed("is not UTF-8"))?;
        let (next, response) = match &self.state {
            State::First { password, nonce, client_first_bare, channel } => {
                let server_first = ServerFirst::parse(message)?;
                self.check(&server_first, nonce)?;
                let without_proof = format!("c={channel},r={}", server_first.nonce);
                let signed = format!("{client_first_bare},{message},{without_proof}");
                let keys = Keys::derive(self.hash, password.expose(), &server_first.salt, server_first.iterations);
                let server_signature = keys::server_signature(self.hash, &keys.server_key, signed.as_bytes());
                let proof =
                    keys::with_client_signature(self.hash, keys.client_key, &keys.stored_key, signed.as_bytes());
                let response = client_final(&without_proof, &proof);
                (State::Final { server_signature }, response)
            }
            State::Final { server_signature } => {
                let signature = server_final(message)?;
                if !server_signature.matches(&signature) {
                    return Err(Error::new(
                        ErrorCode::SecurityServerNotAuthenticated,
                        "the server's signature shows that it does not know the password",
                    ));
                }
                (State::Verified, Response::empty())
            }
            State::Verified => return Err(malformed("comes after the last")),
        };
        self.state = next;
        Ok(response)
    }

    /// Whether the server has proved that it knows the password.
    pub(in crate::sasl) fn is_verified(&self) -> bool {
        matches!(self.state, State::Verified)
    }

    fn check(&self, server_first: &ServerFirst<'_>, nonce: &str) -> Result<(), Error> {
        if server_first.nonce.strip_prefix(nonce).is_none_or(str::is_empty) {
            return Err(malformed("has a nonce that does not extend ours"));
        }
        if server_first.iterations < MIN_ITERATIONS {
            return Err(malformed("asks for too few iterations to protect the password (fewer than 4096)"));
        }
        if server_first.iterations > self.max_iterations {
            return Err(malformed("asks for more iterations than are allowed"));
        }
        Ok(())
    }
}

/// ```abnf
/// client-final-message-without-proof = channel-binding "," nonce ["," extensions]    ; RFC 5802 §7
/// client-final-message               = client-final-message-without-proof "," proof
/// ```
fn client_final(without_proof: &str, proof: &Key) -> Response {
    Response::concat(&[without_proof.as_bytes(), b",p=", proof.to_base64().expose().as_bytes()])
}

/// ```abnf
/// server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count ["," extensions]    ; RFC 5802 §7
/// salt                 = "s=" base64
/// iteration-count      = "i=" posit-number
/// ```
///
/// A server that refuses at once may say why instead, though the grammar has a place for that in server-final only.
#[derive(Debug)]
struct ServerFirst<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    /// `u32::MAX` for any larger number.
    iterations: u32,
}

impl<'a> ServerFirst<'a> {
    fn parse(message: &'a str) -> Result<Self, Error> {
        if let Some(error) = server_error(message) {
            return Err(error);
        }
        let mut attributes = Attributes::new(message);
        let nonce = attributes.next_nonce()?;
        let salt = attributes.next("s=", "has no salt where it belongs")?;
        let salt = Base64::decode_vec(salt).ok().filter(|salt| !salt.is_empty());
        let salt = salt.ok_or_else(|| malformed("has a salt that is not base64"))?;
        let iterations = attributes.next("i=", "has no iteration count where it belongs")?;
        let iterations =
            posit_number(iterations).ok_or_else(|| malformed("has an iteration count that is no number"))?;
        attributes.finish()?;
        Ok(Self { nonce, salt, iterations })
    }
}

/// The server's signature, or why it gives none.
///
/// ```abnf
/// server-final-message = (server-error / verifier) ["," extensions]    ; RFC 5802 §7
/// verifier             = "v=" base64
/// ```
fn server_final(message: &str) -> Result<Vec<u8>, Error> {
    if let Some(error) = server_error(message) {
        return Err(error);
    }
    let mut attributes = Attributes::new(message);
    let signature = attributes.next("v=", "has no signature where it belongs")?;
    let signature = Base64::decode_vec(signature).map_err(|_| malformed("has a signature that is not base64"))?;
    attributes.finish()?;
    Ok(signature)
}

/// ```abnf
/// server-error = "e=" server-error-value    ; RFC 5802 §7
/// ```
fn server_error(message: &str) -> Option<Error> {
    message.strip_prefix("e=").map(|reason| refusal(reason.split(',').next().unwrap_or_default()))
}

/// RFC 5802 §7 lists the values. What is not on the list is to be taken for `other-error`; its words are kept.
fn refusal(reason: &str) -> Error {
    let code = match reason {
        "channel-bindings-dont-match" | "server-does-support-channel-binding" => ErrorCode::SecurityChannelBinding,
        "channel-binding-not-supported" | "unsupported-channel-binding-type" => ErrorCode::AuthNoMechanism,
        _ => ErrorCode::AuthRefused,
    };
    Error::new(code, format!("the server refused the SCRAM exchange: {}", shown(reason.as_bytes(), 80)))
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        malformed(fault.why())
    }
}

fn malformed(what: &'static str) -> Error {
    Error::new(ErrorCode::AuthMalformedChallenge, format!("the server's SCRAM message {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::{ChannelBindingKind, MAX_ITERATIONS};

    const SHA_1: [&str; 4] = [
        "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ];

    fn start(hash: Hash, nonce: &str, binding: &Binding) -> (Client, Response) {
        let names = Names { user: "user", authzid: None };
        Client::new(hash, &names, &"pencil".into(), nonce.into(), binding, MAX_ITERATIONS).unwrap()
    }

    fn sha_1() -> Client {
        start(Hash::Sha1, "fyko+d2lbbFgONRv9qkxdawL", &Binding::None).0
    }

    /// The dialogue, as far as the server's part in it leads.
    fn check((mut client, first): (Client, Response), dialogue: [&str; 4]) {
        assert_eq!(first.as_bytes(), dialogue[0].as_bytes());
        assert_eq!(client.response(dialogue[1].as_bytes()).unwrap().as_bytes(), dialogue[2].as_bytes());
        assert!(!client.is_verified());
        assert!(client.response(dialogue[3].as_bytes()).unwrap().is_empty());
        assert!(client.is_verified());
    }

    fn refused(client: &mut Client, challenge: &str) -> (ErrorCode, String) {
        let error = client.response(challenge.as_bytes()).expect_err(challenge);
        assert!(!client.is_verified());
        (error.code(), error.what().into())
    }

    #[test]
    fn the_example_of_rfc_5802_section_5() {
        check(start(Hash::Sha1, "fyko+d2lbbFgONRv9qkxdawL", &Binding::None), SHA_1);
    }

    #[test]
    fn the_example_of_rfc_7677_section_3() {
        check(
            start(Hash::Sha256, "rOprNGfwEbeRWgbNEkqO", &Binding::None),
            [
                "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
                "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                 p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ],
        );
    }

    /// Reckoned with another implementation of PBKDF2 and HMAC.
    #[test]
    fn a_binding_is_named_and_proved_and_names_are_escaped() {
        let binding = ChannelBinding::new(ChannelBindingKind::TlsExporter, (0..32).collect::<Vec<u8>>());
        let names = Names { user: "a,b=c", authzid: Some("o,ther") };
        let nonce = "AAECAwQFBgcICQoLDA0ODxAR".into();
        check(
            Client::new(Hash::Sha256, &names, &"IX".into(), nonce, &Binding::Used(binding), MAX_ITERATIONS).unwrap(),
            [
                "p=tls-exporter,a=o=2Cther,n=a=2Cb=3Dc,r=AAECAwQFBgcICQoLDA0ODxAR",
                "r=AAECAwQFBgcICQoLDA0ODxARserver,s=c2FsdHNhbHQ=,i=4096",
                "c=cD10bHMtZXhwb3J0ZXIsYT1vPTJDdGhlciwAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw==,\
                 r=AAECAwQFBgcICQoLDA0ODxARserver,p=3Vr0HvQ2ttDbv150IwBs10M0KD9NS7ns9IazYw5Tju8=",
                "v=jGw8XQubeL3yMDAcUTuUc0I5V/DuK9RAjT4wKkzYmMs=",
            ],
        );
    }

    #[test]
    fn a_server_without_binding_is_told_that_we_have_one() {
        check(
            start(Hash::Sha1, "AAECAwQFBgcICQoLDA0ODxAR", &Binding::ServerHasNone),
            [
                "y,,n=user,r=AAECAwQFBgcICQoLDA0ODxAR",
                "r=AAECAwQFBgcICQoLDA0ODxARserver,s=c2FsdHNhbHQ=,i=5000",
                "c=eSws,r=AAECAwQFBgcICQoLDA0ODxARserver,p=LzRshgJq9lWN7WOWriLfgnXz4MA=",
                "v=GEMWv1yuLahQu9dxYY/MRIQxnjI=",
            ],
        );
    }

    #[test]
    #[cfg(feature = "saslprep")]
    fn user_and_password_are_prepared() {
        let with = |user, password: &str| {
            let names = Names { user, authzid: None };
            let (mut client, first) =
                Client::new(Hash::Sha1, &names, &password.into(), "abc".into(), &Binding::None, 4096).unwrap();
            (first.as_bytes().to_vec(), client.response(b"r=abcd,s=AAAA,i=4096").unwrap().as_bytes().to_vec())
        };
        assert_eq!(with("\u{2168}", "pen\u{AD}cil\u{AA}"), with("IX", "pencila"));
        let names = Names { user: "\u{627}1", authzid: None };
        let error = Client::new(Hash::Sha1, &names, &"x".into(), "abc".into(), &Binding::None, 4096).unwrap_err();
        assert_eq!(error.code(), ErrorCode::AuthCredentials);
    }

    #[test]
    fn a_malformed_server_first_is_refused() {
        const NONCE: &str = "r=fyko+d2lbbFgONRv9qkxdawL3rfc";
        for (rest, why) in [
            ("", "has no nonce where it belongs"),
            ("s=QSXC,i=4096", "has no nonce where it belongs"),
            ("NONCE", "has no salt where it belongs"),
            ("NONCE,i=4096,s=QSXC", "has no salt where it belongs"),
            ("NONCE,s=QSXC", "has no iteration count where it belongs"),
            ("NONCE,s=QSXC,x=1,i=4096", "has no iteration count where it belongs"),
            ("m=1,NONCE,s=QSXC,i=4096", "demands an extension that is not known here"),
            ("NONCE,m=1,s=QSXC,i=4096", "demands an extension that is not known here"),
            ("NONCE,s=QSXC,i=4096,m=1", "demands an extension that is not known here"),
            ("NONCE,s=QSXC,i=4096,x=1,m=", "demands an extension that is not known here"),
            ("NONCE,s=QSXC,i=4096,", "ends in something that is no attribute"),
            ("NONCE,s=QSXC,i=4096,x=", "ends in something that is no attribute"),
            ("NONCE,s=,i=4096", "has a salt that is not base64"),
            ("NONCE,s=QSX,i=4096", "has a salt that is not base64"),
            ("NONCE,s=Q*XC,i=4096", "has a salt that is not base64"),
            ("NONCE,s=QSXC,i=", "has an iteration count that is no number"),
            ("NONCE,s=QSXC,i=04096", "has an iteration count that is no number"),
            ("NONCE,s=QSXC,i=+4096", "has an iteration count that is no number"),
            ("NONCE,s=QSXC,i=-1", "has an iteration count that is no number"),
            ("NONCE,s=QSXC,i=4096 ", "has an iteration count that is no number"),
            ("NONCE,s=QSXC,i=4095", "asks for too few iterations to protect the password (fewer than 4096)"),
            ("NONCE,s=QSXC,i=1000001", "asks for more iterations than are allowed"),
            ("NONCE,s=QSXC,i=99999999999999999999", "asks for more iterations than are allowed"),
            ("r=fyko+d2lbbFgONRv9qkxdawL,s=QSXC,i=4096", "has a nonce that does not extend ours"),
            ("r=fyko+d2lbbFgONRv9qkxdaw,s=QSXC,i=4096", "has a nonce that does not extend ours"),
            ("r=Fyko+d2lbbFgONRv9qkxdawL3rfc,s=QSXC,i=4096", "has a nonce that does not extend ours"),
            ("r=fyko+d2lbbFgONRv9qkxdawL\u{7f},s=QSXC,i=4096", "has a nonce that is not printable"),
            ("r=fyko+d2lbbFgONRv9qkxdawL 3,s=QSXC,i=4096", "has a nonce that is not printable"),
        ] {
            let (code, what) = refused(&mut sha_1(), &rest.replace("NONCE", NONCE));
            assert_eq!(code, ErrorCode::AuthMalformedChallenge, "{rest}");
            assert_eq!(what, format!("the server's SCRAM message {why}"), "{rest}");
        }
        assert_eq!(sha_1().response(b"r=\xff").unwrap_err().code(), ErrorCode::AuthMalformedChallenge);
    }

    #[test]
    fn unknown_extensions_are_ignored() {
        let mut client = sha_1();
        assert!(client.response(b"r=fyko+d2lbbFgONRv9qkxdawL3,s=QSXC,i=4096,x=1,Y=a=b").is_ok());
    }

    #[test]
    fn the_bound_on_iterations_is_the_hosts() {
        let names = Names { user: "user", authzid: None };
        let mut client =
            Client::new(Hash::Sha1, &names, &"pencil".into(), "abc".into(), &Binding::None, 5000).unwrap().0;
        assert!(client.clone().response(b"r=abcd,s=AAAA,i=5000").is_ok());
        refused(&mut client, "r=abcd,s=AAAA,i=5001");
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_refused() {
        let mut client = sha_1();
        client.response(SHA_1[1].as_bytes()).unwrap();
        let not_authenticated = ErrorCode::SecurityServerNotAuthenticated;
        for signature in ["v=smF9pqV8S7suAoZWja4dJRkFsKQ=", "v=", "v=rmF9", "v=rmF9pqV8S7suAoZWja4dJRkFsA=="] {
            assert_eq!(refused(&mut client.clone(), signature).0, not_authenticated, "{signature}");
        }
        for message in [
            "",
            "x=1",
            "V=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            "x=1,v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ",
            "v=*",
            "m=1,v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=,m=1",
        ] {
            assert_eq!(refused(&mut client.clone(), message).0, ErrorCode::AuthMalformedChallenge, "{message}");
        }
    }

    #[test]
    fn only_the_very_signature_is_believed() {
        let mut client = sha_1();
        client.response(SHA_1[1].as_bytes()).unwrap();
        for at in 0..SHA_1[3].len() {
            for bit in 0..8 {
                let mut forged = SHA_1[3].as_bytes().to_vec();
                forged[at] ^= 1 << bit;
                let mut client = client.clone();
                assert!(client.response(&forged).is_err(), "{at} {bit}");
                assert!(!client.is_verified());
            }
            assert!(client.clone().response(&SHA_1[3].as_bytes()[..at]).is_err());
        }
    }

    #[test]
    fn the_servers_reason_is_told() {
        let (code, what) = refused(&mut sha_1(), "e=server-does-support-channel-binding");
        assert_eq!(code, ErrorCode::SecurityChannelBinding);
        assert!(what.ends_with("server-does-support-channel-binding"), "{what}");
        let mut client = sha_1();
        client.response(SHA_1[1].as_bytes()).unwrap();
        for (message, code, shown) in [
            ("e=invalid-proof", ErrorCode::AuthRefused, "invalid-proof"),
            ("e=unknown-user,x=1", ErrorCode::AuthRefused, "unknown-user"),
            ("e=channel-bindings-dont-match", ErrorCode::SecurityChannelBinding, "channel-bindings-dont-match"),
            ("e=server-does-support-channel-binding", ErrorCode::SecurityChannelBinding, "channel-binding"),
            ("e=unsupported-channel-binding-type", ErrorCode::AuthNoMechanism, "unsupported-channel-binding-type"),
            ("e=\x1b]0;x\x07", ErrorCode::AuthRefused, "?]0;x?"),
        ] {
            let (actual, what) = refused(&mut client.clone(), message);
            assert_eq!(actual, code, "{message}");
            assert!(what.contains(shown), "{what}");
        }
    }

    #[test]
    fn nothing_comes_after_server_final() {
        let mut client = sha_1();
        client.response(SHA_1[1].as_bytes()).unwrap();
        client.response(SHA_1[3].as_bytes()).unwrap();
        assert_eq!(client.response(b"").unwrap_err().code(), ErrorCode::AuthMalformedChallenge);
    }
}
