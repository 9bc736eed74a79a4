//! How long a command line may be (RFC 5321 section 4.5.3.1.4, and what each extension adds to it).

use super::Capabilities;

/// Octets in a command line with its CRLF, where no extension adds to them.
pub const COMMAND_LINE_LIMIT: usize = 512;

/// Octets in an AUTH command and in each response of its dialogue (RFC 4954 section 4).
///
/// An initial response that does not fit [`COMMAND_LINE_LIMIT`] still has to wait for the server's 334.
pub const AUTH_LINE_LIMIT: usize = 12288;

/// Octets in a MAIL command, by what the server offers.
pub fn mail_line_limit(offer: &Capabilities) -> usize {
    COMMAND_LINE_LIMIT
        + if offer.size().is_some() { 26 } else { 0 } // RFC 1870 section 3
        + if offer.eight_bit_mime() || offer.binarymime() { 17 } else { 0 } // RFC 6152 section 2
        + if offer.smtputf8() { 10 } else { 0 } // RFC 6531 section 3.1
        + if offer.dsn() { 107 } else { 0 } // RFC 3461 section 3
        + if offer.auth().is_empty() { 0 } else { 500 } // RFC 4954 section 3
        + if offer.requiretls() { 11 } else { 0 } // RFC 8689 section 2
        + if offer.deliver_by().is_some() { 17 } else { 0 } // RFC 2852 section 3
        + if offer.future_release().is_some() { 34 } else { 0 } // RFC 4865 section 3
        + if offer.mt_priority().is_some() { 15 } else { 0 } // RFC 6710 section 3
}

/// Octets in a RCPT command, by what the server offers.
pub fn rcpt_line_limit(offer: &Capabilities) -> usize {
    COMMAND_LINE_LIMIT + if offer.dsn() { 500 } else { 0 } // RFC 3461 section 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::Reply;

    #[test]
    fn extensions_add_to_it() {
        for (line, mail, rcpt) in [
            ("HELP", 512, 512),
            ("SIZE", 538, 512),
            ("8BITMIME", 529, 512),
            ("BINARYMIME", 529, 512),
            ("SMTPUTF8", 522, 512),
            ("DSN", 619, 1012),
            ("AUTH PLAIN", 1012, 512),
            ("REQUIRETLS", 523, 512),
            ("DELIVERBY", 529, 512),
            ("FUTURERELEASE 1 2030-01-01T00:00:00Z", 546, 512),
            ("MT-PRIORITY", 527, 512),
        ] {
            let raw = alloc::format!("250-a\r\n250 {line}\r\n");
            let offer = Capabilities::from_reply(&Reply::parse(raw.as_bytes()).unwrap());
            assert_eq!((mail_line_limit(&offer), rcpt_line_limit(&offer)), (mail, rcpt), "{line}");
        }
    }
}
