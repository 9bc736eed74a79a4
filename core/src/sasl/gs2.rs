//! The header that SCRAM and OAUTHBEARER begin with (RFC 5801 §4).

use alloc::string::String;

/// The header, comma at its end included.
///
/// ```abnf
/// gs2-header    = gs2-cbind-flag "," [ authzid ] ","    ; RFC 5802 §7
/// gs2-cbind-flag = ("p=" cb-name) / "n" / "y"
/// authzid       = "a=" saslname
/// ```
pub(super) fn gs2_header(flag: &str, cb_name: &str, authzid: Option<&str>) -> String {
    let mut header = String::from(flag);
    header.push_str(cb_name);
    header.push(',');
    if let Some(authzid) = authzid {
        header.push_str("a=");
        header.push_str(&saslname(authzid));
    }
    header.push(',');
    header
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        assert_eq!(gs2_header("n", "", None), "n,,");
        assert_eq!(gs2_header("y", "", Some("a,b=c")), "y,a=a=2Cb=3Dc,");
        assert_eq!(gs2_header("p=", "tls-exporter", Some("o")), "p=tls-exporter,a=o,");
    }

    #[test]
    fn the_escape_is_not_escaped_again() {
        assert_eq!(saslname("=2C,=3D="), "=3D2C=2C=3D3D=3D");
    }
}
