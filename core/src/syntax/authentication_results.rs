//! The field by which a server tells what it has found out about who sent a message (RFC 8601).

use alloc::string::String;
use core::fmt::{self, Write as _};

/// An `Authentication-Results` field in the making.
///
/// [`Display`](fmt::Display) gives the whole field, folded, with CR LF at its end. Values may come from anybody: whatever they hold, they
/// stay one value.
///
/// ```
/// use okuru_core::syntax::AuthenticationResults;
///
/// let field = AuthenticationResults::new("mx.example.com")
///     .result("spf", "pass")
///     .property("smtp", "mailfrom", "ann@example.org")
///     .result("dkim", "fail")
///     .reason("the body has been changed")
///     .property("header", "d", "example.org");
/// assert_eq!(
///     field.to_string(),
///     "Authentication-Results: mx.example.com;\r\n\tspf=pass smtp.mailfrom=ann@example.org;\r\n\
///      \tdkim=fail reason=\"the body has been changed\" header.d=example.org\r\n"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationResults {
    authserv_id: String,
    results: String,
}

impl AuthenticationResults {
    /// A field of the server that goes by this name.
    pub fn new(authserv_id: &str) -> Self {
        let mut field = Self { authserv_id: String::new(), results: String::new() };
        push_value(authserv_id, is_token, &mut field.authserv_id);
        field
    }

    /// Adds what `method` came to; both are words that RFC 8601 or its registry has.
    #[must_use]
    pub fn result(mut self, method: &'static str, result: &'static str) -> Self {
        // Writing to a string does not fail.
        let _ = write!(self.results, ";\r\n\t{method}={result}");
        self
    }

    /// Why the last result is what it is.
    #[must_use]
    pub fn reason(mut self, reason: &str) -> Self {
        self.results.push_str(" reason=");
        push_value(reason, is_token, &mut self.results);
        self
    }

    /// What the last result is about: a part of the message or of the dialogue, `smtp` or `header` for instance, and its name.
    #[must_use]
    pub fn property(mut self, part: &'static str, name: &'static str, value: &str) -> Self {
        let _ = write!(self.results, " {part}.{name}=");
        push_value(value, is_token_or_address, &mut self.results);
        self
    }
}

impl fmt::Display for AuthenticationResults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let results = if self.results.is_empty() { "; none" } else { &self.results };
        write!(f, "Authentication-Results: {}{results}\r\n", self.authserv_id)
    }
}

// RFC 8601 section 2.2
//
//   authres-header-field = "Authentication-Results:" authres-payload
//   authres-payload = [CFWS] authserv-id [ CFWS authres-version ] ( no-result / 1*resinfo ) [CFWS] CRLF
//   authserv-id = value
//   no-result = [CFWS] ";" [CFWS] "none"
//   resinfo = [CFWS] ";" methodspec [ CFWS reasonspec ] [ CFWS 1*propspec ]
//   methodspec = [CFWS] method [CFWS] "=" [CFWS] result
//   reasonspec = "reason" [CFWS] "=" [CFWS] value
//   propspec = ptype [CFWS] "." [CFWS] property [CFWS] "=" pvalue
//   pvalue = [CFWS] ( ( value / [ [ local-part ] "@" ] domain-name ) ) [CFWS]
//
// RFC 2045 section 5.1
//
//   value := token / quoted-string
//   token := 1*<any (US-ASCII) CHAR except SPACE, CTLs, or tspecials>
//   tspecials := "(" / ")" / "<" / ">" / "@" / "," / ";" / ":" / "\" / <"> / "/" / "[" / "]" / "?" / "="

fn is_token(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte)) && !text.is_empty()
}

fn is_token_or_address(text: &str) -> bool {
    let address = |(local, domain): (&str, &str)| is_dot_atom(local) && is_dot_atom(domain) && is_token(domain);
    is_token(text) || text.rsplit_once('@').is_some_and(address)
}

// RFC 5322 sections 3.2.3 and 3.2.4
//
//   dot-atom-text = 1*atext *("." 1*atext)
//   quoted-string = [CFWS] DQUOTE *([FWS] qcontent) [FWS] DQUOTE [CFWS]
//   quoted-pair   = ("\" (VCHAR / WSP))

/// Whether `text` can stand without quotes where a dot-atom can.
pub(crate) fn is_dot_atom(text: &str) -> bool {
    let is_atext = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    text.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

/// Appends `text` as it is where `may_be_bare`, in quotes where not. A control character becomes a question mark.
pub(crate) fn push_value(text: &str, may_be_bare: impl FnOnce(&str) -> bool, out: &mut String) {
    if may_be_bare(text) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push('?'),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn values_stay_values() {
        for (value, written) in [
            ("a@b.test", "a@b.test"),
            ("b.test", "b.test"),
            ("@b.test", "\"@b.test\""),
            ("", "\"\""),
            ("a b@c.test", "\"a b@c.test\""),
            ("a\"\\; spf=pass\r\nX: y", "\"a\\\"\\\\; spf=pass??X: y\""),
            ("2001:db8::1", "\"2001:db8::1\""),
            ("jos\u{e9}@b.test", "\"jos\u{e9}@b.test\""),
        ] {
            let field = AuthenticationResults::new("x").result("spf", "fail").property("smtp", "mailfrom", value);
            let expected = alloc::format!("Authentication-Results: x;\r\n\tspf=fail smtp.mailfrom={written}\r\n");
            assert_eq!(field.to_string(), expected);
        }
        assert_eq!(AuthenticationResults::new("a b").to_string(), "Authentication-Results: \"a b\"; none\r\n");
    }
}
