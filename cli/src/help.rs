//! The longer texts of the help.

/// What stands at the end of the help, so that it need not be looked for.
macro_rules! exit_status {
    () => {
        "\
Exit status (sysexits), the first that applies:
  77  authentication: refused, not offered, or not safe here
  76  the server broke the protocol, or TLS is missing or does not verify
  68  the host of the URL does not exist
  75  something was deferred, or nobody knows what became of it
  64  usage
  65  a message can't be sent as it is, or can't be read
  69  something was rejected
   0  everything was accepted"
    };
}

/// At the end of `okuru --help`.
pub(crate) const PROGRAM_END: &str = concat!(
    exit_status!(),
    "

Environment:
  OKURU_SERVER    the URL of the server, for okuru send
  OKURU_PASSWORD  the password of --user, or of the user in the URL"
);

/// What `okuru send` does.
pub(crate) const SEND: &str = "\
Send messages, each an RFC 5322 file: header, empty line, body.

Without --from and --to, the message itself says from whom and to whom it goes: Sender or From, and To, Cc and Bcc; of one that was \
sent on, the Resent fields of the last time. Bcc is removed from what is sent. All else goes out byte for byte, but for \
lines that don't end in CR LF. Large files are streamed and never held in memory.

The URL says how the server is reached:
  smtp://HOST[:587]    STARTTLS, required and verified
  smtps://HOST[:465]   TLS from the first byte
  lmtp://HOST[:24]     LMTP
  lmtp:///PATH         LMTP over a Unix socket
USER:PASSWORD@ before the host is taken as is usual in URLs, but whoever lists this machine's processes sees it; \
better give the password by OKURU_PASSWORD or --password-file.";

/// At the end of its help.
pub(crate) const SEND_END: &str = concat!(
    "\
Examples:
  okuru send --server smtp://me@mail.example.com --password-file pw a.eml
  make-report | okuru send --server smtp://relay.example.com:25
  okuru send --server lmtp:///run/lmtp --from '<>' --to u@example.com *.eml
  okuru send --server smtp://localhost:2525 --tls none --repeat 1000 a.eml

Each line of --json has these keys; one without a value is null:
  message      the number of the message, from 0
  file         where it comes from
  outcome      accepted, partial, deferred (a retry is safe), rejected (a
               retry is useless) or unknown (a retry may send it twice)
  recipients   each with address, outcome, code, enhanced, text, error
  reply        the reply that decided, with code, enhanced, text
  queue_id     the server's own name for the message
  error        what stopped the message, with code and message
  round_trips  how often the server had to be waited for

",
    exit_status!()
);

/// What `okuru probe` does.
pub(crate) const PROBE: &str = "\
Tell what a server offers, before and after TLS, which certificate it shows and whether that verifies, and how one can log in. \
Nothing is sent, and nobody logs in.

The exit status is 0 if the server can be used as the URL says, with verified TLS where that means TLS.";

/// At the end of its help.
pub(crate) const PROBE_END: &str = concat!(
    "\
Examples:
  okuru probe smtp://mail.example.com
  okuru probe smtp://mx.example.com:25 --json
  okuru probe smtps://mail.example.com --ca our-ca.pem

",
    exit_status!()
);

/// What `okuru demo` does.
pub(crate) const DEMO: &str = "\
Watch three messages travel, on a machine with nothing else: a small server in the same process takes them over STARTTLS and \
SCRAM-SHA-256. The dialogue is shown side by side, and what arrived is compared byte for byte with what was sent.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_fit_in_80_columns() {
        for text in [PROGRAM_END, SEND_END, PROBE_END] {
            assert!(text.lines().all(|line| line.len() <= 80));
        }
    }
}
