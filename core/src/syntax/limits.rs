use super::decimal;

/// How much a server takes in one session or transaction (RFC 9422); `None` where it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Limits {
    /// RCPTMAX: recipients in a transaction.
    pub rcpt_max: Option<u32>,
    /// MAILMAX: transactions in a session.
    pub mail_max: Option<u32>,
    /// RCPTDOMAINMAX: different domains among the recipients of a session.
    pub rcpt_domain_max: Option<u32>,
}

impl Limits {
    // RFC 9422 sections 3 and 4
    //
    //   limits-param     = limit-name "=" limit-value
    //   rcptmax-value    = %x31-39 0*5DIGIT

    /// Reads the words behind LIMITS. Names that nobody knows, zero and what is no number are passed over.
    pub(super) fn read(&mut self, parameters: &str) {
        for word in parameters.split_whitespace() {
            let Some((name, value)) = word.split_once('=') else { continue };
            let Some(value) = decimal::parse(value).filter(|value| *value > 0) else { continue };
            let value = Some(u32::try_from(value).unwrap_or(u32::MAX));
            if name.eq_ignore_ascii_case("RCPTMAX") {
                self.rcpt_max = value;
            } else if name.eq_ignore_ascii_case("MAILMAX") {
                self.mail_max = value;
            } else if name.eq_ignore_ascii_case("RCPTDOMAINMAX") {
                self.rcpt_domain_max = value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for (parameters, limits) in [
            ("", (None, None, None)),
            ("RCPTMAX=20 MAILMAX=5 RCPTDOMAINMAX=1", (Some(20), Some(5), Some(1))),
            ("rcptmax=20 XMAX=7 mailmax", (Some(20), None, None)),
            ("RCPTMAX=0 MAILMAX=x RCPTDOMAINMAX=", (None, None, None)),
            ("RCPTMAX=99999999999999999999999", (Some(u32::MAX), None, None)),
        ] {
            let mut read = Limits::default();
            read.read(parameters);
            assert_eq!((read.rcpt_max, read.mail_max, read.rcpt_domain_max), limits, "{parameters}");
        }
    }
}
