//! TLS: verified, not verified, refused, and what SCRAM is told of it.
#![cfg(feature = "rustls")]

mod support;

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use okuru::{ErrorCode, Options, Summary, Tls};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use support::{BOTH, Client, Peer, certificates, issue, listen, message, secure};

const OFFER: &[&str] = &["PIPELINING", "STARTTLS"];

/// A server that offers STARTTLS and takes messages behind it.
fn starttls(tls: Arc<ServerConfig>) -> (SocketAddr, Receiver<Vec<u8>>) {
    let (sender, received) = channel();
    let address = listen(move |_, stream| serve(stream, &tls, &sender));
    (address, received)
}

fn serve(stream: TcpStream, tls: &Arc<ServerConfig>, messages: &Sender<Vec<u8>>) {
    let mut plain = Peer::new(stream);
    if !plain.serve(OFFER, messages) && plain.0.buffer().is_empty() {
        secure(plain.0.into_inner(), tls).serve_from_ehlo(&["PIPELINING"], messages);
    }
}

fn options(address: SocketAddr) -> Options {
    Options::new(&format!("smtp://{address}")).unwrap().add_root_certificate(certificates().ca.as_bytes())
}

#[test]
fn by_starttls_and_from_the_first_byte() {
    for kind in BOTH {
        let (address, received) = starttls(Arc::clone(&certificates().tls));
        let mut client = Client::new(kind, options(address));
        let info = client.connect().unwrap();
        assert!(info.capabilities_before_tls.unwrap().starttls() && !info.capabilities.unwrap().starttls());
        let session = info.tls.unwrap();
        assert_eq!((session.version, session.distrust, session.certificates.len()), ("TLSv1.3", None, 1));
        let large = "x".repeat(998) + "\r\n";
        let outcomes = client.send_many(vec![message("1\r\n"), message(large.repeat(2000)), message("3\r\n")]);
        assert!(outcomes.iter().all(|outcome| outcome.summary() == Summary::Accepted), "{kind:?} {outcomes:?}");
        assert_eq!(received.iter().take(3).map(|content| content.len()).collect::<Vec<_>>(), [3, 2_000_000, 3]);
        client.close();

        let (sender, received) = channel();
        let address = listen(move |_, stream| {
            secure(stream, &certificates().tls).serve(&[], &sender);
        });
        let mut client = Client::new(kind, options(address).tls(Tls::Implicit));
        assert_eq!(client.send(message("hi\r\n")).summary(), Summary::Accepted, "{kind:?}");
        assert_eq!(received.recv().unwrap(), b"hi\r\n");
        client.close();
    }
}

#[test]
fn certificates_are_verified() {
    let (other_ca, ..) = issue();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (ca, other) = (file("ca.pem", &certificates().ca), file("other.pem", &other_ca));
    let (empty, absent) = (file("empty.pem", "no certificate"), folder.path().join("absent.pem"));
    for kind in BOTH {
        let (address, _received) = starttls(Arc::clone(&certificates().tls));
        let url = format!("smtp://{address}");
        let with = |ca| Options::new(&url).unwrap().ca_file(ca);
        let name = |name| Options::new(&url).unwrap().ca_file(&ca).tls_name(name);
        let certificate = Some(ErrorCode::TlsCertificate);
        let configuration = Some(ErrorCode::TlsConfiguration);
        for (options, expected) in [
            (with(&ca), None),
            (name("mx.bar.com"), None),
            (name("mx.bar.com."), None),
            (with(&other), certificate),
            (Options::new(&url).unwrap(), certificate),
            (name("mx.foo.com"), certificate),
            (with(&empty), configuration),
            (with(&absent), configuration),
            (name("not a name"), configuration),
        ] {
            let result = Client::new(kind, options).send(message("hi\r\n")).into_result();
            assert_eq!(result.map(drop).map_err(|error| error.code()).err(), expected, "{kind:?}");
        }
        let error = Client::new(kind, name("mx.foo.com")).connect().unwrap_err();
        assert!(error.to_string().contains("is not for mx.foo.com but for"), "{error}");
        let error = Client::new(kind, with(&other)).connect().unwrap_err();
        assert!(error.to_string().contains("no trusted authority"), "{error}");
    }
}

#[test]
fn opportunistic_tls_takes_what_it_gets_and_says_so() {
    for kind in BOTH {
        let (address, received) = starttls(Arc::clone(&certificates().tls));
        let options = Options::new(&format!("smtp://{address}")).unwrap().tls(Tls::Opportunistic);
        let mut client = Client::new(kind, options);
        assert_eq!(client.send(message("hi\r\n")).summary(), Summary::Accepted, "{kind:?}");
        let session = client.connect().unwrap().tls.unwrap();
        assert_eq!(session.distrust.map(|error| error.code()), Some(ErrorCode::TlsCertificate));
        assert_eq!(received.recv().unwrap(), b"hi\r\n");
    }
}

#[test]
fn opportunistic_tls_that_fails_is_followed_by_none() {
    for kind in BOTH {
        let (sender, received) = channel();
        let address = listen(move |number, stream| {
            let mut peer = Peer::new(stream);
            if !peer.serve(OFFER, &sender) && number == 0 {
                peer.wait();
                peer.say("what was that?\r\n");
            }
        });
        let options = Options::new(&format!("smtp://{address}")).unwrap().tls(Tls::Opportunistic);
        let mut client = Client::new(kind, options);
        assert_eq!(client.send(message("hi\r\n")).summary(), Summary::Accepted, "{kind:?}");
        assert!(client.connect().unwrap().tls.is_none());
        assert_eq!(received.recv().unwrap(), b"hi\r\n");
        client.close();
    }
}

#[test]
fn required_tls_that_fails_sends_nothing() {
    for kind in BOTH {
        for answer in ["what was that?\r\n", ""] {
            let (sender, received) = channel();
            let address = listen(move |_, stream| {
                let mut peer = Peer::new(stream);
                peer.serve(OFFER, &sender);
                peer.wait();
                peer.say(answer);
            });
            let error = Client::new(kind, options(address)).send(message("hi\r\n")).into_result().unwrap_err();
            assert_eq!(error.code(), ErrorCode::TlsHandshake, "{kind:?} {answer:?}");
            assert!(received.try_recv().is_err());
        }
        let (sender, received) = channel();
        let address = listen(move |_, stream| {
            Peer::new(stream).serve(&["PIPELINING"], &sender);
        });
        let error = Client::new(kind, options(address)).send(message("hi\r\n")).into_result().unwrap_err();
        assert_eq!(error.code(), ErrorCode::SecurityTlsStripped, "{kind:?}");
        assert!(received.try_recv().is_err());
    }
}

#[test]
fn a_handshake_has_a_time() {
    for kind in BOTH {
        let address = listen(|_, stream| {
            std::thread::spawn(move || {
                std::thread::sleep(std::time::Duration::from_secs(2));
                drop(stream);
            });
        });
        let options = options(address).tls(Tls::Implicit).reply_timeout(std::time::Duration::from_millis(100));
        let error = Client::new(kind, options).connect().unwrap_err();
        assert_eq!(error.code(), ErrorCode::TimeoutTls, "{kind:?}");
    }
}

#[test]
fn a_client_certificate_is_shown() {
    let (ca, chain, key) = issue();
    let mut roots = RootCertStore::empty();
    let folder = tempfile::tempdir().unwrap();
    let (our_key, our_certificate) = {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["client".to_owned()]).unwrap().self_signed(&key).unwrap();
        roots.add(certificate.der().clone()).unwrap();
        (key.serialize_pem(), certificate.pem())
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    let tls = Arc::new(tls);
    let files = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&files.0, &our_certificate).unwrap();
    std::fs::write(&files.1, &our_key).unwrap();
    for kind in BOTH {
        let (address, _received) = starttls(Arc::clone(&tls));
        let options = Options::new(&format!("smtp://{address}")).unwrap().add_root_certificate(ca.as_bytes());
        for options in [
            options.clone().client_certificate_files(&files.0, &files.1),
            options.clone().client_certificate(our_certificate.as_bytes(), our_key.as_str()),
        ] {
            assert_eq!(Client::new(kind, options).send(message("hi\r\n")).summary(), Summary::Accepted, "{kind:?}");
        }
        assert_ne!(Client::new(kind, options.clone()).send(message("hi\r\n")).summary(), Summary::Accepted);
        let error = Client::new(kind, options.client_certificate("x", "hunter2")).connect().unwrap_err();
        assert_eq!(error.code(), ErrorCode::TlsConfiguration);
        assert!(!error.to_string().contains("hunter2"));
    }
}

/// What the client says of its channel binding: the server takes it from the SCRAM exchange.
#[test]
fn scram_is_bound_to_the_connection() {
    use base64ct::{Base64, Encoding as _};
    let versions: [(&'static SupportedProtocolVersion, &str); 2] =
        [(&rustls::version::TLS13, "p=tls-exporter,,"), (&rustls::version::TLS12, "p=tls-server-end-point,,")];
    for (version, header) in versions {
        let (ca, chain, key) = issue();
        let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.clone(), key)
            .unwrap();
        let tls = Arc::new(tls);
        for kind in BOTH {
            let (sender, bindings) = channel();
            let (tls, certificate) = (Arc::clone(&tls), chain[0].clone());
            let address = listen(move |_, stream| {
                let mut peer = secure(stream, &tls);
                peer.say("220 hi\r\n");
                peer.expect("EHLO", "250-x\r\n250 AUTH SCRAM-SHA-256-PLUS\r\n");
                let first = peer.line();
                let first = Base64::decode_vec(first.strip_prefix("AUTH SCRAM-SHA-256-PLUS ").unwrap()).unwrap();
                let first = String::from_utf8(first).unwrap();
                let nonce = first.split("r=").nth(1).unwrap();
                let challenge = format!("r={nonce}server,s={},i=4096", Base64::encode_string(b"salt"));
                peer.say(&format!("334 {}\r\n", Base64::encode_string(challenge.as_bytes())));
                let last = String::from_utf8(Base64::decode_vec(&peer.line()).unwrap()).unwrap();
                let said = last.strip_prefix("c=").unwrap().split(',').next().unwrap();
                let connection = &peer.0.get_ref().conn;
                let expected = match connection.protocol_version().unwrap() {
                    rustls::ProtocolVersion::TLSv1_3 => {
                        connection.export_keying_material(vec![0; 32], b"EXPORTER-Channel-Binding", Some(&[])).unwrap()
                    }
                    _ => {
                        use sha2::Digest as _;
                        sha2::Sha256::digest(&certificate).to_vec()
                    }
                };
                sender.send((Base64::decode_vec(said).unwrap(), expected)).unwrap();
                peer.say("535 5.7.8 that was all\r\n");
            });
            let options = Options::new(&format!("smtps://me:pw@{address}")).unwrap();
            let error = Client::new(kind, options.add_root_certificate(ca.as_bytes())).connect().unwrap_err();
            assert_eq!(error.code(), ErrorCode::AuthRefused, "{kind:?} {header}");
            let (said, expected) = bindings.recv().unwrap();
            assert_eq!(said, [header.as_bytes(), &expected].concat(), "{kind:?} {header}");
        }
    }
}
