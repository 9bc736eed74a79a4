//! SCRAM (RFC 5802; with SHA-256, RFC 7677): both sides prove that they know the password, and neither shows it.
//!
//! ```text
//! C: gs2-header n=user,r=cnonce                       client-first
//! S: r=cnonce snonce,s=salt,i=iterations              server-first
//! C: c=gs2-header and binding,r=cnonce snonce,p=proof client-final
//! S: v=signature                                      server-final
//! ```
//!
//! SMTP has no room for server-final beside its 235, so it comes as one more challenge, which is answered with nothing
//! (RFC 4954 §4). A 235 before it proves nothing, whatever its text says, and is not believed.

use super::channel_binding::ChannelBinding;
use super::gs2::{gs2_header, saslname};
use super::hash::Hash;
use super::saslprep::saslprep;
use super::secret::{Key, Response, Secret};
use super::server_words::shown;
use crate::error::{Error, ErrorCode};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base64ct::{Base64, Encoding};

/// A server that asks for fewer iterations is refused (RFC 5802 §5.1, RFC 7677 §4): it may want to guess the password.
pub const MIN_ITERATIONS: u32 = 4096;

/// A server that asks for more iterations is refused unless the host allows it (RFC 5802 §9): it may want to keep us
/// busy.
///
/// All of them are done within one call. Without SHA instructions in the processor a million of SHA-256 take some 0.8 s
/// on one core, and 1.5 s in WebAssembly. Servers ask for 4096 as a rule, and hardly ever for more than 600 000.
pub const MAX_ITERATIONS: u32 = 1_000_000;

/// How many random bytes make a nonce, at least.
pub const MIN_NONCE: usize = 18;

/// What the server is told about channel binding.
#[derive(Clone, Debug)]
pub(super) enum Binding {
    /// `n`: the client has none.
    None,
    /// `y`: the client has one and believes that the server does not, which the server checks.
    ServerHasNone,
    /// `p`: this one.
    Used(ChannelBinding),
}

/// The client, from the moment it has said client-first.
#[derive(Clone, Debug)]
pub(super) struct Client {
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
pub(super) struct Names<'a> {
    pub(super) user: &'a str,
    pub(super) authzid: Option<&'a str>,
}

impl Client {
    /// Gives client-first too. `nonce` is random, and printable ASCII without a comma.
    ///
    /// ```abnf
    /// client-first-message      = gs2-header client-first-message-bare    ; RFC 5802 §7
    /// client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]
    /// ```
    pub(super) fn new(
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
            Binding::None => (gs2_header("n", "", names.authzid), &[]),
            Binding::ServerHasNone => (gs2_header("y", "", names.authzid), &[]),
            Binding::Used(binding) => (gs2_header("p=", binding.kind.name(), names.authzid), &binding.data),
        };
        let client_first_bare = format!("n={},r={nonce}", saslname(user.expose()));
        let client_first = Response::concat(&[gs2.as_bytes(), client_first_bare.as_bytes()]);
        let channel = Base64::encode_string(&[gs2.as_bytes(), data].concat());
        let state = State::First { password, nonce, client_first_bare, channel };
        Ok((Self { hash, max_iterations, state }, client_first))
    }

    /// Answers server-first with client-final, and server-final with nothing.
    pub(super) fn response(&mut self, challenge: &[u8]) -> Result<Response, Error> {
        let message = core::str::from_utf8(challenge).map_err(|_| malformed("is not UTF-8"))?;
        let (next, response) = match &self.state {
            State::First { password, nonce, client_first_bare, channel } => {
                let server_first = ServerFirst::parse(message)?;
                self.check(&server_first, nonce)?;
                let without_proof = format!("c={channel},r={}", server_first.nonce);
                let signed = format!("{client_first_bare},{message},{without_proof}");
                let salted =
                    self.hash.pbkdf2(password.expose().as_bytes(), &server_first.salt, server_first.iterations);
                let (proof, server_signature) = self.prove(&salted, signed.as_bytes());
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
    pub(super) fn is_verified(&self) -> bool {
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

    /// Our proof, and the signature that the server has to show (RFC 5802 §3).
    ///
    /// ```text
    /// ClientKey       := HMAC(SaltedPassword, "Client Key")
    /// StoredKey       := H(ClientKey)
    /// ClientSignature := HMAC(StoredKey, AuthMessage)
    /// ClientProof     := ClientKey XOR ClientSignature
    /// ServerKey       := HMAC(SaltedPassword, "Server Key")
    /// ServerSignature := HMAC(ServerKey, AuthMessage)
    /// ```
    fn prove(&self, salted: &Key, signed: &[u8]) -> (Key, Key) {
        let hash = self.hash;
        let mut proof = hash.hmac(salted.as_bytes(), b"Client Key");
        let stored_key = hash.digest(proof.as_bytes());
        let client_signature = hash.hmac(stored_key.as_bytes(), signed);
        proof.as_mut_bytes().iter_mut().zip(client_signature.as_bytes()).for_each(|(byte, other)| *byte ^= other);
        let server_key = hash.hmac(salted.as_bytes(), b"Server Key");
        (proof, hash.hmac(server_key.as_bytes(), signed))
    }
}

/// ```abnf
/// client-final-message-without-proof = channel-binding "," nonce ["," extensions]    ; RFC 5802 §7
/// client-final-message               = client-final-message-without-proof "," proof
/// ```
fn client_final(without_proof: &str, proof: &Key) -> Response {
    let mut buffer = Key::zeros(Base64::encoded_len(proof.as_bytes()));
    let proof =
        Base64::encode(proof.as_bytes(), buffer.as_mut_bytes()).expect("the buffer has the length of the output");
    Response::concat(&[without_proof.as_bytes(), b",p=", proof.as_bytes()])
}

/// ```abnf
/// server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count ["," extensions]    ; RFC 5802 §7
/// nonce                = "r=" c-nonce [s-nonce]
/// printable            = %x21-2B / %x2D-7E
/// salt                 = "s=" base64
/// iteration-count      = "i=" posit-number
/// posit-number         = %x31-39 *DIGIT
/// ```
#[derive(Debug)]
struct ServerFirst<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    /// `u32::MAX` for any larger number.
    iterations: u32,
}

impl<'a> ServerFirst<'a> {
    fn parse(message: &'a str) -> Result<Self, Error> {
        let mut attributes = message.split(',');
        let nonce = attribute(&mut attributes, "r=", "has no nonce where it belongs")?;
        if !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(malformed("has a nonce that is not printable"));
        }
        let salt = attribute(&mut attributes, "s=", "has no salt where it belongs")?;
        let salt = Base64::decode_vec(salt).ok().filter(|salt| !salt.is_empty());
        let salt = salt.ok_or_else(|| malformed("has a salt that is not base64"))?;
        let iterations = attribute(&mut attributes, "i=", "has no iteration count where it belongs")?;
        if iterations.is_empty() || iterations.starts_with('0') || !iterations.bytes().all(|byte| byte.is_ascii_digit())
        {
            return Err(malformed("has an iteration count that is no number"));
        }
        // It is a number, so the only way to fail is to be too large.
        let iterations = iterations.parse().unwrap_or(u32::MAX);
        extensions(attributes)?;
        Ok(Self { nonce, salt, iterations })
    }
}

/// The server's signature, or why it gives none.
///
/// ```abnf
/// server-final-message = (server-error / verifier) ["," extensions]    ; RFC 5802 §7
/// server-error         = "e=" server-error-value
/// verifier             = "v=" base64
/// ```
fn server_final(message: &str) -> Result<Vec<u8>, Error> {
    let mut attributes = message.split(',');
    if let Some(reason) = message.strip_prefix("e=") {
        return Err(refusal(reason.split(',').next().unwrap_or_default()));
    }
    let signature = attribute(&mut attributes, "v=", "has no signature where it belongs")?;
    let signature = Base64::decode_vec(signature).map_err(|_| malformed("has a signature that is not base64"))?;
    extensions(attributes)?;
    Ok(signature)
}

fn attribute<'a>(
    attributes: &mut core::str::Split<'a, char>,
    name: &str,
    missing: &'static str,
) -> Result<&'a str, Error> {
    let attribute = attributes.next().unwrap_or_default();
    if attribute.starts_with("m=") {
        return Err(mandatory_extension());
    }
    attribute.strip_prefix(name).ok_or_else(|| malformed(missing))
}

/// Those that are not mandatory are ignored.
///
/// ```abnf
/// extensions = attr-val *("," attr-val)    ; RFC 5802 §7
/// attr-val   = ALPHA "=" value
/// value      = 1*value-char
/// ```
fn extensions<'a>(mut attributes: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    attributes.try_for_each(|attribute| match attribute.as_bytes() {
        [b'm', b'=', ..] => Err(mandatory_extension()),
        [name, b'=', _, ..] if name.is_ascii_alphabetic() => Ok(()),
        _ => Err(malformed("ends in something that is no attribute")),
    })
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

fn mandatory_extension() -> Error {
    malformed("demands an extension that is not known here")
}

fn malformed(what: &'static str) -> Error {
    Error::new(ErrorCode::AuthMalformedChallenge, format!("the server's SCRAM message {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::ChannelBindingKind;

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
            ("e=other-error", "has no nonce where it belongs"),
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
