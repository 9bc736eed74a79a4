//! What is known of a server with which no session came to be.
#![cfg(feature = "rustls")]

mod support;

use std::sync::mpsc::channel;

use okuru::{ErrorCode, Options, Tls};
use support::{BOTH, Kind, certificates, listen, secure};

#[test]
fn a_certificate_that_does_not_verify_is_known() {
    for kind in BOTH {
        let address = listen(|_, stream| {
            secure(stream, &certificates().tls).serve(&[], &channel().0);
        });
        let options = Options::new(&format!("smtp://{address}")).unwrap().tls(Tls::Implicit);
        let tls = match kind {
            Kind::Blocking => {
                let mut client = okuru::blocking::Client::new(options);
                assert!(client.last_server_info().is_none());
                assert_eq!(client.connect().map_err(|error| error.code()).err(), Some(ErrorCode::TlsCertificate));
                client.last_server_info().unwrap().tls.clone().unwrap()
            }
            Kind::Tokio => {
                let mut client = okuru::Client::new(options);
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let error = runtime.block_on(client.connect()).map_err(|error| error.code()).err();
                assert_eq!(error, Some(ErrorCode::TlsCertificate));
                client.last_server_info().unwrap().tls.clone().unwrap()
            }
        };
        assert_eq!(tls.certificates.len(), 1);
        assert_eq!(tls.distrust.map(|error| error.code()), Some(ErrorCode::TlsCertificate));
        assert_eq!((tls.version, tls.cipher_suite.is_empty()), ("TLSv1.3", false));
    }
}
