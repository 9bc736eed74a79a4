//! Replies from bytes, one at a time, for those who send each command themselves.

use okuru_core::syntax::{Capabilities, Keyword, ReplyFramer};
use pyo3::prelude::*;

use crate::catalogue::raised;
use crate::reply::Reply;

/// Cuts what a server says into replies (RFC 5321 §4.2), within bounds. What it refuses once, it refuses for ever.
#[pyclass(module = "okuru._okuru")]
#[derive(Default)]
pub(crate) struct ReplyReader {
    framer: ReplyFramer,
    /// What has come behind the last reply that was given out.
    unread: Vec<u8>,
}

#[pymethods]
impl ReplyReader {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Bytes have come.
    fn receive(&mut self, data: &[u8]) {
        self.unread.extend_from_slice(data);
    }

    /// The next whole reply, or None if more has to come.
    fn next(&mut self, py: Python<'_>) -> PyResult<Option<Reply>> {
        let mut input = self.unread.as_slice();
        let next = self.framer.next(&mut input);
        let taken = self.unread.len() - input.len();
        self.unread.drain(..taken);
        Ok(next.map_err(|error| raised(py, &error))?.map(Reply))
    }

    /// Whether nothing has come behind the last reply.
    #[getter]
    fn is_empty(&self) -> bool {
        self.unread.is_empty() && self.framer.is_empty()
    }
}

/// What a positive reply to EHLO or LHLO offers: each keyword in upper case, and the words behind it.
#[pyfunction]
pub(crate) fn offered(reply: &Reply) -> Vec<(String, String)> {
    let capabilities = Capabilities::from_reply(&reply.0);
    let words = |it: &Keyword| it.parameters().collect::<Vec<_>>().join(" ");
    capabilities.keywords().map(|it| (it.name().to_owned(), words(it))).collect()
}
