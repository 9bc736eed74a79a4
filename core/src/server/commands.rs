//! One command after the other.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::answers::{Asked, Carriage};
use super::config::{Offer, Protocol, Tls};
use super::envelope::Recipient;
use super::input::Input;
use super::line::Seen;
use super::offer;
use super::output::{Closed, Output, Question, Trace};
use super::peer::{Hello, HelloCommand};
use super::session::{Phase, Session};
use super::transaction::Transaction;
use super::words::{
    AUTHENTICATE_FIRST, BARE_LINE_END, CANNOT_VERIFY, ENCRYPT_FIRST, FOREIGN, GO_AHEAD, GO_AHEAD_WITH_TLS, GOODBYE,
    HELP, LINE_TOO_LONG, NO_EXPANSION, NO_RECIPIENTS, NOT_ITS_TURN, NOT_THERE, OK, OUT_OF_SEQUENCE, RECIPIENT_OK,
    RELAYING_DENIED, SAY_HELLO_FIRST, SAY_LHLO_FIRST, SAY_QUIT, SENDER_OK, Saying, THIS_IS_LMTP, THIS_IS_SMTP,
    TOO_MANY_DOMAINS, TOO_MANY_ERRORS, TOO_MANY_MESSAGES, TOO_MANY_RECIPIENTS, TOO_MUCH_IDLING, TOO_MUCH_REFUSED,
    Words,
};
use crate::error::{Error, ErrorCode, Step};
use crate::syntax::{
    AUTH_LINE_LIMIT, AuthParameter, Command, EhloName, ForwardPath, MailParameters, Newlines, RcptParameters,
    ReversePath,
};

impl Session {
    /// Says hello, or asks whether to.
    pub(super) fn connect(&mut self) {
        if self.config.asks.connect {
            self.phase = Phase::Connecting;
            self.ask(Asked::Connect, Question::Connect);
        } else {
            self.greet();
        }
    }

    pub(super) fn greet(&mut self) {
        let protocol = match self.config.protocol {
            Protocol::Smtp => "ESMTP",
            Protocol::Lmtp => "LMTP",
        };
        self.phase = Phase::Commands;
        self.say(Words::plain(220, "").with(format!("{} {protocol}", self.config.name)));
    }

    /// Whether a line may be read: those that must not be dealt with yet wait.
    pub(super) fn may_read(&self) -> bool {
        let has_room = self.wire.waiting() < self.config.bounds.pending.max(1);
        let goes_on = |asked: &Asked| matches!(asked, Asked::ForwardPath | Asked::Message { .. });
        has_room && self.pending.iter().all(|pending| goes_on(&pending.asked))
    }

    /// Whether there is a line that must not be dealt with before the host has answered.
    ///
    /// Recipients can be asked about together, and the next message can begin while the one before is being stored; nothing
    /// else goes on before it is known what became of what was said before. DATA does not either: its 354 would keep its
    /// place behind that, and content could come before it was said.
    pub(super) fn line_waits(&self) -> bool {
        if self.pending.is_empty() || !self.line.is_whole() {
            return false;
        }
        let verb = self.line.line().get(..4).unwrap_or_default();
        let is_one_of = |verbs: &[&[u8]]| verbs.iter().any(|it| it.eq_ignore_ascii_case(verb));
        if is_one_of(&[b"RCPT"]) {
            false
        } else if is_one_of(&[b"MAIL", b"RSET", b"BDAT"]) {
            self.pending.iter().any(|pending| matches!(pending.asked, Asked::ForwardPath))
        } else {
            true
        }
    }

    pub(super) fn read_line(&mut self, now: Duration, input: &mut Input<'_>) -> bool {
        if !self.may_read() {
            return false;
        }
        let limit =
            if matches!(self.phase, Phase::Auth(_)) { AUTH_LINE_LIMIT } else { self.config.bounds.command_line };
        let had_line = self.line.is_whole();
        let seen = self.line.read(input, limit, self.config.bounds.discarded);
        self.more_behind = had_line && self.more_behind || !input.is_empty();
        match seen {
            Seen::Part => return false,
            _ if self.line_waits() => return false,
            Seen::Line => {}
            Seen::BareLine if self.config.newlines == Newlines::Fix => {}
            Seen::BareLine => {
                let error = Error::new(ErrorCode::ProtocolBareNewline, "a command line ends in LF without a CR");
                self.fail(error.at(Step::Command), BARE_LINE_END);
            }
            Seen::TooLong => {
                self.since = now;
                self.bad_command(LINE_TOO_LONG);
                return true;
            }
            Seen::Endless => {
                let error = Error::new(ErrorCode::LimitErrors, "a command line has no end").at(Step::Command);
                self.fail(error, TOO_MUCH_REFUSED);
            }
        }
        if self.wire.is_ending() {
            return false;
        }
        self.since = now;
        let line = self.line.take();
        let more = core::mem::take(&mut self.more_behind);
        match &self.phase {
            Phase::Auth(_) => self.auth_response(&line, more),
            _ => self.command(&line, more),
        }
        self.line.give_back(line);
        true
    }

    /// Deals with a command. `more`: the client has not waited for the reply.
    fn command(&mut self, line: &[u8], more: bool) {
        self.trace_command(line);
        if is_foreign(line) {
            let error = Error::new(ErrorCode::ProtocolForeign, "the client speaks HTTP");
            return self.fail(error.at(Step::Command), FOREIGN);
        }
        let command = match Command::parse(line) {
            Ok(command) => command,
            Err(error) => return self.bad_command(error),
        };
        if matches!(self.phase, Phase::Refused) && command != Command::Quit {
            return self.bad_command(SAY_QUIT);
        }
        if more && self.speaks_too_early(&command) {
            return;
        }
        if !matches!(command, Command::Rcpt { .. } | Command::Data | Command::Bdat { size: 1.., .. }) {
            self.tally.idle_commands += 1;
            if self.tally.idle_commands > self.config.bounds.idle_commands {
                let error = Error::new(ErrorCode::LimitErrors, "too many commands did not bring a message");
                return self.fail(error.at(Step::Command), TOO_MUCH_IDLING);
            }
        }
        let is_allowed_in_clear = matches!(
            command,
            Command::Ehlo(_)
                | Command::Helo(_)
                | Command::Lhlo(_)
                | Command::StartTls
                | Command::Noop(_)
                | Command::Quit
        );
        if self.config.tls == Tls::Required && self.tls.is_none() && !is_allowed_in_clear {
            // Its octets follow, and must not be taken for commands.
            return match command {
                Command::Bdat { size, last } => self.refuse_chunk(size, last, ENCRYPT_FIRST),
                _ => self.bad_command(ENCRYPT_FIRST),
            };
        }
        match command {
            Command::Ehlo(name) => self.says_hello(HelloCommand::Ehlo, name),
            Command::Helo(name) => self.says_hello(HelloCommand::Helo, name),
            Command::Lhlo(name) => self.says_hello(HelloCommand::Lhlo, name),
            Command::StartTls => self.starttls(),
            Command::Auth { mechanism, initial_response } => self.auth(&mechanism, initial_response.as_ref()),
            Command::Mail { path, parameters } => self.mail(path, parameters),
            Command::Rcpt { path, parameters } => self.rcpt(path, parameters),
            Command::Data => self.data(),
            Command::Bdat { size, last } => self.bdat(size, last),
            Command::Rset => {
                self.reset();
                self.say(OK);
            }
            Command::Noop(_) => self.say(OK),
            Command::Vrfy(_) => self.say(CANNOT_VERIFY),
            Command::Expn(_) => self.bad_command(NO_EXPANSION),
            Command::Help(_) => self.say(HELP),
            Command::Quit => self.quit(),
        }
    }

    fn trace_command(&mut self, line: &[u8]) {
        self.wire.trace(|| {
            let line = line.trim_ascii_end();
            let shown = match line.get(..5) {
                Some(verb) if verb.eq_ignore_ascii_case(b"AUTH ") => {
                    let mut words = line.splitn(3, |byte| *byte == b' ');
                    let (_, mechanism) = (words.next(), words.next().unwrap_or_default());
                    let hidden = if words.next().is_some() { " <hidden>" } else { "" };
                    format!("AUTH {}{hidden}", String::from_utf8_lossy(mechanism))
                }
                _ => String::from_utf8_lossy(line).into_owned(),
            };
            Trace::Received(shown)
        });
    }

    /// Something stands behind a command that the client has sent before it could know the reply. RFC 2920 §3.1 says behind
    /// which that is right; where the reply decides what the bytes behind it are, it is an attack.
    fn speaks_too_early(&mut self, command: &Command) -> bool {
        match command {
            Command::StartTls => self.injected(),
            Command::Ehlo(_) | Command::Helo(_) | Command::Lhlo(_) | Command::Data | Command::Auth { .. } => {
                let what = "the client did not wait for the reply to a command that it has to wait for";
                self.fail(Error::new(ErrorCode::ProtocolNotItsTurn, what).at(Step::Command), NOT_ITS_TURN);
            }
            Command::Noop(_) | Command::Vrfy(_) | Command::Expn(_) | Command::Help(_) => self.bad_command(NOT_ITS_TURN),
            Command::Mail { .. } | Command::Rcpt { .. } | Command::Rset if !self.offered().pipelining => {
                self.bad_command(NOT_ITS_TURN);
            }
            // What stands behind BDAT is its chunk, and what stands behind QUIT is never read.
            Command::Mail { .. } | Command::Rcpt { .. } | Command::Rset | Command::Bdat { .. } | Command::Quit => {
                return false;
            }
        }
        true
    }

    fn says_hello(&mut self, command: HelloCommand, name: EhloName) {
        let is_lmtp = self.config.protocol == Protocol::Lmtp;
        if is_lmtp != (command == HelloCommand::Lhlo) {
            // RFC 2033 §4.1 recommends 500.
            return self.bad_command(if is_lmtp { THIS_IS_LMTP } else { THIS_IS_SMTP });
        }
        let hello = Hello { command, name };
        if self.config.asks.hello {
            self.ask(Asked::Hello(hello.clone()), Question::Hello(hello));
        } else {
            self.welcome(hello);
        }
    }

    /// The client may go on. RFC 5321 §4.1.4: this is a RSET as well, but for a hello that is refused nothing changes.
    pub(super) fn welcome(&mut self, hello: Hello) {
        self.reset();
        self.wire.event(super::output::Event::Hello(hello.clone()));
        let command = hello.command;
        self.hello = Some(hello);
        if command == HelloCommand::Helo {
            return self.say(Words::plain(250, "").with(String::from(self.config.name.as_str())));
        }
        let reply = offer::encode(&self.config, &self.offered(), self.tls.as_ref(), self.user.is_some());
        self.wire.say_bytes(&reply);
    }

    /// What is offered at this moment.
    pub(super) fn offered(&self) -> Offer {
        self.config.offer.at_this_moment(self.is_extended(), self.tls.is_some())
    }

    /// Whether the client may use extensions.
    pub(super) fn is_extended(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.command != HelloCommand::Helo)
    }

    fn starttls(&mut self) {
        if !matches!(self.config.tls, Tls::Offered | Tls::Required) {
            return self.bad_command(NOT_THERE);
        }
        if self.tls.is_some() || self.transaction.is_some() {
            return self.bad_command(OUT_OF_SEQUENCE);
        }
        if self.config.asks.starttls {
            self.ask(Asked::StartTls, Question::StartTls);
        } else {
            self.go_ahead_with_tls(GO_AHEAD_WITH_TLS.into());
        }
    }

    pub(super) fn go_ahead_with_tls(&mut self, saying: Saying) {
        self.say(saying);
        self.wire.output(Output::StartTls);
        self.phase = Phase::Handshake;
    }

    fn mail(&mut self, path: ReversePath, mut parameters: Box<MailParameters>) {
        if !self.has_said_hello() {
            return;
        }
        if !offer::may_send(self.config.role, self.may_relay()) {
            return self.bad_command(AUTHENTICATE_FIRST);
        }
        if self.transaction.is_some() {
            return self.bad_command(OUT_OF_SEQUENCE);
        }
        let offered = self.offered();
        let auth = self.is_extended() && self.config.authentication.is_some();
        if let Err(words) = offered.check_mail(&path, &parameters, auth, self.config.bounds.message) {
            return self.refuse_path(words);
        }
        if self.user.is_none() && parameters.auth.is_some() {
            parameters.auth = Some(AuthParameter::Unknown);
        }
        self.tally.messages = self.tally.messages.saturating_add(1);
        if self.tally.messages > self.config.bounds.messages {
            let error = Error::new(ErrorCode::LimitSession, "there are too many messages in one session");
            return self.fail(error.at(Step::Mail), TOO_MANY_MESSAGES);
        }
        if self.config.asks.reverse_path {
            let asked = Asked::ReversePath { path: path.clone(), parameters: parameters.clone() };
            let id = self.ask(asked, Question::ReversePath { path, parameters });
            self.wire.keep_place(id);
        } else {
            self.transaction = Some(Transaction::new(path, parameters));
            self.say(SENDER_OK);
        }
    }

    fn rcpt(&mut self, path: ForwardPath, parameters: RcptParameters) {
        let may_relay = self.may_relay();
        let offered = self.offered();
        let bounds = &self.config.bounds;
        let Some(transaction) = self.transaction.as_mut().filter(|it| it.incoming.is_none()) else {
            return self.bad_command(OUT_OF_SEQUENCE);
        };
        let refusal = if transaction.recipients() >= bounds.recipients as usize {
            Some(TOO_MANY_RECIPIENTS)
        } else {
            offered.check_rcpt(&path, &parameters, &transaction.envelope.parameters).err()
        };
        let Some(destination) = self.config.relay.judge(&path, may_relay) else {
            return self.refuse_path(refusal.unwrap_or(RELAYING_DENIED));
        };
        if let Some(words) = refusal {
            return self.refuse_path(words);
        }
        if !self.tally.admits_domain(&path, bounds) {
            return self.refuse_path(TOO_MANY_DOMAINS);
        }
        let recipient = Recipient { path, parameters, destination };
        if !self.config.asks.forward_path {
            transaction.envelope.recipients.push(recipient);
            return self.say(RECIPIENT_OK);
        }
        let id = self.ask(Asked::ForwardPath, Question::ForwardPath(recipient.clone()));
        if let Some(transaction) = &mut self.transaction {
            transaction.ask(id, recipient);
        }
        self.wire.keep_place(id);
    }

    fn data(&mut self) {
        let Some(transaction) = self.transaction.as_ref().filter(|it| it.incoming.is_none()) else {
            return self.bad_command(OUT_OF_SEQUENCE);
        };
        if transaction.envelope.recipients.is_empty() {
            return self.bad_command(NO_RECIPIENTS);
        }
        if let Err(words) = offer::check_data(&transaction.envelope.parameters) {
            return self.bad_command(words);
        }
        self.ask_for_content(Carriage::Dotted);
    }

    fn bdat(&mut self, size: u64, last: bool) {
        let refusal = match &self.transaction {
            _ if !self.offered().chunking => Some(NOT_THERE),
            None => Some(OUT_OF_SEQUENCE),
            Some(transaction) if transaction.envelope.recipients.is_empty() => Some(NO_RECIPIENTS),
            Some(_) => None,
        };
        if let Some(words) = refusal {
            return self.refuse_chunk(size, last, words);
        }
        if self.transaction.as_ref().is_some_and(|it| it.incoming.is_some()) {
            self.phase = Phase::Chunk { left: size, last, refusal: None };
        } else {
            self.ask_for_content(Carriage::Chunk { size, last });
        }
    }

    fn ask_for_content(&mut self, carriage: Carriage) {
        if self.config.asks.data {
            let id = self.ask(Asked::Data(carriage), Question::Data);
            self.wire.keep_place(id);
        } else {
            if carriage == Carriage::Dotted {
                self.say(GO_AHEAD);
            }
            self.begin_content(carriage);
        }
    }

    fn quit(&mut self) {
        if self.config.asks.quit {
            self.ask(Asked::Quit, Question::Quit);
        } else {
            self.fail_as(Closed::Quit, GOODBYE);
        }
    }

    /// The transaction, if there is one, is over, and nothing came of it.
    pub(super) fn reset(&mut self) {
        self.discard();
        self.transaction = None;
    }

    fn may_relay(&self) -> bool {
        self.config.relay.may_relay(self.peer.address, self.user.is_some())
    }

    pub(super) fn has_said_hello(&mut self) -> bool {
        let has = self.hello.is_some();
        if !has {
            let words = if self.config.protocol == Protocol::Lmtp { SAY_LHLO_FIRST } else { SAY_HELLO_FIRST };
            self.bad_command(words);
        }
        has
    }

    /// Refuses what the client should have known better.
    pub(super) fn bad_command(&mut self, words: impl Into<Words>) {
        self.tally.bad_commands += 1;
        self.say(words.into());
        self.count(self.tally.bad_commands, self.config.bounds.bad_commands);
    }

    /// Refuses a reverse-path or forward-path.
    fn refuse_path(&mut self, words: Words) {
        debug_assert!(words.is_refusal());
        self.say(words);
        self.path_refused();
    }

    pub(super) fn path_refused(&mut self) {
        self.tally.refusals += 1;
        self.count(self.tally.refusals, self.config.bounds.refusals);
    }

    fn count(&mut self, count: u32, most: u32) {
        if count > most {
            let error = Error::new(ErrorCode::LimitErrors, "the client has been refused too often");
            self.fail(error.at(Step::Command), TOO_MANY_ERRORS);
        }
    }
}

/// Whether it is a request of HTTP: a browser was made to speak to us, and what it sends is not what its user wants.
fn is_foreign(line: &[u8]) -> bool {
    let verb = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    let is_request =
        [&b"GET"[..], b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"DELETE", b"PATCH"].contains(&verb);
    is_request && line.windows(6).any(|word| word == b" HTTP/")
}
