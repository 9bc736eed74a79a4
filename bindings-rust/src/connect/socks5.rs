//! SOCKS5 (RFC 1928), with user name and password (RFC 1929).

use std::net::IpAddr;

use okuru_core::Error;
use okuru_core::sasl::Secret;

use super::proxy::{Next, refused};

/// A dialogue with a SOCKS5 proxy.
#[derive(Debug)]
pub(crate) struct Socks5 {
    state: State,
    user: Option<(String, Secret)>,
    request: Vec<u8>,
}

#[derive(Debug)]
enum State {
    Begin,
    /// The method is awaited.
    Method,
    /// Whether user name and password are right is awaited.
    Password,
    /// The reply to the request is awaited.
    Reply,
}

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;

impl Socks5 {
    /// A dialogue that asks for `host`, a name or an address.
    pub(super) fn new(host: &str, port: u16, user: Option<(String, Secret)>) -> Self {
        Self { state: State::Begin, user, request: request(host, port) }
    }

    pub(super) fn next(&mut self, input: &mut Vec<u8>) -> Result<Next, Error> {
        match self.state {
            State::Begin => {
                self.state = State::Method;
                Ok(Next::Write(match self.user {
                    Some(_) => vec![VERSION, 2, NO_AUTHENTICATION, USER_AND_PASSWORD],
                    None => vec![VERSION, 1, NO_AUTHENTICATION],
                }))
            }
            State::Method => match (take(input, 2).as_deref(), &self.user) {
                (None, _) => Ok(Next::Read),
                (Some([VERSION, NO_AUTHENTICATION]), _) => Ok(self.ask()),
                (Some([VERSION, USER_AND_PASSWORD]), Some((user, password))) => {
                    self.state = State::Password;
                    Ok(Next::Write(user_and_password(user, password)))
                }
                (Some([VERSION, _]), Some(_)) => Err(refused("the proxy takes no user name and password")),
                (Some([VERSION, _]), None) => Err(refused("the proxy wants a user name and a password")),
                (Some(_), _) => Err(refused("the proxy does not speak SOCKS5")),
            },
            State::Password => match take(input, 2).as_deref() {
                None => Ok(Next::Read),
                Some([_, 0]) => Ok(self.ask()),
                Some(_) => Err(refused("the proxy refused the user name or the password")),
            },
            State::Reply => self.read_reply(input),
        }
    }

    fn ask(&mut self) -> Next {
        self.state = State::Reply;
        Next::Write(std::mem::take(&mut self.request))
    }

    /// VER REP RSV ATYP BND.ADDR BND.PORT (RFC 1928 §6). What it is bound to is of no use.
    fn read_reply(&mut self, input: &mut Vec<u8>) -> Result<Next, Error> {
        match input.get(1) {
            Some(0) => {}
            Some(&code) => return Err(refused(format!("the proxy says: {}", meaning(code)))),
            None => return Ok(Next::Read),
        }
        let address = match (input.get(3), input.get(4)) {
            (Some(1), _) => 4,
            (Some(4), _) => 16,
            (Some(3), Some(&length)) => 1 + usize::from(length),
            (None, _) | (Some(3), None) => return Ok(Next::Read),
            (Some(_), _) => return Err(refused("the proxy's reply has an address of an unknown kind")),
        };
        Ok(take(input, 4 + address + 2).map_or(Next::Read, |_| Next::Open))
    }
}

/// The first `count` octets of `input`, once they are all there.
fn take(input: &mut Vec<u8>, count: usize) -> Option<Vec<u8>> {
    (input.len() >= count).then(|| input.drain(..count).collect())
}

/// VER ULEN UNAME PLEN PASSWD (RFC 1929 §2).
fn user_and_password(user: &str, password: &Secret) -> Vec<u8> {
    let mut out = vec![1];
    for text in [user, password.expose()] {
        out.push(text.len() as u8);
        out.extend_from_slice(text.as_bytes());
    }
    out
}

/// VER CMD RSV ATYP DST.ADDR DST.PORT (RFC 1928 §4).
fn request(host: &str, port: u16) -> Vec<u8> {
    let mut out = vec![VERSION, 1, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            out.push(1);
            out.extend_from_slice(&address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            out.push(4);
            out.extend_from_slice(&address.octets());
        }
        Err(_) => {
            // A name has 255 octets at most; what is longer names no host.
            let name = host.get(..255).unwrap_or(host);
            out.push(3);
            out.push(name.len() as u8);
            out.extend_from_slice(name.as_bytes());
        }
    }
    out.extend_from_slice(&port.to_be_bytes());
    out
}

fn meaning(code: u8) -> &'static str {
    match code {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "time to live expired",
        7 => "command not supported",
        8 => "kind of address not supported",
        _ => "a code without a meaning",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use okuru_core::ErrorCode;

    fn user() -> Option<(String, Secret)> {
        Some(("me".to_owned(), Secret::new("pw")))
    }

    /// Runs a dialogue: what we are to write, then what the proxy answers, octet by octet.
    fn run(mut dialogue: Socks5, turns: &[(&[u8], &[u8])]) -> Result<Vec<u8>, Error> {
        let mut input = Vec::new();
        for (written, answer) in turns {
            assert_eq!(dialogue.next(&mut input)?, Next::Write(written.to_vec()));
            for &octet in *answer {
                assert_eq!(dialogue.next(&mut input)?, Next::Read);
                input.push(octet);
            }
        }
        assert_eq!(dialogue.next(&mut input)?, Next::Open);
        Ok(input)
    }

    #[test]
    fn through_without_a_password() {
        let left = run(
            Socks5::new("mx.ex", 25, None),
            &[(&[5, 1, 0], &[5, 0]), (b"\x05\x01\0\x03\x05mx.ex\0\x19", b"\x05\0\0\x01\x7f\0\0\x01\x12\x34")],
        );
        assert_eq!(left.unwrap(), b"");
    }

    #[test]
    fn through_with_a_password_to_an_address() {
        let reply = b"\x05\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x34";
        let asked = b"\x05\x01\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x02\x4b";
        let turns: &[(&[u8], &[u8])] = &[(&[5, 2, 0, 2], &[5, 2]), (b"\x01\x02me\x02pw", &[1, 0]), (asked, reply)];
        assert_eq!(run(Socks5::new("::1", 587, user()), turns).unwrap(), b"");
    }

    #[test]
    fn what_the_server_says_at_once_is_kept() {
        let mut dialogue = Socks5::new("127.0.0.1", 25, None);
        let mut input = Vec::new();
        assert!(matches!(dialogue.next(&mut input), Ok(Next::Write(_))));
        input.extend_from_slice(b"\x05\0\x05\0\0\x03\x01x\0\x00220 hi");
        assert!(matches!(dialogue.next(&mut input), Ok(Next::Write(_))));
        assert_eq!(dialogue.next(&mut input), Ok(Next::Open));
        assert_eq!(input, b"220 hi");
    }

    #[test]
    fn refusals_have_a_reason() {
        let asked: &[u8] = b"\x05\x01\0\x01\x7f\0\0\x01\0\x19";
        type Case<'a> = (Option<(String, Secret)>, &'a [(&'a [u8], &'a [u8])], &'a str);
        let cases: &[Case<'_>] = &[
            (None, &[(&[5, 1, 0], &[5, 255])], "wants a user name"),
            (user(), &[(&[5, 2, 0, 2], &[5, 255])], "takes no user name"),
            (None, &[(&[5, 1, 0], b"HT")], "does not speak SOCKS5"),
            (user(), &[(&[5, 2, 0, 2], &[5, 2]), (b"\x01\x02me\x02pw", &[1, 1])], "refused the user name"),
            (None, &[(&[5, 1, 0], &[5, 0]), (asked, &[5, 5])], "connection refused"),
            (None, &[(&[5, 1, 0], &[5, 0]), (asked, &[5, 0, 0, 9])], "unknown kind"),
        ];
        for (user, turns, reason) in cases {
            let error = run(Socks5::new("127.0.0.1", 25, user.clone()), turns).unwrap_err();
            assert_eq!(error.code(), ErrorCode::ConnectProxy);
            assert!(error.what().contains(reason), "{error}");
        }
    }
}
