//! From whom and to whom: what the command line says of it, and the message where it doesn't.

use std::sync::Arc;

use okuru_core::client::{Envelope, Recipient};
use okuru_core::syntax::{ForwardPath, Header, MailParameters, Mailbox, Parameter, RcptParameters, ReversePath};
use okuru_core::{Error, ErrorCode};

use crate::arguments::EnvelopeArguments;
use crate::exit::{Failure, usage};

/// What the command line says of the envelope.
#[derive(Debug)]
pub(crate) struct Addressing {
    from: Option<ReversePath>,
    to: Vec<Recipient>,
    parameters: MailParameters,
    rcpt_parameters: RcptParameters,
    /// The same for every message, where the command line says it all.
    shared: Option<Arc<Envelope>>,
    keeps_bcc: bool,
}

impl Addressing {
    pub(crate) fn new(arguments: &EnvelopeArguments) -> Result<Self, Failure> {
        let rcpt_parameters = RcptParameters {
            notify: arguments.notify.as_deref().map(str::parse).transpose().map_err(in_option("--notify"))?,
            ..RcptParameters::default()
        };
        let recipient = |path: ForwardPath| Recipient { path, parameters: rcpt_parameters.clone() };
        let to = arguments.to.iter().map(|text| forward_path(text).map(recipient).map_err(in_option("--to")));
        let to: Vec<_> = to.collect::<Result<_, _>>()?;
        let from = arguments.from.as_deref().map(reverse_path).transpose().map_err(in_option("--from"))?;
        let parameters = mail_parameters(arguments)?;
        let shared = match &from {
            Some(from) if !to.is_empty() => Some(Arc::new(Envelope {
                reverse_path: from.clone(),
                parameters: parameters.clone(),
                recipients: to.clone(),
            })),
            _ => None,
        };
        Ok(Self { from, to, parameters, rcpt_parameters, shared, keeps_bcc: arguments.keep_bcc })
    }

    /// Whether Bcc goes out.
    pub(crate) fn keeps_bcc(&self) -> bool {
        self.keeps_bcc
    }

    /// The envelope of a message with this header.
    pub(crate) fn envelope(&self, header: Header<'_>) -> Result<Arc<Envelope>, Error> {
        if let Some(envelope) = &self.shared {
            return Ok(Arc::clone(envelope));
        }
        let reverse_path = match &self.from {
            Some(from) => from.clone(),
            None => header.sender()?.ok_or_else(no_sender)?.into(),
        };
        let recipients = match self.to.is_empty() {
            false => self.to.clone(),
            true => header.recipients()?.into_iter().map(|mailbox| self.recipient(mailbox)).collect(),
        };
        if recipients.is_empty() {
            let what = "the message names no recipients in To, Cc or Bcc, and --to was not given";
            return Err(Error::new(ErrorCode::MessageNoRecipients, what));
        }
        Ok(Arc::new(Envelope { reverse_path, parameters: self.parameters.clone(), recipients }))
    }

    fn recipient(&self, mailbox: Mailbox) -> Recipient {
        Recipient { path: mailbox.into(), parameters: self.rcpt_parameters.clone() }
    }
}

fn no_sender() -> Error {
    Error::new(ErrorCode::MessageNoSender, "the message names no sender, and --from was not given")
}

fn mail_parameters(arguments: &EnvelopeArguments) -> Result<MailParameters, Failure> {
    let mut parameters = MailParameters {
        ret: arguments.ret.map(Into::into),
        envid: arguments.envid.as_deref().map(str::parse).transpose().map_err(in_option("--envid"))?,
        ..MailParameters::default()
    };
    for text in &arguments.param {
        let parameter: Parameter = text.parse().map_err(in_option("--param"))?;
        match parameter.keyword() {
            "BODY" => return Err(usage("--param: BODY has an option of its own, --body")),
            "SMTPUTF8" => return Err(usage("--param: SMTPUTF8 has an option of its own, --smtputf8")),
            "SIZE" => return Err(usage("--param: SIZE is counted and declared without being asked for")),
            _ => parameters.add(parameter).map_err(in_option("--param"))?,
        }
    }
    Ok(parameters)
}

/// A mailbox, with angle brackets or without; nobody is `<>` or nothing at all.
fn reverse_path(text: &str) -> Result<ReversePath, Error> {
    match text {
        "" => Ok(ReversePath::Null),
        path if path.starts_with('<') => path.parse(),
        mailbox => mailbox.parse::<Mailbox>().map(Into::into),
    }
}

/// A mailbox, with angle brackets or without, or Postmaster.
fn forward_path(text: &str) -> Result<ForwardPath, Error> {
    match text {
        path if path.starts_with('<') => path.parse(),
        name if name.eq_ignore_ascii_case("postmaster") => Ok(ForwardPath::Postmaster),
        mailbox => mailbox.parse::<Mailbox>().map(Into::into),
    }
}

/// Says in which option it was.
pub(crate) fn in_option(option: &'static str) -> impl Fn(Error) -> Failure {
    move |error| Error::new(error.code(), format!("{option}: {}", error.what())).into()
}
