//! The server's side: a type for each thing that it waits for.

use super::grammar::{Attributes, Fault};
use super::keys;
use super::stored_keys::StoredKeys;
use crate::error::{Error, ErrorCode};
use crate::sasl::channel_binding::ChannelBinding;
use crate::sasl::failure::wrong_password;
use crate::sasl::gs2::{Gs2Flag, Gs2Header, parse_saslname};
use crate::sasl::hash::Hash;
use crate::sasl::saslprep::saslprep;
use crate::sasl::secret::{Key, Response};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base64ct::{Base64, Encoding};

/// The client's part of the nonce: others use 18 to 36 characters. It comes back in server-first, which has to fit.
const MAX_CLIENT_NONCE: usize = 1024;

/// What there is to tie the exchange to the connection with.
#[derive(Clone, Debug)]
pub(in crate::sasl) struct Channel {
    pub(in crate::sasl) bindings: Vec<ChannelBinding>,
    /// Whether the client was offered a mechanism that ends in -PLUS.
    pub(in crate::sasl) offers_plus: bool,
    /// Whether it chose one.
    pub(in crate::sasl) plus: bool,
}

/// Why the exchange has failed, and the value of `e=` that tells the client, where it helps.
///
/// RFC 5802 §3 leaves it open to say nothing and end the exchange. A wrong proof ends it so: that saves a round trip, and
/// the reply that refuses says it all. What the reply would not tell from a wrong password, such as a mechanism that
/// somebody took from the list, is told.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::sasl) struct Refusal {
    pub(in crate::sasl) error: Error,
    pub(in crate::sasl) told: Option<&'static str>,
}

/// Waits for client-first.
#[derive(Clone, Debug)]
pub(in crate::sasl) struct First {
    hash: Hash,
    nonce: String,
    channel: Channel,
}

impl First {
    /// `nonce` is random, and printable ASCII without a comma.
    pub(in crate::sasl) fn new(hash: Hash, nonce: String, channel: Channel) -> Self {
        Self { hash, nonce, channel }
    }

    /// ```abnf
    /// client-first-message      = gs2-header client-first-message-bare    ; RFC 5802 §7
    /// client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]
    /// username                  = "n=" saslname
    /// ```
    pub(in crate::sasl) fn receive(self, message: &[u8]) -> Result<Asked, Refusal> {
        let message = utf8(message)?;
        let (header, bare) = Gs2Header::parse(message).ok_or(Fault::Malformed("has no GS2 header"))?;
        let data = self.channel.data(&header.flag)?;
        let channel = Base64::encode_string(&[header.text.as_bytes(), data].concat());
        let mut attributes = Attributes::new(bare);
        let user = attributes.next("n=", "has no user name where it belongs")?;
        let user = parse_saslname(user).ok_or(Fault::Malformed("has a user name that is none"))?;
        let client_nonce = attributes.next_nonce()?;
        if client_nonce.is_empty() || client_nonce.len() > MAX_CLIENT_NONCE {
            return Err(Fault::Malformed("has a nonce that is empty or too long").into());
        }
        attributes.finish()?;
        let user = saslprep(&user, "the user name").map_err(|_| Fault::Malformed("has a user name that is none"))?;
        Ok(Asked {
            hash: self.hash,
            user: user.expose().into(),
            authzid: header.authzid,
            nonce: [client_nonce, &self.nonce].concat(),
            client_first_bare: bare.into(),
            channel,
        })
    }
}

impl Channel {
    /// What the client has to prove that it sees too (RFC 5802 §6).
    fn data(&self, flag: &Gs2Flag<'_>) -> Result<&[u8], Refusal> {
        let refused =
            |told, why| Err(Refusal { error: Error::new(ErrorCode::SecurityChannelBinding, why), told: Some(told) });
        match flag {
            Gs2Flag::ServerHasNone if self.offers_plus || self.plus => refused(
                "server-does-support-channel-binding",
                "the client was not shown the mechanisms with channel binding that are offered",
            ),
            Gs2Flag::None if self.plus => {
                Err(Fault::Malformed("has no channel binding, which its mechanism needs").into())
            }
            Gs2Flag::None | Gs2Flag::ServerHasNone => Ok(&[]),
            Gs2Flag::Used(_) if !self.plus => refused(
                "channel-binding-not-supported",
                "the client uses a channel binding, which its mechanism has not",
            ),
            Gs2Flag::Used(name) => match self.bindings.iter().find(|binding| binding.kind.name() == *name) {
                Some(binding) => Ok(&binding.data),
                None => refused(
                    "unsupported-channel-binding-type",
                    "the client uses a kind of channel binding that the connection has not",
                ),
            },
        }
    }
}

/// Waits for the user's keys.
#[derive(Clone, Debug)]
pub(in crate::sasl) struct Asked {
    hash: Hash,
    user: String,
    authzid: Option<String>,
    /// Both parts.
    nonce: String,
    client_first_bare: String,
    /// What `c=` has to say.
    channel: String,
}

impl Asked {
    pub(in crate::sasl) fn hash(&self) -> Hash {
        self.hash
    }

    /// The user's name, prepared.
    pub(in crate::sasl) fn user(&self) -> &str {
        &self.user
    }

    /// Gives server-first too. The keys are for [`Self::hash`]. Those of a user who is not `known` are no less gone
    /// through, and no proof fits them.
    ///
    /// ```abnf
    /// server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count ["," extensions]    ; RFC 5802 §7
    /// ```
    pub(in crate::sasl) fn answer(self, keys: StoredKeys, known: bool) -> (Final, Response) {
        let Self { hash, user, authzid, nonce, client_first_bare, channel } = self;
        let server_first = format!("r={nonce},s={},i={}", Base64::encode_string(keys.salt()), keys.iterations());
        let signed_so_far = format!("{client_first_bare},{server_first},");
        let response = Response::concat(&[server_first.as_bytes()]);
        (Final { hash, user, authzid, nonce, channel, signed_so_far, keys, known }, response)
    }
}

/// Waits for client-final.
#[derive(Clone, Debug)]
pub(in crate::sasl) struct Final {
    hash: Hash,
    user: String,
    authzid: Option<String>,
    nonce: String,
    channel: String,
    signed_so_far: String,
    keys: StoredKeys,
    known: bool,
}

impl Final {
    /// Gives the user, whom to act for, and server-final.
    ///
    /// ```abnf
    /// client-final-message-without-proof = channel-binding "," nonce ["," extensions]    ; RFC 5802 §7
    /// client-final-message               = client-final-message-without-proof "," proof
    /// channel-binding                    = "c=" base64
    /// proof                              = "p=" base64
    /// server-final-message               = (server-error / verifier) ["," extensions]
    /// ```
    pub(in crate::sasl) fn receive(self, message: &[u8]) -> Result<(String, Option<String>, Response), Refusal> {
        let message = utf8(message)?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(Fault::Malformed("has no proof at its end"))?;
        let mut attributes = Attributes::new(without_proof);
        let channel = attributes.next("c=", "has no channel binding where it belongs")?;
        let nonce = attributes.next_nonce()?;
        attributes.finish()?;
        let proof = Key::from_base64(proof).filter(|proof| proof.as_bytes().len() == self.hash.len());
        let proof = proof.ok_or(Fault::Malformed("has a proof that is none"))?;
        if nonce != self.nonce {
            return Err(Fault::Malformed("has another nonce than ours").into());
        }
        if channel != self.channel {
            let error = Error::new(
                ErrorCode::SecurityChannelBinding,
                "the client is on another connection than ours, or somebody has changed what it said first",
            );
            return Err(Refusal { error, told: Some("channel-bindings-dont-match") });
        }
        let signed = [&*self.signed_so_far, without_proof].concat();
        let stored_key = self.keys.stored_key();
        let client_key = keys::with_client_signature(self.hash, proof, stored_key, signed.as_bytes());
        let proved = stored_key.matches(self.hash.digest(client_key.as_bytes()).as_bytes());
        let signature = keys::server_signature(self.hash, self.keys.server_key(), signed.as_bytes());
        if proved & self.known {
            let signature = signature.to_base64();
            Ok((self.user, self.authzid, Response::concat(&[b"v=", signature.expose().as_bytes()])))
        } else {
            Err(Refusal { error: wrong_password(), told: None })
        }
    }
}

fn utf8(message: &[u8]) -> Result<&str, Fault> {
    core::str::from_utf8(message).map_err(|_| Fault::Malformed("is not UTF-8"))
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let error = Error::new(ErrorCode::AuthMalformedResponse, format!("the client's SCRAM message {}", fault.why()));
        let told = match fault {
            Fault::Malformed(_) => None,
            Fault::MandatoryExtension => Some("extensions-not-supported"),
        };
        Self { error, told }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::ChannelBindingKind;
    use alloc::vec;

    const PENCIL_SHA_1: &str =
        "SCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:D+CSWLOshSulAsxiupA+qs2/fTE=";
    const PENCIL_SHA_256: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==\
        $WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    const SHA_1: [&str; 4] = [
        "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ];

    fn unbound() -> Channel {
        Channel { bindings: vec![], offers_plus: false, plus: false }
    }

    fn bound() -> Channel {
        let binding = |kind| ChannelBinding::new(kind, (0..32).collect::<Vec<u8>>());
        let bindings = [ChannelBindingKind::TlsServerEndPoint, ChannelBindingKind::TlsExporter].map(binding);
        Channel { bindings: bindings.into(), offers_plus: true, plus: true }
    }

    fn first(channel: Channel) -> First {
        First::new(Hash::Sha1, "3rfcNHYJY1ZVvWVs7j".into(), channel)
    }

    fn last() -> Final {
        let asked = first(unbound()).receive(SHA_1[0].as_bytes()).unwrap();
        asked.answer(PENCIL_SHA_1.parse().unwrap(), true).0
    }

    /// The dialogue, as far as the client's part in it leads.
    fn check(first: First, keys: &str, names: (&str, Option<&str>), dialogue: [&str; 4]) {
        let asked = first.receive(dialogue[0].as_bytes()).unwrap();
        assert_eq!(asked.user(), names.0);
        let (last, server_first) = asked.answer(keys.parse().unwrap(), true);
        assert_eq!(server_first.as_bytes(), dialogue[1].as_bytes());
        let (user, authzid, server_final) = last.receive(dialogue[2].as_bytes()).unwrap();
        assert_eq!((&*user, authzid.as_deref()), names);
        assert_eq!(server_final.as_bytes(), dialogue[3].as_bytes());
    }

    #[test]
    fn the_example_of_rfc_5802_section_5() {
        check(first(unbound()), PENCIL_SHA_1, ("user", None), SHA_1);
    }

    #[test]
    fn the_example_of_rfc_7677_section_3() {
        let nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".into();
        check(
            First::new(Hash::Sha256, nonce, unbound()),
            PENCIL_SHA_256,
            ("user", None),
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
    fn a_binding_is_checked_and_names_are_unescaped() {
        check(
            First::new(Hash::Sha256, "server".into(), bound()),
            "SCRAM-SHA-256$4096:c2FsdHNhbHQ=\
             $9Z0EoeLxUdxgC/gc+oQWy0nrlhFRRqlula1RZqLyxcU=:gyPiwH2XQbiRcj3JfNlV662mptqvMlH86zYOF1BccXw=",
            ("a,b=c", Some("o,ther")),
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
    fn what_the_client_says_of_channel_binding() {
        let offered = Channel { offers_plus: true, ..unbound() };
        let hidden = Some("server-does-support-channel-binding");
        let no_kind = Some("unsupported-channel-binding-type");
        for (flag, channel, expected) in [
            ("n", unbound(), Ok(())),
            ("n", offered.clone(), Ok(())),
            ("y", unbound(), Ok(())),
            ("p=tls-exporter", bound(), Ok(())),
            ("p=tls-server-end-point", bound(), Ok(())),
            ("y", offered.clone(), Err(hidden)),
            ("y", bound(), Err(hidden)),
            ("n", bound(), Err(None)),
            ("p=tls-unique", bound(), Err(no_kind)),
            ("p=TLS-EXPORTER", bound(), Err(no_kind)),
            ("p=tls-exporter", unbound(), Err(Some("channel-binding-not-supported"))),
            ("p=tls-exporter", offered, Err(Some("channel-binding-not-supported"))),
        ] {
            let message = format!("{flag},,n=user,r=abc");
            let actual = first(channel).receive(message.as_bytes());
            assert_eq!(actual.map(drop).map_err(|refusal| refusal.told), expected, "{flag}");
        }
    }

    #[test]
    fn a_malformed_client_first_is_refused() {
        for (message, why) in [
            ("", "has no GS2 header"),
            ("n,n=user,r=abc", "has no GS2 header"),
            ("F,n,,n=user,r=abc", "has no GS2 header"),
            ("n,,", "has no user name where it belongs"),
            ("n,,r=abc,n=user", "has no user name where it belongs"),
            ("n,,n=,r=abc", "has a user name that is none"),
            ("n,,n=a=b,r=abc", "has a user name that is none"),
            ("n,,n=a\tb,r=abc", "has a user name that is none"),
            ("n,,n=a\0b,r=abc", "has a user name that is none"),
            ("n,,n=user", "has no nonce where it belongs"),
            ("n,,n=user,x=1,r=abc", "has no nonce where it belongs"),
            ("n,,n=user,r=", "has a nonce that is empty or too long"),
            ("n,,n=user,r=a b", "has a nonce that is not printable"),
            ("n,,n=user,r=abc,", "ends in something that is no attribute"),
            ("n,,m=1,n=user,r=abc", "demands an extension that is not known here"),
            ("n,,n=user,m=1,r=abc", "demands an extension that is not known here"),
            ("n,,n=user,r=abc,m=1", "demands an extension that is not known here"),
        ] {
            let refusal = first(unbound()).receive(message.as_bytes()).expect_err(message);
            assert_eq!(refusal.error.code(), ErrorCode::AuthMalformedResponse, "{message}");
            assert_eq!(refusal.error.what(), format!("the client's SCRAM message {why}"), "{message}");
            let told = why.starts_with("demands").then_some("extensions-not-supported");
            assert_eq!(refusal.told, told, "{message}");
        }
        assert!(first(unbound()).receive(b"n,,n=\xff,r=abc").is_err());
        let nonce = |len| format!("n,,n=user,r={}", "x".repeat(len));
        assert!(first(unbound()).receive(nonce(MAX_CLIENT_NONCE).as_bytes()).is_ok());
        assert!(first(unbound()).receive(nonce(MAX_CLIENT_NONCE + 1).as_bytes()).is_err());
        assert!(first(unbound()).receive(b"n,,n=user,r=abc,x=1,Y=a=b").is_ok());
    }

    #[test]
    fn a_malformed_client_final_is_refused() {
        for (from, to, why) in [
            (SHA_1[2], "", "has no proof at its end"),
            (",p=", ",q=", "has no proof at its end"),
            ("c=biws,", "", "has no channel binding where it belongs"),
            ("r=fyko", "s=fyko", "has no nonce where it belongs"),
            ("7j,p=", "7j,x,p=", "ends in something that is no attribute"),
            ("7j,p=", "7j,m=x,p=", "demands an extension that is not known here"),
            ("c=biws", "m=x,c=biws", "demands an extension that is not known here"),
            ("v0X8", "v0*8", "has a proof that is none"),
            ("v0X8", "", "has a proof that is none"),
            ("4Ts=", "4Ts", "has a proof that is none"),
            ("4Ts=", "4Ts=,x=1", "has a proof that is none"),
            ("7j,", "7k,", "has another nonce than ours"),
            ("7j,", "7,", "has another nonce than ours"),
            ("7j,", "7jj,", "has another nonce than ours"),
            ("r=fyko", "r=Fyko", "has another nonce than ours"),
        ] {
            let message = SHA_1[2].replacen(from, to, 1);
            assert_ne!(message, SHA_1[2]);
            let refusal = last().receive(message.as_bytes()).expect_err(&message);
            assert_eq!(refusal.error.code(), ErrorCode::AuthMalformedResponse, "{message}");
            assert_eq!(refusal.error.what(), format!("the client's SCRAM message {why}"), "{message}");
        }
        for channel in ["eSws", "biwsAA==", "", "biw=", "bixhPXgs"] {
            let refusal = last().receive(SHA_1[2].replacen("biws", channel, 1).as_bytes()).expect_err(channel);
            assert_eq!(refusal.error.code(), ErrorCode::SecurityChannelBinding, "{channel}");
            assert_eq!(refusal.told, Some("channel-bindings-dont-match"));
        }
        assert!(last().receive(b"c=\xff").is_err());
    }

    #[test]
    fn only_the_very_client_final_is_believed() {
        assert!(last().receive(SHA_1[2].as_bytes()).is_ok());
        for at in 0..SHA_1[2].len() {
            for bit in 0..8 {
                let mut forged = SHA_1[2].as_bytes().to_vec();
                forged[at] ^= 1 << bit;
                assert!(last().receive(&forged).is_err(), "{at} {bit}");
            }
            assert!(last().receive(&SHA_1[2].as_bytes()[..at]).is_err());
        }
    }

    #[test]
    fn the_right_proof_of_an_unknown_user_is_wrong() {
        let asked = first(unbound()).receive(SHA_1[0].as_bytes()).unwrap();
        let unknown = asked.answer(PENCIL_SHA_1.parse().unwrap(), false).0;
        let refusal = unknown.receive(SHA_1[2].as_bytes()).unwrap_err();
        assert_eq!(refusal, Refusal { error: wrong_password(), told: None });
    }
}
