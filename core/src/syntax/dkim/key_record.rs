use alloc::vec::Vec;

use super::signature::base64;
use crate::syntax::tag_list::{TagList, is_space};

/// The record of a public key (RFC 6376 §3.6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// `k`
    pub key_type: KeyType,
    /// `p`: the key. Of RSA in DER, of Ed25519 as it is. Empty if it has been revoked.
    pub key: Vec<u8>,
    /// `t=y`: the domain is trying it out.
    pub is_test: bool,
    /// `t=s`: nobody may sign for what is below the domain.
    pub is_strict: bool,
}

/// Which kind of key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// `rsa`
    Rsa,
    /// `ed25519` (RFC 8463).
    Ed25519,
}

impl KeyRecord {
    /// Reads the text of a TXT record.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as a clause without a full stop.
    pub fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let malformed = "the record of the key is malformed";
        let text = core::str::from_utf8(text).map_err(|_| malformed)?;
        let tags = TagList::read(text).ok_or(malformed)?;
        // RFC 6376 §3.6.1: v= stands first, if it is there.
        match tags.tags().iter().position(|(name, _)| *name == "v") {
            None => {}
            Some(0) if tags.value("v") == Some("DKIM1") => {}
            Some(_) => return Err("the record of the key is of an unknown version"),
        }
        let lists = |name: &str, wanted: &[&str]| {
            tags.value(name).is_none_or(|list| list.split(':').any(|it| wanted.contains(&it.trim_matches(is_space))))
        };
        if !lists("h", &["sha256"]) {
            return Err("the key is not for SHA-256");
        }
        if !lists("s", &["*", "email"]) {
            return Err("the key is not for e-mail");
        }
        let key_type = match tags.value("k") {
            None | Some("rsa") => KeyType::Rsa,
            Some("ed25519") => KeyType::Ed25519,
            Some(_) => return Err("the key is of an unknown type"),
        };
        let has_flag = |flag: &str| tags.value("t").is_some() && lists("t", &[flag]);
        let key = base64(tags.value("p").ok_or("the record holds no key")?).ok_or(malformed)?;
        Ok(Self { key_type, key, is_test: has_flag("y"), is_strict: has_flag("s") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        let plain = KeyRecord { key_type: KeyType::Rsa, key: [1, 2, 3].into(), is_test: false, is_strict: false };
        for (text, record) in [
            ("p=AQID", Ok(plain.clone())),
            ("v=DKIM1; k=rsa; h=sha1:sha256; s=*; n=note; p=AQ ID", Ok(plain.clone())),
            ("v=DKIM1; k=ed25519; t=y:s; p=AQID;", {
                Ok(KeyRecord { key_type: KeyType::Ed25519, is_test: true, is_strict: true, ..plain.clone() })
            }),
            ("v=DKIM1; p=", Ok(KeyRecord { key: Vec::new(), ..plain })),
            ("v=DKIM1", Err("the record holds no key")),
            ("p=AQID; v=DKIM1", Err("the record of the key is of an unknown version")),
            ("v=DKIM2; p=AQID", Err("the record of the key is of an unknown version")),
            ("h=sha1; p=AQID", Err("the key is not for SHA-256")),
            ("s=tlsrpt; p=AQID", Err("the key is not for e-mail")),
            ("k=dsa; p=AQID", Err("the key is of an unknown type")),
            ("p=!", Err("the record of the key is malformed")),
            ("nonsense", Err("the record of the key is malformed")),
        ] {
            assert_eq!(KeyRecord::parse(text.as_bytes()), record, "{text}");
        }
        assert!(KeyRecord::parse(b"p=\xff").is_err());
    }
}
