//! OAUTHBEARER (RFC 7628): an OAuth 2.0 bearer token.

use super::bearer::bearer_token;
use super::failure::malformed_response;
use super::gs2::{Gs2Flag, Gs2Header, gs2_header};
use super::secret::{Response, Secret};
use crate::error::{Error, ErrorCode};
use alloc::format;
use alloc::string::String;

/// Answers the server's error, after which only its verdict is left (RFC 7628 §3.2.3).
pub(super) const ANSWER_TO_ERROR: &[u8] = b"\x01";

/// ```abnf
/// kvsep       = %x01
/// key         = 1*(ALPHA)
/// value       = *(VCHAR / SP / HTAB / CR / LF )
/// kvpair      = key "=" value kvsep
/// client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep    ; RFC 7628 §3.1
/// ```
pub(super) fn response(user: Option<&str>, token: &Secret, host: &str, port: u16) -> Result<Response, Error> {
    if !host.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::new(ErrorCode::Usage, "the host name holds a blank or a character outside ASCII"));
    }
    let header = gs2_header(&Gs2Flag::None, user);
    let host = if host.is_empty() { String::new() } else { format!("host={host}\x01") };
    let port = format!("port={port}\x01");
    let parts = [&header, "\x01", &host, &port, "auth=Bearer ", token.expose(), "\x01\x01"];
    Ok(Response::concat(&parts.map(str::as_bytes)))
}

/// Tells the client that the token does not do (RFC 7628 §3.2.2, RFC 6750 §3.1).
pub(super) const REFUSAL: &[u8] = b"{\"status\":\"invalid_token\"}";

/// The user, if named, and the token; an error if it is not what [`response`] gives. Host and port are not looked at:
/// what they are good for, the token itself says better.
pub(super) fn parse(message: &[u8]) -> Result<(Option<String>, Secret), Error> {
    request(message)
        .ok_or_else(|| malformed_response("the response of OAUTHBEARER has no bearer token as it should be"))
}

fn request(message: &[u8]) -> Option<(Option<String>, Secret)> {
    let (header, rest) = Gs2Header::parse(core::str::from_utf8(message).ok()?)?;
    if matches!(header.flag, Gs2Flag::Used(_)) {
        return None;
    }
    let mut token = None;
    for pair in rest.strip_prefix('\x01')?.strip_suffix("\x01\x01")?.split('\x01') {
        let (key, value) = pair.split_once('=')?;
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return None;
        }
        if key == "auth" && token.replace(bearer_token(value)?).is_some() {
            return None;
        }
    }
    Some((header.authzid, token?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_go_both_ways() {
        for user in [None, Some("a,b=c")] {
            for host in ["", "smtp.example.com"] {
                let message = response(user, &"a.b==".into(), host, 587).unwrap();
                assert_eq!(parse(message.as_bytes()).unwrap(), (user.map(String::from), "a.b==".into()));
            }
        }
        let bare = parse(b"y,,\x01auth=bearer x\x01\x01").unwrap();
        assert_eq!(bare, (None, "x".into()));
    }

    #[test]
    fn what_is_no_request() {
        for message in [
            "",
            "\x01",
            "n,,",
            "n,,\x01",
            "n,,\x01\x01",
            "n,,\x01\x01\x01",
            "n,,\x01auth=Bearer x\x01",
            "n,,auth=Bearer x\x01\x01",
            "\x01auth=Bearer x\x01\x01",
            "p=tls-exporter,,\x01auth=Bearer x\x01\x01",
            "n,,\x01port=25\x01\x01",
            "n,,\x01auth=Basic x\x01\x01",
            "n,,\x01auth=Bearer \x01\x01",
            "n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01",
            "n,,\x01auth=Bearer x\x01port\x01\x01",
            "n,,\x01auth=Bearer x\x01=1\x01\x01",
            "n,,\x01auth=Bearer x\x01a1=1\x01\x01",
            "n,,\x01auth=Bearer x\x01\x01\x01",
        ] {
            assert!(parse(message.as_bytes()).is_err(), "{message:?}");
        }
        assert!(parse(b"n,,\x01auth=Bearer x\x01k=\xff\x01\x01").is_err());
    }
    use base64ct::{Base64, Encoding};

    /// As the RFC prints it, in base64.
    fn example(port: u16) -> String {
        let token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==".into();
        let response = response(Some("user@example.com"), &token, "server.example.com", port).unwrap();
        Base64::encode_string(response.as_bytes())
    }

    #[test]
    fn the_examples_of_rfc_7628_section_4() {
        assert_eq!(
            example(143),
            "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZG\
             OWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
        );
        assert_eq!(
            example(587),
            "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9NTg3AWF1dGg9QmVhcmVyIHZG\
             OWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
        );
    }

    #[test]
    fn the_same_examples_from_the_servers_side() {
        for port in [143, 587] {
            let (user, token) = parse(&Base64::decode_vec(&example(port)).unwrap()).unwrap();
            assert_eq!(user.as_deref(), Some("user@example.com"));
            assert_eq!(token.expose(), "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
        }
    }

    #[test]
    fn names_are_escaped_and_may_be_left_out() {
        assert_eq!(
            response(Some("a,b=c"), &"x".into(), "", 25).unwrap().as_bytes(),
            b"n,a=a=2Cb=3Dc,\x01port=25\x01auth=Bearer x\x01\x01"
        );
        assert_eq!(
            response(None, &"x".into(), "h", 25).unwrap().as_bytes(),
            b"n,,\x01host=h\x01port=25\x01auth=Bearer x\x01\x01"
        );
    }

    #[test]
    fn a_host_name_cannot_end_its_field() {
        let error = response(None, &"x".into(), "h\x01auth=Bearer y", 25).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Usage);
    }
}
