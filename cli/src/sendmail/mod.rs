//! `okuru sendmail`: what programs call to send mail, as sendmail(1) of other mail systems. It hands each message on at once; there is no
//! queue.

mod addresses;
mod caller;
mod header;
pub(crate) mod help;
mod options;
mod pipes;
mod post;
mod session;
mod settings;
mod spool;
mod transcript;
mod verdict;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;

use okuru::{Envelope, Error, ErrorCode, MailParameters, RcptParameters, Recipient};

use self::header::Draft;
use self::options::{Mode, Options};
use self::post::Post;
use self::spool::Spool;
use crate::exit::{Exit, Failure};
use crate::report::print;

/// A call of this program as one of those that every mail system has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Sendmail(Vec<String>),
    Mailq,
    Newaliases,
}

impl Call {
    /// What the name says under which the program was called, or else its first argument.
    pub(crate) fn of(arguments: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut arguments = arguments.into_iter();
        let program = arguments.next()?;
        // What is not UTF-8 is no address; where it is a path, there is no such file then.
        let mut arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
        match Path::new(&program).file_name()?.to_str()? {
            "sendmail" => Some(Self::Sendmail(arguments.collect())),
            "mailq" => Some(Self::Mailq),
            "newaliases" => Some(Self::Newaliases),
            _ if arguments.next()? == "sendmail" => Some(Self::Sendmail(arguments.collect())),
            _ => None,
        }
    }
}

/// Does what sendmail(1) does.
pub(crate) fn run(call: Call) -> Result<Exit, Failure> {
    let options = match call {
        Call::Sendmail(arguments) => Options::parse(&arguments)?,
        Call::Mailq => Options { mode: Mode::ListQueue, ..Options::default() },
        Call::Newaliases => Options { mode: Mode::MakeAliases, ..Options::default() },
    };
    match options.mode {
        Mode::Deliver => deliver(&options),
        Mode::Session => session::run(&options),
        // In the words that programs look for.
        Mode::ListQueue => print(b"Mail queue is empty\n").map(|()| Exit::Success),
        // There is nothing to do.
        Mode::RunQueue | Mode::MakeAliases => Ok(Exit::Success),
        Mode::Help => print(help::text().as_bytes()).map(|()| Exit::Success),
        Mode::Version => print(concat!("okuru ", env!("CARGO_PKG_VERSION"), "\n").as_bytes()).map(|()| Exit::Success),
    }
}

/// Sends the message on standard input.
fn deliver(options: &Options) -> Result<Exit, Failure> {
    let post = Post::open(options)?;
    let addresses = post.addresses();
    let mut recipients = Vec::new();
    for list in &options.recipients {
        recipients.extend(addresses.list(list).map_err(|error| usage_of(&error, "as a recipient"))?);
    }
    let reverse_path = match &options.sender {
        Some(sender) => settings::sender(sender, addresses).map_err(|error| usage_of(&error, "behind -f"))?,
        None => post.usual_sender().clone(),
    };
    let mut spool = Spool::default();
    spool.fill(io::stdin().lock(), options.ignores_dots)?;
    let (front, whole) = spool.front();
    let draft = Draft::read(front, whole, addresses).map_err(bad_message)?;
    if options.from_header {
        recipients.extend(draft.recipients().map_err(bad_message)?);
    }
    if recipients.is_empty() {
        let what = "the message names no recipients in To, Cc or Bcc, and none were named as arguments";
        return Err(bad_message(Error::new(ErrorCode::MessageNoRecipients, what)));
    }
    let parameters = RcptParameters { notify: options.notify, ..RcptParameters::default() };
    let recipient = |path| Recipient { path, parameters: parameters.clone() };
    let envelope = Envelope {
        reverse_path,
        parameters: MailParameters { ret: options.ret, envid: options.envid.clone(), ..MailParameters::default() },
        recipients: addresses.expand(recipients).into_iter().map(|mailbox| recipient(mailbox.into())).collect(),
    };
    let message = post.message(spool, draft, envelope)?;
    let outcome = post.send(message)?;
    for sentence in verdict::sentences(&outcome) {
        // Nobody is left to tell, should standard error be closed.
        let _ = writeln!(io::stderr(), "okuru: {sentence}");
    }
    Ok(verdict::exit(&outcome))
}

fn usage_of(error: &Error, place: &str) -> Failure {
    Failure { error: Error::new(error.code(), format!("{place}, {}", error.what())), exit: Exit::Usage }
}

fn bad_message(error: Error) -> Failure {
    Failure { error, exit: Exit::BadMessage }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_what_is_called() {
        let call = |words: &[&str]| Call::of(words.iter().map(OsString::from));
        let sendmail = |words: &[&str]| Some(Call::Sendmail(words.iter().map(|&word| word.to_owned()).collect()));
        assert_eq!(call(&["/usr/sbin/sendmail", "-t"]), sendmail(&["-t"]));
        assert_eq!(call(&["sendmail"]), sendmail(&[]));
        assert_eq!(call(&["okuru", "sendmail", "-t", "--", "bob"]), sendmail(&["-t", "--", "bob"]));
        assert_eq!(call(&["mailq", "-x"]), Some(Call::Mailq));
        assert_eq!(call(&["/usr/bin/newaliases"]), Some(Call::Newaliases));
        assert_eq!(call(&["sendmail", "sendmail"]), sendmail(&["sendmail"]));
        for words in [&[][..], &["okuru"], &["okuru", "send", "sendmail"], &["okuru", "-v", "sendmail"]] {
            assert_eq!(call(words), None, "{words:?}");
        }
    }
}
