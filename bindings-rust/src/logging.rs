//! What is told to `tracing`: connections, TLS and outcomes as debug, the dialogue as trace. Nothing in it is a secret.

#[cfg(not(feature = "tracing"))]
pub(crate) use silent::*;
#[cfg(feature = "tracing")]
pub(crate) use telling::*;

#[cfg(feature = "tracing")]
mod telling {
    use okuru_core::Error;
    use okuru_core::client::{Outcome, Trace};
    use tracing::{Level, debug, enabled, trace};

    use crate::server_info::{ServerInfo, TlsSession};

    /// Whether anybody wants to know the dialogue.
    pub(crate) fn wants_dialogue() -> bool {
        enabled!(Level::TRACE)
    }

    pub(crate) fn connected(info: &ServerInfo) {
        debug!(address = info.address, "connected");
    }

    pub(crate) fn tls(session: &TlsSession) {
        debug!(
            version = session.version,
            cipher_suite = session.cipher_suite,
            verified = session.distrust.is_none(),
            "TLS"
        );
    }

    pub(crate) fn ready(info: &ServerInfo) {
        debug!(address = info.address, mechanism = info.mechanism.map(okuru_core::sasl::Mechanism::name), "ready");
    }

    pub(crate) fn ended(error: &Error) {
        debug!(code = error.code().as_str(), %error, "the connection ended");
    }

    pub(crate) fn outcome(outcome: &Outcome) {
        debug!(
            number = outcome.message.0,
            summary = %outcome.summary(),
            recipients = outcome.recipients.len(),
            queue_id = outcome.queue_id(),
            error = outcome.error.as_ref().map(|error| error.code().as_str()),
            "outcome"
        );
    }

    pub(crate) fn again(outcome: &Outcome) {
        debug!(error = outcome.error.as_ref().map(|error| error.code().as_str()), "once more on a new connection");
    }

    pub(crate) fn dialogue(line: &Trace) {
        match line {
            Trace::Sent(line) => trace!("C: {line}"),
            Trace::SentContent(octets) => trace!("C: ({octets} octets of content)"),
            Trace::Received(reply) => trace!("S: {reply}"),
            Trace::Tls => trace!("TLS"),
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod silent {
    use okuru_core::Error;
    use okuru_core::client::{Outcome, Trace};

    use crate::server_info::{ServerInfo, TlsSession};

    pub(crate) fn wants_dialogue() -> bool {
        false
    }

    pub(crate) fn connected(_: &ServerInfo) {}

    pub(crate) fn tls(_: &TlsSession) {}

    pub(crate) fn ready(_: &ServerInfo) {}

    pub(crate) fn ended(_: &Error) {}

    pub(crate) fn outcome(_: &Outcome) {}

    pub(crate) fn again(_: &Outcome) {}

    pub(crate) fn dialogue(_: &Trace) {}
}
