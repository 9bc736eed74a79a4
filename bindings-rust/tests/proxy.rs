//! Through proxies, and which address is taken.

mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use okuru::{ErrorCode, Options, Summary, Tls};
use support::{BOTH, Client, listen, message, sink};

/// Passes octets on, both ways.
fn join(client: TcpStream, server: TcpStream) {
    let copy = |mut from: TcpStream, mut to: TcpStream| {
        thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Write);
        });
    };
    copy(client.try_clone().unwrap(), server.try_clone().unwrap());
    copy(server, client);
}

fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut buffer = vec![0; length];
    stream.read_exact(&mut buffer).unwrap();
    buffer
}

/// A SOCKS5 proxy that leads every name to `server`.
fn socks5(server: SocketAddr) -> SocketAddr {
    listen(move |_, mut stream| {
        assert_eq!(read(&mut stream, 4), [5, 2, 0, 2]);
        stream.write_all(&[5, 2]).unwrap();
        assert_eq!(read(&mut stream, 8), b"\x01\x02me\x03p:w");
        stream.write_all(&[1, 0]).unwrap();
        assert_eq!(read(&mut stream, 4 + 11 + 2)[..15], *b"\x05\x01\0\x03\x0amx.bar.com");
        stream.write_all(b"\x05\0\0\x01\x7f\0\0\x01\0\x19").unwrap();
        join(stream, TcpStream::connect(server).unwrap());
    })
}

fn http(server: SocketAddr) -> SocketAddr {
    listen(move |_, mut stream| {
        let mut header = Vec::new();
        while !header.ends_with(b"\r\n\r\n") {
            header.extend(read(&mut stream, 1));
        }
        let header = String::from_utf8(header).unwrap();
        assert!(header.starts_with("CONNECT mx.bar.com:2525 HTTP/1.1\r\n"), "{header}");
        assert!(header.contains("\r\nProxy-Authorization: Basic bWU6cDp3\r\n"), "{header}");
        // What the server says at once comes in the same segment.
        let server = TcpStream::connect(server).unwrap();
        let mut answer = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n".to_vec();
        answer.extend(read(&mut server.try_clone().unwrap(), 5));
        stream.write_all(&answer).unwrap();
        join(stream, server);
    })
}

#[test]
fn through_a_proxy() {
    for kind in BOTH {
        let (server, received) = sink(&["PIPELINING"]);
        for proxy in [format!("socks5://me:p%3Aw@{}", socks5(server)), format!("http://me:p%3Aw@{}", http(server))] {
            let options = Options::new("smtp://mx.bar.com:2525").unwrap().tls(Tls::None).proxy(&proxy).unwrap();
            let mut client = Client::new(kind, options);
            assert_eq!(client.send(message("hi\r\n")).summary(), Summary::Accepted, "{kind:?} {proxy}");
            assert_eq!(received.recv().unwrap(), b"hi\r\n");
            client.close();
        }
    }
}

#[test]
fn a_proxy_that_refuses() {
    for kind in BOTH {
        let proxy = listen(|_, mut stream| {
            let _ = stream.read(&mut [0; 1024]);
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").unwrap();
        });
        let options = Options::new("smtp://mx.bar.com").unwrap().proxy(&format!("http://{proxy}")).unwrap();
        let error = Client::new(kind, options).send(message("hi\r\n")).into_result().unwrap_err();
        assert_eq!(error.code(), ErrorCode::ConnectProxy, "{kind:?}");
        assert!(error.to_string().contains("403 Forbidden"), "{error}");

        let silent = listen(|_, stream| {
            thread::spawn(move || {
                thread::sleep(Duration::from_secs(2));
                drop(stream);
            });
        });
        let options = Options::new("smtp://mx.bar.com").unwrap().proxy(&format!("socks5://{silent}")).unwrap();
        let options = options.connect_timeout(Duration::from_millis(100));
        let error = Client::new(kind, options).send(message("hi\r\n")).into_result().unwrap_err();
        assert_eq!(error.code(), ErrorCode::TimeoutConnect, "{kind:?}");
    }
}

/// `localhost` is ::1 and 127.0.0.1 on most machines, and the server listens on the second alone.
#[test]
fn an_address_that_refuses_is_followed_by_the_next() {
    for kind in BOTH {
        let (server, _received) = sink(&["PIPELINING"]);
        let options = Options::new(&format!("smtp://localhost:{}", server.port())).unwrap().tls(Tls::None);
        let began = Instant::now();
        assert_eq!(Client::new(kind, options).send(message("hi\r\n")).summary(), Summary::Accepted, "{kind:?}");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
}

#[test]
fn a_source_address_is_used() {
    for kind in BOTH {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let peer = thread::spawn(move || listener.accept().unwrap().1.ip());
        let options = Options::new(&format!("smtp://{server}")).unwrap().source_address("127.0.0.9".parse().unwrap());
        let outcome = Client::new(kind, options).send(message("hi\r\n"));
        assert_eq!(outcome.summary(), Summary::Deferred);
        assert_eq!(peer.join().unwrap().to_string(), "127.0.0.9", "{kind:?}");

        let options = Options::new(&format!("smtp://{server}")).unwrap().source_address("::1".parse().unwrap());
        let error = Client::new(kind, options).send(message("hi\r\n")).into_result().unwrap_err();
        assert_eq!(error.code(), ErrorCode::ConnectUnreachable, "{kind:?}");
    }
}
