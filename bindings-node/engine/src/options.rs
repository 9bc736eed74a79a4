//! What a user may choose, from the packed table of a host.

use okuru_core::client::{Authentication, ServerAddress, ServerUrl};
use okuru_core::delivery::mailer::{Config, Endpoint, Server};
use okuru_core::sasl::Credentials;
use okuru_core::{Error, client};

use crate::packing::Reader;

pub(crate) fn mailer(packed: &mut Reader<'_>) -> Result<Config, Error> {
    let ServerUrl { protocol, tls, address, user, password } = ServerUrl::parse(packed.text()?)?;
    let ehlo: okuru_core::syntax::EhloName = "client.example".parse()?;
    let mut client = client::Config::new(address.server_name(), ehlo.clone());
    client.protocol = protocol;
    client.tls = tls;
    if let (Some(user), Some(password)) = (user, password) {
        client.authentication = Some(Authentication {
            credentials: Credentials::password(user, password, None)?,
            mechanisms: None,
            dangerously_allow_plaintext: false,
            try_all: false,
            port: 0,
            nonce: [0; 24],
        });
    }
    let endpoint = match address {
        ServerAddress::Host(name, port) => Endpoint::Host { name, port, addresses: Vec::new() },
        ServerAddress::Socket(path) => Endpoint::Socket(path),
    };
    let server =
        Server { name: "x".into(), endpoint: endpoint.into(), client, ehlo: Some(ehlo), log_in: None, policy: None };
    Ok(Config::relay(server, 1))
}

pub(crate) fn connection(packed: &mut Reader<'_>, _nonce: &[u8]) -> Result<client::Config, Error> {
    Ok(mailer(packed)?.servers.remove(0).client)
}
