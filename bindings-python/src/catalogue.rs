//! The errors of the core as exceptions. Python makes the classes: `okuru/_errors.py`.

use okuru_core::{Error, ErrorCode};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::reply::Reply;

/// Every code, with what the user can do.
pub(crate) fn codes() -> Vec<(&'static str, &'static str)> {
    ErrorCode::ALL.iter().map(|code| (code.as_str(), code.advice())).collect()
}

/// The error as an exception, with the reply behind it.
pub(crate) fn exception<'py>(
    py: Python<'py>,
    error: &Error,
    reply: Option<&okuru_core::syntax::Reply>,
) -> PyResult<Bound<'py, PyAny>> {
    let arguments = PyDict::new(py);
    arguments.set_item("step", error.step().map(|step| step.to_string()))?;
    arguments.set_item("reply", reply.map(|reply| Reply(reply.clone())))?;
    let make = py.import("okuru._errors")?.getattr("error")?;
    make.call((error.code().as_str(), error.what()), Some(&arguments))
}

/// The error, to be raised.
pub(crate) fn raised(py: Python<'_>, error: &Error) -> PyErr {
    match exception(py, error, None) {
        Ok(exception) => PyErr::from_value(exception),
        Err(failed) => failed,
    }
}

/// What a host says about itself, as an error of the core.
pub(crate) fn error(code: &str, what: &str) -> Error {
    let known = ErrorCode::ALL.iter().find(|known| known.as_str() == code);
    Error::new(known.copied().unwrap_or(ErrorCode::ConnectFailed), what.to_owned())
}
