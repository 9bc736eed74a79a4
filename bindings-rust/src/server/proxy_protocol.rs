//! The header by which a proxy says for whom it speaks (PROXY protocol, versions 1 and 2).

use std::io;
use std::net::SocketAddr;

use proxy_header::{ParseConfig, Protocol, ProxyHeader};
use tokio::io::AsyncReadExt as _;

use super::handler::Stream;

/// The longest header that is read. Version 1 has 107 octets at most; version 2 may have any number, for certificates for
/// instance, and common proxies send a few hundred.
const LONGEST: usize = 4096;

/// How much of version 1 or 2 says how long the header is: `PROXY UNKNOWN\r\n` has 15 octets, that of version 2 begins with 16.
const BEGINNING: usize = 15;

/// Reads the header, and nothing behind it. Without an address the proxy speaks for itself or does not know.
pub(super) async fn read(stream: &mut Box<dyn Stream>) -> io::Result<Option<SocketAddr>> {
    let mut header = Vec::with_capacity(BEGINNING);
    loop {
        let config = ParseConfig { include_tlvs: false, ..ParseConfig::default() };
        match ProxyHeader::parse(&header, config) {
            Ok((parsed, length)) if length == header.len() => {
                return match parsed.proxied_address() {
                    Some(address) if address.protocol == Protocol::Stream => Ok(Some(address.source)),
                    Some(_) => Err(malformed()),
                    None => Ok(None),
                };
            }
            Err(proxy_header::Error::BufferTooShort) if header.len() < LONGEST => {
                let wanted = wanted(&header).min(LONGEST - header.len());
                let begin = header.len();
                header.resize(begin + wanted, 0);
                let read = stream.read(header.get_mut(begin..).unwrap_or_default()).await?;
                if read == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                header.truncate(begin + read);
            }
            _ => return Err(malformed()),
        }
    }
}

/// How many octets come at least. What follows the header must stay where it is: TLS may begin there.
fn wanted(header: &[u8]) -> usize {
    match header {
        [] => BEGINNING,
        [b'P', ..] if header.len() < BEGINNING => BEGINNING - header.len(),
        [b'P', ..] if header.ends_with(b"\r") => 1,
        // CR LF is still to come.
        [b'P', ..] => 2,
        _ => match header.get(14..16) {
            Some(&[high, low]) => {
                (16 + usize::from(u16::from_be_bytes([high, low]))).saturating_sub(header.len()).max(1)
            }
            _ => 16 - header.len().min(15),
        },
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "no header of the PROXY protocol")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_header::ProxiedAddress;
    use tokio::io::AsyncWriteExt as _;

    /// What is read of the header, in one piece or octet by octet, and what is left behind it.
    fn outcome(header: &[u8]) -> Result<Option<SocketAddr>, io::ErrorKind> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let read_all = |at_once: bool| {
            runtime.block_on(async {
                let (mut theirs, ours) = tokio::io::duplex(if at_once { 8192 } else { 1 });
                let all = [header, b"EHLO"].concat();
                let writer = tokio::spawn(async move {
                    let _ = theirs.write_all(&all).await;
                });
                let mut stream: Box<dyn Stream> = Box::new(ours);
                let result = read(&mut stream).await.map_err(|error| error.kind());
                if result.is_ok() {
                    let mut rest = [0; 4];
                    stream.read_exact(&mut rest).await.unwrap();
                    assert_eq!(&rest, b"EHLO");
                }
                drop(stream);
                writer.await.unwrap();
                result
            })
        };
        let whole = read_all(true);
        assert_eq!(read_all(false), whole);
        whole
    }

    fn version_2(header: &ProxyHeader<'_>) -> Vec<u8> {
        let mut buffer = [0; 1024];
        let length = header.encode_to_slice_v2(&mut buffer).unwrap();
        buffer[..length].to_vec()
    }

    #[test]
    fn both_versions() {
        let (source, destination) = ("192.0.2.1:50000".parse().unwrap(), "192.0.2.2:25".parse().unwrap());
        let v4 = ProxyHeader::with_address(ProxiedAddress::stream(source, destination));
        assert_eq!(outcome(&version_2(&v4)), Ok(Some(source)));
        assert_eq!(outcome(b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 25\r\n"), Ok(Some(source)));
        let (source, destination) = ("[2001:db8::1]:50000".parse().unwrap(), "[2001:db8::2]:25".parse().unwrap());
        let v6 = ProxyHeader::with_address(ProxiedAddress::stream(source, destination));
        assert_eq!(outcome(&version_2(&v6)), Ok(Some(source)));
        assert_eq!(outcome(b"PROXY TCP6 2001:db8::1 2001:db8::2 50000 25\r\n"), Ok(Some(source)));
        for (source, destination) in [("1.1.1.1", "1.1.1.2"), ("255.255.255.255", "255.255.255.254")] {
            let line = format!("PROXY TCP4 {source} {destination} 1 1\r\n");
            assert!(outcome(line.as_bytes()).is_ok_and(|address| address.is_some()), "{line}");
        }
    }

    #[test]
    fn a_proxy_that_does_not_know() {
        assert_eq!(outcome(&version_2(&ProxyHeader::with_local())), Ok(None));
        assert_eq!(outcome(b"PROXY UNKNOWN\r\n"), Ok(None));
        assert_eq!(outcome(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), Ok(None));
    }

    #[test]
    fn what_is_no_header() {
        let (source, destination) = ("192.0.2.1:50000".parse().unwrap(), "192.0.2.2:25".parse().unwrap());
        let datagram = ProxyHeader::with_address(ProxiedAddress::datagram(source, destination));
        for bytes in [
            &b"EHLO example.com\r\n"[..],
            b"PROXY TCP4 192.0.2.300 192.0.2.2 50000 25\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 25\n",
            b"PROXY TCP9 192.0.2.1 192.0.2.2 50000 25\r\n",
            &version_2(&datagram),
            &[b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat(),
            &[b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff".as_slice(), &[0; LONGEST]].concat(),
        ] {
            assert!(outcome(bytes).is_err(), "{}", bytes.escape_ascii());
        }
    }
}
