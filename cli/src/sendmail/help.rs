//! The help of `okuru sendmail`: what other mail systems have as a manual page.

use clap::CommandFactory as _;

use crate::arguments::Arguments;

/// All of it, as wide as the tables in it.
pub(crate) fn text() -> String {
    let mut program = Arguments::command();
    program.build();
    let command = program.find_subcommand("sendmail").cloned().unwrap_or_default();
    command.term_width(80).render_long_help().to_string()
}

/// What it does.
pub(crate) const SENDMAIL: &str = "\
Send the message on standard input, as /usr/sbin/sendmail of any mail system: for cron, PHP, git send-email, mailx and all others that \
call it. Under the name sendmail (a link to this program will do) it is this command; under mailq and newaliases it is sendmail -bp and -bi.

Each message is handed on at once, to the relay that the configuration names. There is no queue: what the relay defers is not kept, \
which is said on standard error and by the exit status 75.

The header is completed: Date, From and Message-ID are added where they are missing, names without a domain get one, Bcc and Return-Path are \
removed. A message may have LF or CR LF as its line ends, and begin with a From line as mailbox files have it.";

/// How it is called.
pub(crate) const USAGE: &str = "okuru sendmail [OPTION]... [--] [RECIPIENT]...";

/// At the end of its help.
pub(crate) const SENDMAIL_END: &str = "\
Options, each with its value joined to it or behind it:
  -t            take the recipients of To, Cc and Bcc, too: they are added to
                those that are named as arguments; of a message that is sent on,
                those of Resent-To, Resent-Cc and Resent-Bcc
  -i, -oi       a line with nothing but a dot does not end the message
  -f, -r ADDR   who sends it, where failures are told; <> or nothing is nobody
                (default: the sender of the configuration, or the calling user)
  -F NAME       the full name for a From that is added (default: NAME of the
                environment, or what the machine knows of the user)
  -N WHEN,...   when to be told of each recipient: never, or success, failure,
                delay (the relay has to offer DSN; so for -R and -V)
  -R PART       how much comes back with a failure: full or hdrs
  -V ID         a name for the message, which notices of it carry
  -B TYPE       7BIT: what is not 7-bit is refused; 8BITMIME: declare 8-bit
                content as such, which is done in any case
  -C FILE       the configuration
  -X FILE       add the dialogue to this file; secrets are hidden
  -v            show the dialogue on standard error
  -bm           send the message on standard input: the default
  -bs           speak SMTP on standard input and output; see below
  -bp           tell that the queue is empty
  -bi, -I, -q   nothing: there are no aliases to be made, and no queue
  -A -D -e -h -L -M -O -o -p -Q with a value, -c -d -G -m -n -s -U -x
                are taken and ignored
Options end at -- and at the first recipient. What stands behind is an address,
also if it begins with a hyphen.

A recipient is a list of addresses as in a header. A name without a domain is
one of this host: its alias, or else the name at the domain.

With -bs each message is answered after the relay has answered it: by 250 if it
was accepted for all recipients, else by a 4yz or 5yz. If the relay refuses one
recipient, the message is sent to none. Where recipients end differently all
the same (by LMTP, or with direct), the reply is 451 unless all others were
rejected for good, then 554, and says who got it. 451 is said too where nobody
knows what became of a message: to send it again may send it twice. The exit
status tells of the dialogue alone, and is 0 whatever became of the messages.

Configuration, the first of these that there is; no other is read:
  -C FILE, or the file that OKURU_SENDMAIL_CONFIG names
  $XDG_CONFIG_HOME/okuru/sendmail.toml, or ~/.config/okuru/sendmail.toml
  /etc/okuru/sendmail.toml

    server = \"smtp://mail.example.com\"
    user = \"me\"
    password-file = \"password\"
    sender = \"me@example.com\"
    domain = \"example.com\"

    [aliases]
    root = \"admin@example.com\"

Keys, as the options of okuru send unless said here:
  server, round-robin, direct, direct-then-relay
                which way mail goes: one of server (a URL, or a list of them:
                the next is used where one fails), direct = true, or
                direct-then-relay = URL
  tls, ca, tls-name, client-cert, client-key, ehlo, proxy, source-address
  user, password-file, token-file, auth, allow-plaintext-auth, pop-before
                (without a file: the password is OKURU_PASSWORD of the
                environment, or in the URL)
  connect-timeout, reply-timeout, deadline
                in seconds
  dns, self-address, mx-port, smtputf8
  all-or-nothing
                send to none where the relay refuses one recipient
  sender        who sends what is sent without -f (default: the calling user
                at the domain)
  domain        for names without one (default: what /etc/mailname says, or
                this host's name)
  aliases       a table: whom mail for a name of this host is for, an address
                or a list of addresses
A relative path is beside the configuration. What holds a password (the file
that is named, or the configuration if a URL does) must not be open to
everybody: chmod o-rwx.

Exit status (sysexits):
   0  accepted by the relay for every recipient
  64  usage; a recipient or sender that is no address
  65  the message is none, or names nobody
  66  standard input can't be read
  67  the relay knows no such mailbox (5.1.1, 5.1.3, 5.1.6)
  68  there is no such domain, or it takes no mail; the relay does not exist
  69  rejected for any other reason
  70  this program has failed
  71  this machine has failed
  73  the file of -X can't be written
  74  in doubt: no reply came, or some got it and others were deferred. To send
      it again may send it twice
  75  deferred: nobody got it, and to send it again is safe
  76  the relay broke the protocol, or TLS is missing or does not verify; with
      -bs, the client did, or left within a message
  77  authentication: refused, not offered, or not safe there
  78  the configuration is missing or wrong
Where recipients were rejected for several reasons, the last in this list of 69,
67, 65, 75, 68, 76, 77, 78, 70 counts. Who got it all the same is said on
standard error.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fits_in_80_columns() {
        let text = text();
        assert!(text.contains("\nUsage: okuru sendmail [OPTION]...") && text.contains(SENDMAIL_END));
        for line in text.lines() {
            assert!(line.len() <= 80, "{line}");
        }
    }
}
