use alloc::vec::Vec;

use super::parameter::{push, set};
use super::{Notify, OriginalRecipient, Parameter};
use crate::Error;

/// The parameters of RCPT (RFC 5321 section 4.1.1.3). The default is none.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RcptParameters {
    /// NOTIFY (RFC 3461).
    pub notify: Option<Notify>,
    /// ORCPT (RFC 3461).
    pub orcpt: Option<OriginalRecipient>,
    /// Those that have no field here. [`RcptParameters::add`] keeps each keyword to one.
    pub other: Vec<Parameter>,
}

impl RcptParameters {
    /// Sets the field that `parameter` stands for, or puts it among the others.
    ///
    /// # Errors
    ///
    /// `usage` if the parameter can't have that value, or is there already.
    pub fn add(&mut self, parameter: Parameter) -> Result<(), Error> {
        match parameter.keyword() {
            "NOTIFY" => set(&mut self.notify, &parameter, |value| value.parse().ok()),
            "ORCPT" => set(&mut self.orcpt, &parameter, |value| OriginalRecipient::decode(value).ok()),
            _ => push(&mut self.other, parameter),
        }
    }

    /// Appends each parameter behind a space; nothing if there are none.
    pub fn encode(&self, out: &mut Vec<u8>) {
        if let Some(notify) = self.notify {
            out.extend_from_slice(b" NOTIFY=");
            out.extend_from_slice(notify.as_str().as_bytes());
        }
        if let Some(orcpt) = &self.orcpt {
            out.extend_from_slice(b" ORCPT=");
            orcpt.encode(out);
        }
        for parameter in &self.other {
            parameter.encode(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;
    use crate::syntax::parameter::parse_each;

    fn parse(text: &str) -> Result<RcptParameters, Error> {
        let mut parameters = RcptParameters::default();
        parse_each(text, |parameter| parameters.add(parameter))?;
        Ok(parameters)
    }

    #[test]
    fn each_there_and_back() {
        for text in [
            "",
            " NOTIFY=NEVER",
            " NOTIFY=SUCCESS,FAILURE,DELAY",
            " ORCPT=rfc822;a+2Bb@example.com",
            " ORCPT=utf-8;jos\\x{E9}@example.com",
            " NOTIFY=DELAY ORCPT=rfc822;a@b X-A=b X-C",
        ] {
            let parameters = parse(text).unwrap();
            let mut out = Vec::new();
            parameters.encode(&mut out);
            assert_eq!(out, text.as_bytes());
            assert_eq!(parameters == RcptParameters::default(), text.is_empty());
        }
    }

    #[test]
    fn what_they_can_not_be() {
        for text in [
            "NOTIFY",
            "NOTIFY=",
            "NOTIFY=NEVER,DELAY",
            "ORCPT",
            "ORCPT=a@b",
            "ORCPT=rfc822;+0D+0A",
            "NOTIFY=NEVER NOTIFY=NEVER",
            "X X",
            "ORCPT=rfc822;a b=",
            "X=1\nRSET",
        ] {
            assert_eq!(parse(text).map_err(|error| error.code()), Err(ErrorCode::Usage), "{text:?}");
        }
    }
}
