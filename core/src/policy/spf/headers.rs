//! What is written into the message about a check.

use alloc::format;
use alloc::string::{String, ToString as _};

use super::request::{Identity, Request};
use super::verdict::{SpfResult, Verdict};
use crate::syntax::AuthenticationResults;
use crate::syntax::{is_dot_atom, push_value};

/// The field `Received-SPF` (RFC 7208 §9.1) of a server of the name `receiver`: folded, with CR LF at its end.
pub fn received_spf(request: &Request, verdict: &Verdict, receiver: &str) -> String {
    let mut field = format!("Received-SPF: {} ({})", verdict.result.as_str(), comment(request, verdict, receiver));
    let mut first = true;
    let mut pair = |key: &str, value: &str| {
        field.push_str(if core::mem::take(&mut first) { "\r\n\t" } else { ";\r\n\t" });
        field.push_str(key);
        field.push('=');
        push_value(value, is_dot_atom, &mut field);
    };
    pair("receiver", receiver);
    pair("identity", request.identity().as_str());
    pair("client-ip", &request.client().to_string());
    if request.identity() == Identity::MailFrom {
        pair("envelope-from", &sender(request));
    }
    pair("helo", request.hello());
    if let Some(mechanism) = &verdict.mechanism {
        pair("mechanism", mechanism);
    }
    if matches!(verdict.result, SpfResult::TempError | SpfResult::PermError) {
        pair("problem", &verdict.reason);
    }
    field.push_str("\r\n");
    field
}

/// Adds the result to an `Authentication-Results` field (RFC 8601 §2.7.2).
pub fn authentication_results(
    field: AuthenticationResults,
    request: &Request,
    verdict: &Verdict,
) -> AuthenticationResults {
    let field = field.result("spf", verdict.result.as_str());
    match request.identity() {
        Identity::Helo => field.property("smtp", "helo", request.hello()),
        // There is nobody in a null reverse-path.
        Identity::MailFrom if request.is_null() => field.property("smtp", "helo", request.hello()),
        Identity::MailFrom => field.property("smtp", "mailfrom", &sender(request)),
    }
}

// RFC 7208 section 9.1
//
//   header-field     = "Received-SPF:" [CFWS] result FWS [comment FWS] [ key-value-list ] CRLF
//   result           = "pass" / "fail" / "softfail" / "neutral" / "none" / "temperror" / "permerror"
//   key-value-list   = key-value-pair *( ";" [CFWS] key-value-pair ) [";"]
//   key-value-pair   = key [CFWS] "=" ( dot-atom / quoted-string )
//   key              = "client-ip" / "envelope-from" / "helo" / "problem" / "receiver" / "identity" / "mechanism" / name
//   identity         = "mailfrom" / "helo" / name

fn comment(request: &Request, verdict: &Verdict, receiver: &str) -> String {
    let (client, domain) = (request.client(), request.domain());
    let text = match verdict.result {
        SpfResult::Pass => format!("domain of {domain} designates {client} as permitted sender"),
        SpfResult::Fail => format!("domain of {domain} does not designate {client} as permitted sender"),
        SpfResult::SoftFail => {
            format!("domain of {domain} most likely does not designate {client} as permitted sender")
        }
        SpfResult::Neutral => format!("domain of {domain} says neither that {client} may send nor that it must not"),
        SpfResult::None => format!("domain of {domain} does not say who may send"),
        SpfResult::TempError => format!("temporary error in the check of {domain}"),
        SpfResult::PermError => format!("permanent error in the check of {domain}"),
    };
    // RFC 5322 §3.2.2: nothing in a comment may end it.
    let plain = |c: char| if c.is_control() || "()\\".contains(c) { '?' } else { c };
    format!("{receiver}: {text}").chars().map(plain).collect()
}

fn sender(request: &Request) -> String {
    format!("{}@{}", request.local_part(), request.domain())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn verdict(result: SpfResult) -> Verdict {
        Verdict {
            result,
            reason: "it can't be looked up".into(),
            explanation: None,
            mechanism: Some("-all".into()),
            lookups: 0,
            void_lookups: 0,
            queries: 0,
            trace: Vec::new(),
        }
    }

    #[test]
    fn known_answers() {
        let request = Request::mail_from("2001:db8::1".parse().unwrap(), "mx.b.test", "ann@b.test");
        assert_eq!(
            received_spf(&request, &verdict(SpfResult::Fail), "us.test"),
            "Received-SPF: fail (us.test: domain of b.test does not designate 2001:db8::1 as permitted sender)\r\n\
             \treceiver=us.test;\r\n\tidentity=mailfrom;\r\n\tclient-ip=\"2001:db8::1\";\r\n\
             \tenvelope-from=\"ann@b.test\";\r\n\thelo=mx.b.test;\r\n\tmechanism=-all\r\n"
        );
        let request = Request::helo("192.0.2.1".parse().unwrap(), "a)(\r\nb\"");
        assert_eq!(
            received_spf(&request, &verdict(SpfResult::TempError), "us.test"),
            "Received-SPF: temperror (us.test: temporary error in the check of a????b\")\r\n\treceiver=us.test;\r\n\
             \tidentity=helo;\r\n\tclient-ip=192.0.2.1;\r\n\thelo=\"a)(??b\\\"\";\r\n\tmechanism=-all;\r\n\
             \tproblem=\"it can't be looked up\"\r\n"
        );
    }

    #[test]
    fn results_of_each_identity() {
        let client = "192.0.2.1".parse().unwrap();
        for (request, property) in [
            (Request::mail_from(client, "mx.b.test", "ann@b.test"), "smtp.mailfrom=ann@b.test"),
            (Request::mail_from(client, "mx.b.test", ""), "smtp.helo=mx.b.test"),
            (Request::helo(client, "mx.b.test"), "smtp.helo=mx.b.test"),
        ] {
            let field = authentication_results(AuthenticationResults::new("x"), &request, &verdict(SpfResult::Pass));
            assert_eq!(field.to_string(), format!("Authentication-Results: x;\r\n\tspf=pass {property}\r\n"));
        }
    }
}
