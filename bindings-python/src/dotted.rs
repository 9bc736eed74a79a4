//! Content as DATA carries it, for those who send it themselves.

use okuru_core::syntax::{ContentEncoder, Framing, Newlines, Piece};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The content as it goes behind DATA: every line ends in CR LF, dots are doubled, and the final dot is there
/// (RFC 5321 §2.3.8, §4.5.2).
#[pyfunction]
pub(crate) fn dotted<'py>(py: Python<'py>, content: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let mut encoder = ContentEncoder::new(Framing::Dotted, Newlines::Fix);
    let mut wire = Vec::with_capacity(content.len() + 16);
    let mut put = |piece| match piece {
        Piece::Content(range) => {
            let bounds = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
            wire.extend_from_slice(bounds.and_then(|(begin, end)| content.get(begin..end)).unwrap_or_default());
        }
        Piece::Added(bytes) => wire.extend_from_slice(bytes),
    };
    let encoded = encoder.encode(content, usize::MAX, &mut put).and_then(|_| encoder.finish(&mut put));
    encoded.map_err(|bare| PyValueError::new_err(bare.to_string()))?;
    Ok(PyBytes::new(py, &wire))
}
