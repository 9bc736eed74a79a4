//! `okuru._okuru`: the machines of okuru for Python, and nothing else: no thread, no socket, no runtime.
//!
//! Times are whole nanoseconds on any monotonic clock, since a float would lose some of them.

mod catalogue;
mod connection;
mod dotted;
mod mailer;
mod message;
mod outcome;
mod pop3;
mod reply;
mod reply_reader;
mod sasl;
mod session;
mod sink;
mod sink_session;
mod step;
mod value;

use pyo3::prelude::*;

#[pymodule]
mod _okuru {
    #[pymodule_export]
    use crate::connection::Connection;
    #[pymodule_export]
    use crate::dotted::dotted;
    #[pymodule_export]
    use crate::mailer::Mailer;
    #[pymodule_export]
    use crate::message::{Message, Recipient, without_bcc};
    #[pymodule_export]
    use crate::outcome::{Outcome, RecipientOutcome};
    #[pymodule_export]
    use crate::pop3::Pop3Connection;
    #[pymodule_export]
    use crate::reply::Reply;
    #[pymodule_export]
    use crate::reply_reader::{ReplyReader, offered};
    #[pymodule_export]
    use crate::sasl::{SaslClient, usable_mechanisms};
    #[pymodule_export]
    use crate::session::Session;
    #[pymodule_export]
    use crate::sink::Receiver;
    #[pymodule_export]
    use crate::sink_session::SinkSession;

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("CODES", crate::catalogue::codes())
    }
}
