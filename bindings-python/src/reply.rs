//! A reply of a server.

use okuru_core::syntax;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::catalogue::raised;

/// A whole reply of a server (RFC 5321 §4.2).
#[pyclass(frozen, eq, module = "okuru._okuru")]
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Reply(pub(crate) syntax::Reply);

#[pymethods]
impl Reply {
    /// Exactly one whole reply, with its line ends.
    #[new]
    fn new(py: Python<'_>, raw: &[u8]) -> PyResult<Self> {
        syntax::Reply::parse(raw).map(Self).map_err(|error| raised(py, &error))
    }

    /// The three digits.
    #[getter]
    fn code(&self) -> u16 {
        self.0.code().into()
    }

    /// The enhanced code (RFC 3463), such as `5.1.1`, if there is one.
    #[getter]
    fn enhanced(&self) -> Option<String> {
        self.0.enhanced().map(|enhanced| enhanced.to_string())
    }

    /// The text of all lines joined with blanks, without the codes.
    #[getter]
    fn text(&self) -> String {
        self.0.text()
    }

    /// The text of each line.
    #[getter]
    fn lines<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.text_lines().collect::<Vec<_>>())
    }

    /// All bytes as they came.
    #[getter]
    fn raw<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.raw())
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<Reply {}>", self.0)
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{Hash as _, Hasher as _};
        let mut hasher = std::hash::DefaultHasher::new();
        self.0.raw().hash(&mut hasher);
        hasher.finish()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let py = slf.py();
        Ok((py.get_type::<Self>().into_any(), (slf.get().raw(py),)))
    }
}
