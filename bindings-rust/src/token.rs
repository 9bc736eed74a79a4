//! Where OAuth tokens come from.

use std::fmt;
#[cfg(feature = "tokio")]
use std::pin::Pin;
use std::sync::Arc;

use okuru_core::sasl::Secret;
use okuru_core::{Error, ErrorCode, Step};

#[derive(Clone)]
pub(crate) enum TokenSource {
    Blocking(Arc<dyn Fn() -> Result<Secret, Error> + Send + Sync>),
    #[cfg(feature = "tokio")]
    Future(Arc<dyn Fn() -> TokenFuture + Send + Sync>),
}

#[cfg(feature = "tokio")]
pub(crate) type TokenFuture = Pin<Box<dyn Future<Output = Result<Secret, Error>> + Send>>;

impl TokenSource {
    pub(crate) fn blocking<E: fmt::Display>(source: impl Fn() -> Result<Secret, E> + Send + Sync + 'static) -> Self {
        Self::Blocking(Arc::new(move || source().map_err(no_token)))
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn future<F, E>(source: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Secret, E>> + Send + 'static,
        E: fmt::Display,
    {
        Self::Future(Arc::new(move || {
            let token = source();
            Box::pin(async move { token.await.map_err(no_token) })
        }))
    }

    /// A token, from a source that blocks.
    #[cfg(feature = "blocking")]
    pub(crate) fn get(&self) -> Result<Secret, Error> {
        match self {
            Self::Blocking(source) => source(),
            #[cfg(feature = "tokio")]
            Self::Future(_) => Err(no_token("a source of tokens that is a future needs the tokio client")),
        }
    }
}

fn no_token(error: impl fmt::Display) -> Error {
    Error::new(ErrorCode::AuthToken, format!("no token could be had: {error}")).at(Step::Auth)
}
