//! Python's values as options.

use std::time::Duration;

use okuru_core::options::Value;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};

/// Keyword arguments as options. `None` is as if it had not been said.
pub(crate) fn options(named: Option<&Bound<'_, PyDict>>) -> PyResult<Vec<(String, Value)>> {
    let Some(named) = named else {
        return Ok(Vec::new());
    };
    let said = named.iter().filter(|(_, value)| !value.is_none());
    said.map(|(name, given)| Ok((name.extract()?, value(&given)?))).collect()
}

fn value(given: &Bound<'_, PyAny>) -> PyResult<Value> {
    if let Ok(text) = given.cast::<PyString>() {
        return Ok(text.to_cow()?.as_ref().into());
    }
    if let Ok(flag) = given.cast::<PyBool>() {
        return Ok(flag.is_true().into());
    }
    if given.is_instance_of::<PyInt>() || given.is_instance_of::<PyFloat>() {
        return Ok(given.extract::<f64>()?.into());
    }
    if let Ok(table) = given.cast::<PyDict>() {
        return Ok(Value::Table(options(Some(table))?));
    }
    if let Ok(duration) = given.extract::<Duration>() {
        return Ok(duration.as_secs_f64().into());
    }
    if let Ok(values) = given.try_iter() {
        return Ok(Value::List(values.map(|each| value(&each?)).collect::<PyResult<_>>()?));
    }
    let kind = given.get_type().name()?;
    if kind.to_cow()?.starts_with("IPv") {
        return Ok(given.str()?.to_cow()?.as_ref().into());
    }
    Err(PyTypeError::new_err(format!("an option can't be a {kind}")))
}
