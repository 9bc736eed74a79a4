//! The client's side of a log-in, for those who send each command themselves.

use okuru_core::Error;
use okuru_core::sasl::{ChannelBinding, ClientExchange, Credentials, Mechanism, Params, choose};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::catalogue::raised;
use crate::connection::tls_info;

/// One exchange with a user name and a password (RFC 4422), before base64.
///
/// `nonce` are 24 random bytes, used once; `channel_binding` is the name of a kind and the data.
#[pyclass(module = "okuru._okuru")]
pub(crate) struct SaslClient {
    exchange: ClientExchange,
}

#[pymethods]
impl SaslClient {
    #[new]
    #[pyo3(signature = (mechanism, user, password, *, nonce, channel_binding=None, offered_plus=false))]
    fn new(
        py: Python<'_>,
        mechanism: &str,
        user: &str,
        password: &str,
        nonce: [u8; 24],
        channel_binding: Option<(String, Vec<u8>)>,
        offered_plus: bool,
    ) -> PyResult<Self> {
        let params = Params { binding: binding(channel_binding), offered_plus, ..Params::new("", 0, &nonce) };
        let begun = || {
            let credentials = Credentials::password(user, password, None)?;
            ClientExchange::new(mechanism.parse::<Mechanism>()?, &credentials, params)
        };
        let exchange = begun().map_err(|error: Error| raised(py, &error))?;
        Ok(Self { exchange })
    }

    /// What the client says first; None where the server begins.
    fn initial_response<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let response = self.exchange.initial_response().map_err(|error| raised(py, &error))?;
        Ok(response.map(|response| PyBytes::new(py, response.as_bytes())))
    }

    /// What the client says to a challenge.
    fn challenge<'py>(&mut self, py: Python<'py>, challenge: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let response = self.exchange.challenge(challenge).map_err(|error| raised(py, &error))?;
        Ok(PyBytes::new(py, response.as_bytes()))
    }

    /// To be called when the server has said yes: raises if the server has not proved who it is.
    fn succeeded(&mut self, py: Python<'_>) -> PyResult<()> {
        self.exchange.succeeded().map_err(|error| raised(py, &error))
    }

    fn __repr__(&self) -> String {
        format!("<SaslClient {}>", self.exchange.mechanism())
    }
}

/// Those of the `offered` mechanisms that a user name and a password will do for, the strongest first.
#[pyfunction]
#[pyo3(signature = (offered, user, password, *, channel_binding=None))]
pub(crate) fn usable_mechanisms(
    py: Python<'_>,
    mut offered: Vec<String>,
    user: &str,
    password: &str,
    channel_binding: Option<(String, Vec<u8>)>,
) -> PyResult<Vec<&'static str>> {
    let credentials = Credentials::password(user, password, None).map_err(|error| raised(py, &error))?;
    let binding = binding(channel_binding);
    let mut usable = Vec::new();
    while let Ok(mechanism) = choose(&credentials, &offered, None, binding.as_ref()) {
        offered.retain(|name| !name.eq_ignore_ascii_case(mechanism.name()));
        usable.push(mechanism.name());
    }
    Ok(usable)
}

fn binding(given: Option<(String, Vec<u8>)>) -> Option<ChannelBinding> {
    tls_info(true, given).channel_binding
}
