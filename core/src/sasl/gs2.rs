//! The header that SCRAM and OAUTHBEARER begin with (RFC 5801 §4).

use alloc::string::String;

/// What the client says of channel binding.
///
/// ```abnf
/// gs2-cbind-flag = ("p=" cb-name) / "n" / "y"    ; RFC 5802 §7
/// cb-name        = 1*(ALPHA / DIGIT / "." / "-")
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gs2Flag<'a> {
    /// `n`: it has none.
    None,
    /// `y`: it has one and believes that the server does not.
    ServerHasNone,
    /// `p`: the one of this name.
    Used(&'a str),
}

/// The header, comma at its end included.
///
/// ```abnf
/// gs2-header = gs2-cbind-flag "," [ authzid ] ","    ; RFC 5802 §7
/// authzid    = "a=" saslname
/// ```
pub(super) fn gs2_header(flag: &Gs2Flag<'_>, authzid: Option<&str>) -> String {
    let mut header = String::new();
    match flag {
        Gs2Flag::None => header.push('n'),
        Gs2Flag::ServerHasNone => header.push('y'),
        Gs2Flag::Used(name) => {
            header.push_str("p=");
            header.push_str(name);
        }
    }
    header.push(',');
    if let Some(authzid) = authzid {
        header.push_str("a=");
        header.push_str(&saslname(authzid));
    }
    header.push(',');
    header
}

/// The header as it came, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gs2Header<'a> {
    pub(super) text: &'a str,
    pub(super) flag: Gs2Flag<'a>,
    pub(super) authzid: Option<String>,
}

impl<'a> Gs2Header<'a> {
    /// The header that `message` begins with, and what follows it. `None` if there is none; the flag `F,`, for messages
    /// that are not those of the standard, is not taken.
    pub(super) fn parse(message: &'a str) -> Option<(Self, &'a str)> {
        let (flag, rest) = message.split_once(',')?;
        let (authzid, rest) = rest.split_once(',')?;
        let text = message.strip_suffix(rest)?;
        let flag = match flag {
            "n" => Gs2Flag::None,
            "y" => Gs2Flag::ServerHasNone,
            _ => Gs2Flag::Used(flag.strip_prefix("p=").filter(|name| is_cb_name(name))?),
        };
        let authzid = match authzid {
            "" => None,
            _ => Some(parse_saslname(authzid.strip_prefix("a=")?)?),
        };
        Some((Self { text, flag, authzid }, rest))
    }
}

fn is_cb_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-')
}

/// A name as it may stand between commas.
///
/// ```abnf
/// saslname        = 1*(value-safe-char / "=2C" / "=3D")    ; RFC 5802 §7
/// value-safe-char = %x01-2B / %x2D-3C / %x3E-7F / UTF8-2 / UTF8-3 / UTF8-4
/// ```
pub(super) fn saslname(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// The name that [`saslname`] made this of; `None` if it is empty, holds a NUL or a comma, or a `=` that stands for
/// nothing.
pub(super) fn parse_saslname(text: &str) -> Option<String> {
    if text.is_empty() || text.contains(['\0', ',']) {
        return None;
    }
    let mut parts = text.split('=');
    let mut name = String::from(parts.next().unwrap_or_default());
    for part in parts {
        let (character, rest) = match part.strip_prefix("2C") {
            Some(rest) => (',', rest),
            None => ('=', part.strip_prefix("3D")?),
        };
        name.push(character);
        name.push_str(rest);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_go_both_ways() {
        for (text, flag, authzid) in [
            ("n,,", Gs2Flag::None, None),
            ("y,a=a=2Cb=3Dc,", Gs2Flag::ServerHasNone, Some("a,b=c")),
            ("p=tls-exporter,a=o,", Gs2Flag::Used("tls-exporter"), Some("o")),
        ] {
            assert_eq!(gs2_header(&flag, authzid), text);
            for rest in ["", "n=user,r=x", ",,"] {
                let message = [text, rest].concat();
                let header = Gs2Header { text, flag, authzid: authzid.map(String::from) };
                assert_eq!(Gs2Header::parse(&message), Some((header, rest)), "{message}");
            }
        }
    }

    #[test]
    fn what_is_no_header() {
        for message in [
            "",
            "n",
            "n,",
            "n,a=b",
            "n,a=,",
            "n,b,",
            "n,a=b=2,",
            "n,a=\0,",
            "x,,",
            "F,n,,",
            "N,,",
            "p,,",
            "p=,,",
            "p=tls exporter,,",
            "p=\u{e9},,",
            "n=user,r=x",
            ",,",
        ] {
            assert_eq!(Gs2Header::parse(message), None, "{message}");
        }
    }

    #[test]
    fn names_go_both_ways() {
        for (name, text) in
            [("user", "user"), ("a,b=c", "a=2Cb=3Dc"), ("=2C,=3D=", "=3D2C=2C=3D3D=3D"), (",,", "=2C=2C"), ("é", "é")]
        {
            assert_eq!(saslname(name), text);
            assert_eq!(parse_saslname(text).as_deref(), Some(name));
        }
        for text in ["", "=", "a=", "=2c", "=3d", "=2", "==2C", "a,b", "a\0b", "=41"] {
            assert_eq!(parse_saslname(text), None, "{text}");
        }
    }
}
