//! A message as Python has it: an envelope, and a content that is there or comes in chunks.

use std::sync::Arc;
use std::time::Duration;

use okuru_core::client::{self, Body, Envelope};
use okuru_core::options::{MessageOptions, Value};
use okuru_core::syntax::{Header, Inspection};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::catalogue::raised;
use crate::value;

/// A recipient with parameters of its own (RFC 3461).
///
/// `notify` is `never`, or some of `success`, `failure` and `delay` with commas; `orcpt` is the original recipient, with its
/// type before a semicolon if that is not `rfc822`; `param` are other parameters of RCPT.
#[pyclass(frozen, eq, module = "okuru._okuru")]
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Recipient {
    address: String,
    notify: Option<String>,
    orcpt: Option<String>,
    param: Vec<String>,
}

#[pymethods]
impl Recipient {
    #[new]
    #[pyo3(signature = (address, *, notify=None, orcpt=None, param=None))]
    fn new(
        py: Python<'_>,
        address: String,
        notify: Option<String>,
        orcpt: Option<String>,
        param: Option<Vec<String>>,
    ) -> PyResult<Self> {
        let recipient = Self { address, notify, orcpt, param: param.unwrap_or_default() };
        recipient.for_core(&MessageOptions::default()).map_err(|error| raised(py, &error))?;
        Ok(recipient)
    }

    /// Who.
    #[getter]
    fn address(&self) -> &str {
        &self.address
    }

    /// When to be told of this recipient.
    #[getter]
    fn notify(&self) -> Option<&str> {
        self.notify.as_deref()
    }

    /// Who it was at first.
    #[getter]
    fn orcpt(&self) -> Option<&str> {
        self.orcpt.as_deref()
    }

    fn __repr__(&self) -> String {
        format!("<Recipient {}>", self.address)
    }

    fn __hash__(&self) -> u64 {
        self.address.len() as u64
    }
}

impl Recipient {
    fn for_core(&self, options: &MessageOptions) -> Result<client::Recipient, okuru_core::Error> {
        let mut recipient = options.recipient(&self.address, self.notify.as_deref(), self.orcpt.as_deref())?;
        for parameter in &self.param {
            recipient.parameters.add(parameter.parse()?)?;
        }
        Ok(recipient)
    }
}

/// A message: what is sent, from whom and to whom.
///
/// `content` is bytes, or an object whose chunks are asked for: see `okuru._content`. Without a sender or recipients these are
/// what the header says. Options go before those of the client.
#[pyclass(frozen, module = "okuru._okuru")]
pub(crate) struct Message {
    content: Content,
    sender: Option<String>,
    recipients: Vec<Recipient>,
    /// Where no header is looked at for a stream.
    header: Option<Vec<u8>>,
    changes: Vec<(String, Value)>,
    /// As it is where a mailer says nothing of messages.
    usual: Prepared,
}

enum Content {
    Held(Py<PyBytes>),
    Source { source: Py<PyAny>, size: Option<u64>, rewindable: bool },
}

/// All that is known before it is submitted.
pub(crate) struct Prepared {
    options: MessageOptions,
    envelope: Arc<Envelope>,
    body: Body,
}

/// What is larger is looked at only as it is sent: a look takes a millisecond for some megabytes.
const MOST_INSPECTED: usize = 8 << 20;

#[pymethods]
impl Message {
    #[new]
    #[pyo3(signature = (content, *, sender=None, recipients=None, size=None, rewindable=false, header=None, **options))]
    fn new(
        content: &Bound<'_, PyAny>,
        sender: Option<String>,
        recipients: Option<&Bound<'_, PyAny>>,
        size: Option<u64>,
        rewindable: bool,
        header: Option<Vec<u8>>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let py = content.py();
        let changes = value::options(options)?;
        let usual = match changes.is_empty() {
            true => MessageOptions::default(),
            false => MessageOptions::default().with(changes.iter().cloned()).map_err(|error| raised(py, &error))?,
        };
        let recipients = recipients.map(named).transpose()?.unwrap_or_default();
        let content = match content.cast::<PyBytes>() {
            Ok(bytes) => Content::Held(bytes.clone().unbind()),
            Err(_) => Content::Source { source: content.clone().unbind(), size, rewindable },
        };
        let bytes = match &content {
            Content::Held(bytes) => bytes.as_bytes(py),
            Content::Source { .. } => header.as_deref().unwrap_or_default(),
        };
        let fields = Header::of(bytes);
        let envelope = envelope(&usual, sender.as_deref(), &recipients, fields).map_err(|error| raised(py, &error))?;
        let shorter = if usual.hides_bcc() { shorter(bytes, fields) } else { None };
        let content = match (content, shorter) {
            (Content::Held(_), Some(bytes)) => Content::Held(PyBytes::new(py, &bytes).unbind()),
            (as_it_is, _) => as_it_is,
        };
        let body = match &content {
            Content::Held(bytes) => {
                let bytes = bytes.as_bytes(py);
                if bytes.len() > MOST_INSPECTED {
                    Body::Stream { size: Some(bytes.len() as u64), rewindable: true }
                } else {
                    Body::Whole(Inspection::of(bytes))
                }
            }
            Content::Source { size, rewindable, .. } => Body::Stream { size: *size, rewindable: *rewindable },
        };
        let header = header.filter(|_| matches!(content, Content::Source { .. }));
        Ok(Self { content, sender, recipients, header, changes, usual: Prepared { options: usual, envelope, body } })
    }

    /// Where notices of failure go; empty for nobody.
    #[getter]
    fn sender(&self) -> String {
        self.usual.envelope.reverse_path.to_string().trim_matches(['<', '>']).to_owned()
    }

    /// To whom.
    #[getter]
    fn recipients(&self) -> Vec<String> {
        let recipients = self.usual.envelope.recipients.iter();
        recipients.map(|recipient| recipient.path.as_str().trim_matches(['<', '>']).to_owned()).collect()
    }

    fn __repr__(&self) -> String {
        format!("<Message from {} to {}>", self.sender(), self.recipients().join(", "))
    }
}

impl Message {
    /// What a mailer submits at `now`. `base` is what the mailer says of all messages, if it says anything.
    pub(crate) fn for_core(
        &self,
        py: Python<'_>,
        base: Option<&MessageOptions>,
        now: Duration,
    ) -> Result<client::Message, okuru_core::Error> {
        let Some(base) = base else {
            let Prepared { options, envelope, body } = &self.usual;
            return Ok(options.message(now, Arc::clone(envelope), *body));
        };
        let options = base.with(self.changes.iter().cloned())?;
        let bytes = match &self.content {
            Content::Held(bytes) => bytes.as_bytes(py),
            Content::Source { .. } => self.header.as_deref().unwrap_or_default(),
        };
        let to = match self.recipients.is_empty() {
            // Bcc is no longer in there.
            true => Arc::clone(&self.usual.envelope),
            false => envelope(&options, self.sender.as_deref(), &self.recipients, Header::of(bytes))?,
        };
        Ok(options.message(now, to, self.usual.body))
    }

    /// The content, if it is there.
    pub(crate) fn held(&self, py: Python<'_>) -> Option<PyBackedBytes> {
        match &self.content {
            Content::Held(bytes) => Some(bytes.bind(py).clone().into()),
            Content::Source { .. } => None,
        }
    }

    /// What its chunks or ranges are taken from.
    pub(crate) fn source(&self, py: Python<'_>) -> Py<PyAny> {
        match &self.content {
            Content::Held(bytes) => bytes.clone_ref(py).into_any(),
            Content::Source { source, .. } => source.clone_ref(py),
        }
    }
}

/// The beginning of a message without its Bcc fields, and how many octets of `beginning` it stands for: its header. The same
/// for a header that does not end there: nothing is cut out then.
#[pyfunction]
pub(crate) fn without_bcc<'py>(py: Python<'py>, beginning: &[u8]) -> (Bound<'py, PyBytes>, usize) {
    let header = Header::of(beginning);
    let kept = kept(header);
    (PyBytes::new(py, &kept), header.as_bytes().len())
}

fn kept(header: Header<'_>) -> Vec<u8> {
    let mut kept = header.as_bytes().to_vec();
    for hidden in header.blind_copies().collect::<Vec<_>>().into_iter().rev() {
        kept.drain(hidden);
    }
    kept
}

/// The content without Bcc, if it has any.
fn shorter(content: &[u8], header: Header<'_>) -> Option<Vec<u8>> {
    header.blind_copies().next()?;
    let mut whole = kept(header);
    whole.extend_from_slice(content.get(header.as_bytes().len()..).unwrap_or_default());
    Some(whole)
}

fn envelope(
    options: &MessageOptions,
    sender: Option<&str>,
    recipients: &[Recipient],
    header: Header<'_>,
) -> Result<Arc<Envelope>, okuru_core::Error> {
    let recipients = recipients.iter().map(|recipient| recipient.for_core(options)).collect::<Result<_, _>>()?;
    options.envelope(sender, recipients, header)
}

/// One recipient or several, each an address or a `Recipient`.
fn named(given: &Bound<'_, PyAny>) -> PyResult<Vec<Recipient>> {
    if let Some(recipient) = one(given)? {
        return Ok(vec![recipient]);
    }
    let wanted = || pyo3::exceptions::PyTypeError::new_err("a recipient is a str or an okuru.Recipient");
    given.try_iter()?.map(|each| one(&each?)?.ok_or_else(wanted)).collect()
}

fn one(given: &Bound<'_, PyAny>) -> PyResult<Option<Recipient>> {
    if let Ok(address) = given.cast::<PyString>() {
        let address = address.to_cow()?.into_owned();
        return Ok(Some(Recipient { address, notify: None, orcpt: None, param: Vec::new() }));
    }
    Ok(given.cast::<Recipient>().ok().map(|recipient| recipient.get().clone()))
}
