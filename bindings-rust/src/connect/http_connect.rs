//! CONNECT through an HTTP proxy (RFC 9110 §9.3.6), with user name and password (RFC 7617).

use base64ct::{Base64, Encoding as _};
use okuru_core::Error;
use okuru_core::sasl::Secret;

use super::proxy::{Next, refused};

/// A dialogue with an HTTP proxy.
#[derive(Debug)]
pub(crate) struct HttpConnect {
    request: Option<Request>,
    /// How much of the header has been looked through for its end.
    looked_at: usize,
}

/// May hold a password.
struct Request(Vec<u8>);

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Request(..)")
    }
}

/// More than this of a header is no answer to CONNECT.
const MOST_HEADER: usize = 16 << 10;

impl HttpConnect {
    pub(super) fn new(host: &str, port: u16, user: Option<&(String, Secret)>) -> Self {
        let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        if let Some((user, password)) = user {
            let credentials = Base64::encode_string(format!("{user}:{}", password.expose()).as_bytes());
            request.push_str("Proxy-Authorization: Basic ");
            request.push_str(&credentials);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        Self { request: Some(Request(request.into_bytes())), looked_at: 0 }
    }

    pub(super) fn next(&mut self, input: &mut Vec<u8>) -> Result<Next, Error> {
        if let Some(Request(request)) = self.request.take() {
            return Ok(Next::Write(request));
        }
        let begin = self.looked_at;
        let rest = input.get(begin..).unwrap_or_default();
        let Some(end) = rest.windows(4).position(|window| window == b"\r\n\r\n").map(|end| begin + end) else {
            self.looked_at = input.len().saturating_sub(3);
            return match input.len() {
                0..MOST_HEADER => Ok(Next::Read),
                _ => Err(refused("the proxy's answer does not end")),
            };
        };
        let header: Vec<_> = input.drain(..end + 4).collect();
        let status_line = header.split(|&byte| byte == b'\r').next().unwrap_or_default();
        match status(status_line) {
            Some(b'2') => Ok(Next::Open),
            Some(_) => Err(refused(format!("the proxy says: {}", status_line.escape_ascii()))),
            None => Err(refused("the proxy does not speak HTTP")),
        }
    }
}

/// The first digit of the status: `HTTP/1.1 200 OK` (RFC 9112 §4).
fn status(line: &[u8]) -> Option<u8> {
    let status = line.strip_prefix(b"HTTP/1.")?.get(1..)?.strip_prefix(b" ")?.get(..3)?;
    status.iter().all(u8::is_ascii_digit).then(|| status[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use okuru_core::ErrorCode;

    fn answer(answer: &[u8]) -> Result<Vec<u8>, Error> {
        let mut dialogue = HttpConnect::new("mx.example", 25, None);
        let mut input = Vec::new();
        let asked = b"CONNECT mx.example:25 HTTP/1.1\r\nHost: mx.example:25\r\n\r\n";
        assert_eq!(dialogue.next(&mut input)?, Next::Write(asked.to_vec()));
        for &octet in answer {
            if dialogue.next(&mut input)? == Next::Open {
                return Ok(input);
            }
            input.push(octet);
        }
        assert_eq!(dialogue.next(&mut input)?, Next::Open);
        Ok(input)
    }

    #[test]
    fn a_2xx_opens_it() {
        assert_eq!(answer(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n").unwrap(), b"");
        assert_eq!(answer(b"HTTP/1.0 204\r\n\r\n").unwrap(), b"");
    }

    #[test]
    fn what_the_server_says_at_once_is_kept() {
        let mut dialogue = HttpConnect::new("::1", 25, None);
        let mut input = Vec::new();
        let asked = b"CONNECT [::1]:25 HTTP/1.1\r\nHost: [::1]:25\r\n\r\n";
        assert_eq!(dialogue.next(&mut input), Ok(Next::Write(asked.to_vec())));
        input.extend_from_slice(b"HTTP/1.1 200 OK\r\n\r\n220 hi\r\n\r\n");
        assert_eq!(dialogue.next(&mut input), Ok(Next::Open));
        assert_eq!(input, b"220 hi\r\n\r\n");
    }

    #[test]
    fn credentials_are_sent() {
        let user = ("Aladdin".to_owned(), Secret::new("open sesame"));
        let Ok(Next::Write(request)) = HttpConnect::new("mx.example", 25, Some(&user)).next(&mut Vec::new()) else {
            panic!("nothing to write");
        };
        // RFC 7617 §2.
        let expected = "\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n";
        assert!(String::from_utf8(request).unwrap().ends_with(expected));
    }

    #[test]
    fn anything_else_is_refused() {
        for (text, reason) in [
            (&b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"[..], "407 Proxy Authentication Required"),
            (b"HTTP/1.1 20\r\n\r\n", "does not speak HTTP"),
            (b"220 mx.example ESMTP\r\n\r\n", "does not speak HTTP"),
            (&[b'x'; MOST_HEADER], "does not end"),
        ] {
            let error = answer(text).unwrap_err();
            assert_eq!(error.code(), ErrorCode::ConnectProxy);
            assert!(error.what().contains(reason), "{error}");
        }
    }
}
