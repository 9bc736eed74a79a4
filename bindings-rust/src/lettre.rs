//! In place of lettre's own SMTP transports.
//!
//! A message that was accepted for somebody is `Ok`, with the outcome of each recipient: look at
//! [`Outcome::summary`] for the others. It is an `Err` only if it was accepted for nobody, and so can be sent again unless the
//! outcome was `unknown`.
//!
//! ```no_run
//! use lettre::Transport as _;
//! use okuru::Options;
//!
//! # fn example(message: &lettre::Message) -> Result<(), okuru::Error> {
//! let transport = okuru::lettre::BlockingTransport::new(Options::new("smtp://me:secret@mail.example.com")?);
//! let outcome = transport.send(message)?;
//! println!("{}", outcome.summary());
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;
#[cfg(feature = "blocking")]
use std::sync::{Mutex, PoisonError};

use lettre::address::Envelope;
use okuru_core::Error;
use okuru_core::client::{Outcome, Summary};

use crate::message::Message;
use crate::options::Options;

/// A [`lettre::Transport`] over a [`blocking::Client`](crate::blocking::Client). Who calls it at the same time from several
/// threads waits for the others.
#[cfg(feature = "blocking")]
#[derive(Debug)]
pub struct BlockingTransport(Mutex<crate::blocking::Client>);

#[cfg(feature = "blocking")]
impl BlockingTransport {
    /// A transport to the server of `options`. Nothing is opened before it is needed.
    pub fn new(options: impl Into<Arc<Options>>) -> Self {
        Self(Mutex::new(crate::blocking::Client::new(options)))
    }
}

#[cfg(feature = "blocking")]
impl lettre::Transport for BlockingTransport {
    type Ok = Outcome;
    type Error = Error;

    fn send_raw(&self, envelope: &Envelope, email: &[u8]) -> Result<Outcome, Error> {
        let message = message(envelope, email)?;
        // Whoever panicked while sending has left a session that is looked after at the next call.
        result(self.0.lock().unwrap_or_else(PoisonError::into_inner).send(message))
    }

    fn shutdown(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).close();
    }
}

/// A [`lettre::AsyncTransport`] over a [`Client`](crate::Client) for tokio. Who calls it at the same time from several tasks waits
/// for the others.
#[cfg(feature = "tokio")]
#[derive(Debug)]
pub struct TokioTransport(tokio::sync::Mutex<crate::Client>);

#[cfg(feature = "tokio")]
impl TokioTransport {
    /// A transport to the server of `options`. Nothing is opened before it is needed.
    pub fn new(options: impl Into<Arc<Options>>) -> Self {
        Self(tokio::sync::Mutex::new(crate::Client::new(options)))
    }
}

#[cfg(feature = "tokio")]
#[async_trait::async_trait]
impl lettre::AsyncTransport for TokioTransport {
    type Ok = Outcome;
    type Error = Error;

    async fn send_raw(&self, envelope: &Envelope, email: &[u8]) -> Result<Outcome, Error> {
        let message = message(envelope, email)?;
        result(self.0.lock().await.send(message).await)
    }

    async fn shutdown(&self) {
        self.0.lock().await.close().await;
    }
}

fn message(envelope: &Envelope, email: &[u8]) -> Result<Message, Error> {
    let from = envelope.from().map_or("", AsRef::as_ref);
    Message::new::<&str>(from, envelope.to().iter().map(AsRef::as_ref), email.to_vec())
}

fn result(outcome: Outcome) -> Result<Outcome, Error> {
    match outcome.summary() {
        Summary::Accepted | Summary::Partial => Ok(outcome),
        Summary::Deferred | Summary::Rejected | Summary::Unknown => outcome.into_result(),
    }
}
