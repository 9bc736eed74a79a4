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
better give the password by OKURU_PASSWORD or --password-file.

Several servers, --direct and what goes with it make a mailer of it: many connections, the next server where one fails, rates, \
retries. Outcomes then come in no order.";

/// At the end of its help.
pub(crate) const SEND_END: &str = concat!(
    "\
Examples:
  okuru send --server smtp://me@mail.example.com --password-file pw a.eml
  make-report | okuru send --server smtp://relay.example.com:25
  okuru send --server lmtp:///run/lmtp --from '<>' --to u@example.com *.eml
  okuru send --server smtp://localhost:2525 --tls none --repeat 1000 a.eml
  okuru send --direct --connections 50 --rate 100/s --retry-for 4h *.eml
  okuru send --direct-then-relay smtp://me@mail.example.com --resume state *.eml

With --resume, what was accepted or rejected before is not sent again; what was
on its way when the program ended is unknown, told so once, and not sent again;
all else is sent. The files must not change in the meantime.

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

/// What `okuru route` does.
pub(crate) const ROUTE: &str = "\
Tell where mail for an address goes, and why: to the servers that its domain names by MX records, to its own addresses where it names \
none, or nowhere.

The exit status is the first of these that applies to any address: 68 if there is no such domain, 75 if nobody knows for now, 64 if \
it is no address, 69 if it takes no mail, if mail would come back to us or if no server can be used, 0 if there are servers.";

/// At the end of its help.
pub(crate) const ROUTE_END: &str = "\
Examples:
  okuru route bob@example.org
  okuru route bob@example.org --dns 127.0.0.1:53 --ehlo mx.example.net --json

Each line of --json has these keys:
  address    as it was given
  verdict    hosts, null_mx, no_such_domain, temporary, loop or invalid
  hosts      each with name, preference (null without MX records), addresses,
             the first to be tried first
  enhanced   the status code of a notification, null if there are hosts
  reason     why";

/// What `okuru spf` does.
pub(crate) const SPF: &str = "\
Tell who may send mail in the name of a domain (SPF, RFC 7208): what each term of its record means and of those that it names, how many \
look-ups they take, and what is wrong with them. With --check, tell whether a client may, and why, step by step.

The exit status of an explanation is 65 if something is an error, else 0; of a check 69 for fail, 75 for temperror, 65 for permerror, \
else 0.";

/// At the end of its help.
pub(crate) const SPF_END: &str = "\
Examples:
  okuru spf example.org
  okuru spf --check 192.0.2.1 ann@example.org mx.example.org --json
  okuru spf --check 2001:db8::1 '<>' mx.example.org --dns 127.0.0.1:53

The object of --check --json has these keys; one without a value is null:
  result        none, neutral, pass, fail, softfail, temperror or permerror
  reason        why
  explanation   of a fail, the words of the domain
  mechanism     the term that decided
  lookups       terms with look-ups that were judged; 10 are allowed
  void_lookups  those of them that found nothing; 2 are allowed
  queries       questions to the DNS
  trace         each step: depth, domain, term, matched, reason, looked_up
                (each with name, kind, found)

That of DOMAIN --json has these:
  domain, lookups, void_lookups
  records       each with depth, domain, record, terms (each with term,
                meaning, lookups)
  remarks       each with severity (error, warning, advice), domain, text";

/// At the end of the help of `okuru dkim`.
pub(crate) const DKIM_END: &str = "\
Examples:
  okuru dkim record --key key.pem
  okuru dkim sign --selector s1 --domain example.org --key key.pem < a.eml
  okuru dkim verify --json < a.eml

The object of verify --json has the keys result (none, pass, fail, policy,
neutral, temperror, permerror) and signatures, each with result, reason,
domain, selector, algorithm, test. The exit status is 0 if one of them passes,
75 for temperror, else 69.";

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

/// What `okuru sink` does.
pub(crate) const SINK: &str = "\
Take messages, and show what came: a server to develop against.

Nothing is sent on. Each message is told by a line on standard output, and stays in memory, of the last thousand and 64 MB, or goes \
into a Maildir or an mbox file. A message that was answered by 250 is on the disc then, whole. The first line says which port it is.

SIGTERM and SIGINT end it: transactions that are under way come to their end, within 10 seconds.";

/// At the end of its help.
pub(crate) const SINK_END: &str = "\
Faults, each as often as it is given; :EVERY is every which time (default 1):
  refuse[@STAGE]          5yz (at rcpt)
  defer[@STAGE]           4yz (at rcpt)
  421[@STAGE]             421, and the connection closes (at mail)
  close[@STAGE]           the connection closes without a word (at content)
  delay[=SECONDS][@STAGE] the reply comes late (2 seconds, at content)
  greylist[=SECONDS]      who writes to somebody for the first time is deferred,
                          and until so much time has passed (0 seconds)
  some-recipients[@STAGE] every second recipient is refused (at rcpt; at content
                          with --lmtp)
  too-many-recipients[=N] those beyond the first N are deferred by a 452 (1)
  over-quota[@STAGE]      452, the mailbox is full (at rcpt, or at content)
  lose-reply              the message is stored, and the connection closes
  dribble[=SECONDS]       what we say comes octet by octet (0.05 seconds each)
  drop-starttls           STARTTLS is not offered, whatever --tls says
  inject-before-tls       a reply in clear stands behind the one to STARTTLS
  wrong-certificate       the certificate is for wrong.invalid
STAGE is connect, ehlo, starttls, auth, mail, rcpt, data, content or quit. The
last four faults count connections, greylist and the recipients' ones count
recipients, all others how often the stage is reached.

Examples:
  okuru sink --listen 127.0.0.1:0 --json
  okuru sink --tls starttls --user ann:secret --maildir /tmp/mail
  okuru sink --lmtp --listen /tmp/lmtp --domain example.com
  okuru sink --fault defer@mail:3 --fault lose-reply:10

With --json standard error begins with a line of JSON that has the keys event
(listening), urls and ca; each line on standard output is a message, with these
keys; one without a value is null:
  event          message
  number, id     counted from 1, and as the client was told
  time           in seconds since 1970
  session        the number of the connection, from 0
  client, hello  its address, and how it has named itself
  protocol       as in a Received field: ESMTP, ESMTPSA, LMTP, ...
  tls            version, cipher_suite, server_name
  user           who has logged in, by which mechanism
  reverse_path   from whom it comes; empty for a bounce
  parameters     those of MAIL
  recipients     each with address, parameters, ours
  subject, size, eight_bit, sha256
                 of the content, without the dots of the transfer
  stored         the file that it is in";

/// What `okuru demo` does.
pub(crate) const DEMO: &str = "\
Watch three messages travel, on a machine with nothing else: a small server in the same process takes them over STARTTLS and \
SCRAM-SHA-256. The dialogue is shown side by side, and what arrived is compared byte for byte with what was sent.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_fit_in_80_columns() {
        for text in [PROGRAM_END, SEND_END, ROUTE_END, SPF_END, DKIM_END, PROBE_END, SINK_END] {
            assert!(text.lines().all(|line| line.len() <= 80));
        }
    }
}
