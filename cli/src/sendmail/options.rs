//! The options of sendmail(1), as programs write them: letters behind one hyphen, a value joined to its letter or behind it.
//!
//! They end at `--`, or at the first argument that is none. What stands behind is an address, whatever it looks like.

use std::path::PathBuf;
use std::slice;

use okuru::{EnvelopeId, Notify, Ret};

use crate::exit::{Failure, usage};

/// What the command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) mode: Mode,
    /// `-t`: the header names recipients, too.
    pub(crate) from_header: bool,
    /// `-i`: a line with nothing but a dot is a line like any other.
    pub(crate) ignores_dots: bool,
    /// `-f`, `-r`
    pub(crate) sender: Option<String>,
    /// `-F`
    pub(crate) full_name: Option<String>,
    /// `-N`
    pub(crate) notify: Option<Notify>,
    /// `-R`
    pub(crate) ret: Option<Ret>,
    /// `-V`
    pub(crate) envid: Option<EnvelopeId>,
    /// `-B 7BIT`: what is not 7-bit is not to go out. Otherwise it is found out what the message is.
    pub(crate) seven_bit: bool,
    /// `-C`
    pub(crate) configuration: Option<PathBuf>,
    /// `-X`
    pub(crate) transcript: Option<PathBuf>,
    /// `-v`
    pub(crate) verbose: bool,
    /// Each as it was written: a list of addresses.
    pub(crate) recipients: Vec<String>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `-bm`: send the message on standard input.
    #[default]
    Deliver,
    /// `-bs`: speak SMTP on standard input and output.
    Session,
    /// `-bp`: show the queue.
    ListQueue,
    /// `-q`: send what waits in the queue.
    RunQueue,
    /// `-bi`: make the database of aliases.
    MakeAliases,
    /// `--help`
    Help,
    /// `--version`
    Version,
}

/// What a letter stands for.
enum Flag {
    /// This, with no value.
    Alone(fn(&mut Options)),
    /// This, with a value.
    Valued(fn(&mut Options, &str) -> Result<(), Failure>),
    /// This, and the rest of the argument may be a value, which does not count.
    Tailed(fn(&mut Options)),
}

impl Options {
    /// Reads the arguments behind the name of the program.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        loop {
            match arguments.as_slice().first().map(String::as_str) {
                None => break,
                Some("--") => {
                    arguments.next();
                    break;
                }
                Some("--help") => return Ok(Self { mode: Mode::Help, ..Self::default() }),
                Some("--version") => return Ok(Self { mode: Mode::Version, ..Self::default() }),
                Some(letters) if letters.len() > 1 && letters.starts_with('-') => {
                    arguments.next();
                    options.take(letters, &mut arguments)?;
                }
                Some(_) => {
                    check_order(arguments.as_slice())?;
                    break;
                }
            }
        }
        options.recipients.extend(arguments.cloned());
        options.check()?;
        Ok(options)
    }

    /// Takes an argument such as `-t`, `-oi`, `-ti`, `-fann@example.com` or `-f`, whose value is the next one then.
    fn take(&mut self, argument: &str, following: &mut slice::Iter<'_, String>) -> Result<(), Failure> {
        let mut rest = argument.get(1..).unwrap_or_default().chars();
        while let Some(letter) = rest.next() {
            match flag(letter) {
                None if argument.starts_with("--") => return Err(usage(format!("there is no option {argument}"))),
                None => return Err(usage(format!("there is no option -{}", letter.escape_debug()))),
                Some(Flag::Alone(set)) => set(self),
                Some(Flag::Tailed(set)) => {
                    set(self);
                    break;
                }
                Some(Flag::Valued(set)) => {
                    let value = match rest.as_str() {
                        "" => following.next().map(String::as_str),
                        joined => Some(joined),
                    };
                    let value = value.ok_or_else(|| usage(format!("the option -{letter} needs a value")))?;
                    set(self, value)?;
                    break;
                }
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Failure> {
        match self.mode {
            Mode::Deliver if self.recipients.is_empty() && !self.from_header => Err(usage(
                "nobody is named to get the message: name recipients, or use -t, which takes those of the header",
            )),
            Mode::RunQueue if self.from_header || !self.recipients.is_empty() => {
                Err(usage("with -q no message is read, and there is no queue to be run"))
            }
            Mode::Session if self.from_header => Err(usage("with -bs there is no header for -t to read")),
            Mode::Session if !self.recipients.is_empty() => {
                Err(usage("with -bs recipients are named by RCPT, not as arguments"))
            }
            _ => Ok(()),
        }
    }
}

/// Behind the first recipient nothing is an option. What looks like one was meant otherwise, unless it has the form of an address.
fn check_order(recipients: &[String]) -> Result<(), Failure> {
    match recipients.iter().skip(1).find(|argument| argument.starts_with('-') && !argument.contains('@')) {
        Some(late) => Err(usage(format!("{late:?} stands behind a recipient: options come first"))),
        None => Ok(()),
    }
}

fn flag(letter: char) -> Option<Flag> {
    Some(match letter {
        't' => Flag::Alone(|options| options.from_header = true),
        'i' => Flag::Alone(|options| options.ignores_dots = true),
        'v' => Flag::Alone(|options| options.verbose = true),
        'I' => Flag::Alone(|options| options.mode = Mode::MakeAliases),
        'f' | 'r' => Flag::Valued(|options, value| keep(&mut options.sender, value.to_owned())),
        'F' => Flag::Valued(|options, value| keep(&mut options.full_name, value.to_owned())),
        'C' => Flag::Valued(|options, value| keep(&mut options.configuration, value.into())),
        'X' => Flag::Valued(|options, value| keep(&mut options.transcript, value.into())),
        'N' => Flag::Valued(|options, value| keep(&mut options.notify, parsed("-N", value)?)),
        'R' => Flag::Valued(|options, value| keep(&mut options.ret, parsed("-R", value)?)),
        'V' => Flag::Valued(|options, value| keep(&mut options.envid, parsed("-V", value)?)),
        'B' => Flag::Valued(body),
        'b' => Flag::Valued(mode),
        'o' => Flag::Valued(|options, value| {
            match value.chars().next() {
                Some('i') => options.ignores_dots = true,
                Some('v') => options.verbose = true,
                Some('7') => options.seven_bit = true,
                _ => {}
            }
            Ok(())
        }),
        'O' => Flag::Valued(|options, value| {
            // To ignore this one would cut messages short.
            if let Some(("ignoredots", value)) = value.to_ascii_lowercase().split_once('=') {
                options.ignores_dots = value.trim().starts_with(['t', 'y', '1']);
            }
            Ok(())
        }),
        'q' => Flag::Tailed(|options| options.mode = Mode::RunQueue),
        // What is taken and ignored. In their order: hold expensive mail, debugging, gateway, me too, no aliases, verify From,
        // initial submission, AIX's.
        'd' => Flag::Tailed(|_| {}),
        'c' | 'G' | 'm' | 'n' | 's' | 'U' | 'x' => Flag::Alone(|_| {}),
        // Which configuration, what logs, how errors are told, hops, labels, macros, protocol, quarantine.
        'A' | 'D' | 'e' | 'h' | 'L' | 'M' | 'p' | 'Q' => Flag::Valued(|_, _| Ok(())),
        _ => return None,
    })
}

fn keep<T>(place: &mut Option<T>, value: T) -> Result<(), Failure> {
    *place = Some(value);
    Ok(())
}

fn parsed<T: std::str::FromStr<Err = okuru::Error>>(option: &'static str, value: &str) -> Result<T, Failure> {
    value.parse().map_err(crate::envelope::in_option(option))
}

fn body(options: &mut Options, value: &str) -> Result<(), Failure> {
    options.seven_bit = match value.to_ascii_uppercase().as_str() {
        "7BIT" => true,
        "8BITMIME" => false,
        _ => return Err(usage(format!("-B: {value:?} is neither 7BIT nor 8BITMIME"))),
    };
    Ok(())
}

fn mode(options: &mut Options, value: &str) -> Result<(), Failure> {
    options.mode = match value {
        "m" => Mode::Deliver,
        "s" => Mode::Session,
        "p" => Mode::ListQueue,
        "i" => Mode::MakeAliases,
        "d" | "D" | "l" => return Err(usage(format!("-b{value}: this is no daemon"))),
        _ => return Err(usage(format!("-b: there is no mode {value:?}"))),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn parse(line: &[&str]) -> Result<Options, Failure> {
        Options::parse(&line.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
    }

    fn to(recipients: &[&str]) -> Options {
        Options { recipients: recipients.iter().map(|&text| text.to_owned()).collect(), ..Options::default() }
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn as_programs_call_it() {
        let dots = |options| Options { ignores_dots: true, ..options };
        let header = |options| Options { from_header: true, ..options };
        for (line, expected) in [
            // PHP, and what its users add.
            (&["-t", "-i"][..], dots(header(to(&[])))),
            (&["-t", "-i", "-fann@a.test"], Options { sender: some("ann@a.test"), ..dots(header(to(&[]))) }),
            (&["-oi", "-t"], dots(header(to(&[])))),
            (&["-ti"], dots(header(to(&[])))),
            // cron
            (
                &["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"],
                Options { full_name: some("CronDaemon"), ..dots(to(&["root"])) },
            ),
            // git send-email
            (
                &["-f", "ann@a.test", "-i", "bob@b.test", "carl@c.test"],
                Options { sender: some("ann@a.test"), ..dots(to(&["bob@b.test", "carl@c.test"])) },
            ),
            // s-nail, mutt
            (&["-i", "-r", "ann@a.test", "--", "bob"], Options { sender: some("ann@a.test"), ..dots(to(&["bob"])) }),
            (
                &["-oem", "-oi", "-N", "failure,delay", "-R", "hdrs", "--", "bob@b.test"],
                Options {
                    notify: Some(Notify::on(false, true, true)),
                    ret: Some(Ret::Hdrs),
                    ..dots(to(&["bob@b.test"]))
                },
            ),
            // at, and others from BSD
            (&["-odi", "-oem", "-oi", "bob"], dots(to(&["bob"]))),
            (&["-m", "-n", "-U", "-v", "-odb", "-oee", "bob"], Options { verbose: true, ..to(&["bob"]) }),
            // Symfony
            (&["-bs"], Options { mode: Mode::Session, ..to(&[]) }),
        ] {
            assert_eq!(parse(line).unwrap(), expected, "{line:?}");
        }
    }

    #[test]
    fn values_are_joined_or_follow() {
        let bob = || to(&["bob"]);
        for (line, expected) in [
            (&["-f", "", "bob"][..], Options { sender: some(""), ..bob() }),
            (&["-f<>", "bob"], Options { sender: some("<>"), ..bob() }),
            (&["-f", "-x@a.test", "bob"], Options { sender: some("-x@a.test"), ..bob() }),
            (&["-fa", "-rb", "bob"], Options { sender: some("b"), ..bob() }),
            (&["-F", "Ann of A", "bob"], Options { full_name: some("Ann of A"), ..bob() }),
            (&["-FAnn", "bob"], Options { full_name: some("Ann"), ..bob() }),
            (&["-if", "a", "bob"], Options { ignores_dots: true, sender: some("a"), ..bob() }),
            (&["-Nnever", "bob"], Options { notify: Some(Notify::NEVER), ..bob() }),
            (&["-NSUCCESS,failure", "bob"], Options { notify: Some(Notify::on(true, true, false)), ..bob() }),
            (&["-RFULL", "bob"], Options { ret: Some(Ret::Full), ..bob() }),
            (&["-V", "id 1", "bob"], Options { envid: Some("id 1".parse().unwrap()), ..bob() }),
            (&["-B", "7bit", "bob"], Options { seven_bit: true, ..bob() }),
            (&["-B7BIT", "-B8BitMime", "bob"], bob()),
            (&["-C/x.toml", "-X", "/log", "bob"], {
                Options { configuration: Some("/x.toml".into()), transcript: Some("/log".into()), ..bob() }
            }),
            (&["-O", "IgnoreDots=True", "bob"], Options { ignores_dots: true, ..bob() }),
            (&["-i", "-OIgnoreDots=false", "bob"], bob()),
            (&["-bm", "bob"], bob()),
        ] {
            assert_eq!(parse(line).unwrap(), expected, "{line:?}");
        }
    }

    #[test]
    fn what_is_taken_and_ignored() {
        for line in [
            &["-om"][..],
            &["-o", "em"],
            &["-oA/etc/aliases"],
            &["-O", "DeliveryMode=b"],
            &["-ODeliveryMode=b"],
            &["-m"],
            &["-em"],
            &["-e", "m"],
            &["-d"],
            &["-d0.1"],
            &["-h", "5"],
            &["-L", "tag"],
            &["-p", "ESMTP:host"],
            &["-Ac"],
            &["-G", "-c", "-n", "-s", "-x"],
        ] {
            assert_eq!(parse(&[line, &["bob"]].concat()).unwrap(), to(&["bob"]), "{line:?}");
        }
    }

    #[test]
    fn an_address_is_no_option() {
        for (line, recipients) in [
            (&["--", "-t", "-Xfile", "--help"][..], &["-t", "-Xfile", "--help"][..]),
            (&["bob", "-Xfile@a.test"], &["bob", "-Xfile@a.test"]),
            (&["-", "bob"], &["-", "bob"]),
            (&["", "bob"], &["", "bob"]),
        ] {
            assert_eq!(parse(line).unwrap(), to(recipients), "{line:?}");
        }
        let failure = parse(&["bob", "-t"]).unwrap_err();
        assert_eq!(failure.error.what(), r#""-t" stands behind a recipient: options come first"#);
    }

    #[test]
    fn other_modes() {
        for (line, mode) in [
            (&["-bp"][..], Mode::ListQueue),
            (&["-bi"], Mode::MakeAliases),
            (&["-I"], Mode::MakeAliases),
            (&["-q"], Mode::RunQueue),
            (&["-q15m"], Mode::RunQueue),
            (&["--help"], Mode::Help),
            (&["-t", "--version"], Mode::Version),
        ] {
            assert_eq!(parse(line).unwrap().mode, mode, "{line:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (line, what) in [
            (&[][..], "nobody is named to get the message"),
            (&["-i"], "nobody is named to get the message"),
            (&["-t", "-f"], "the option -f needs a value"),
            (&["-k", "bob"], "there is no option -k"),
            (&["-tk"], "there is no option -k"),
            (&["-é", "bob"], "there is no option -é"),
            (&["-\u{7}", "bob"], "there is no option -\\u{7}"),
            (&["--from=a", "bob"], "there is no option --from=a"),
            (&["-B", "BINARYMIME", "bob"], "-B: \"BINARYMIME\" is neither"),
            (&["-N", "sometimes", "bob"], "-N: "),
            (&["-N", "never,success", "bob"], "-N: "),
            (&["-R", "half", "bob"], "-R: "),
            (&["-V", "é", "bob"], "-V: "),
            (&["-bd"], "-bd: this is no daemon"),
            (&["-bv", "bob"], "-b: there is no mode \"v\""),
            (&["-q", "bob"], "with -q no message is read"),
            (&["-bs", "-t"], "with -bs there is no header"),
            (&["-bs", "bob"], "with -bs recipients are named by RCPT"),
        ] {
            let failure = parse(line).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.error.what().starts_with(what), "{line:?}: {}", failure.error);
        }
    }
}
