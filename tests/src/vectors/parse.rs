//! A file, line by line.
//!
//! First the set-up (`header.rs`), then, from the first line that is none of it, the dialogue itself.

use super::dialogue::{Action, Bytes, ChannelBinding, Dialogue, Event, Step};
use super::header::Header;
use super::{results, text};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as WordError, StrDeserializer};

/// Reads a dialogue.
///
/// # Errors
///
/// The number of the line, a colon, and a sentence.
pub fn parse(name: &str, source: &str) -> Result<Dialogue, String> {
    let mut parser = Parser { header: Header::default(), steps: Vec::new(), open: None, in_dialogue: false };
    for (index, line) in source.lines().enumerate() {
        parser.line(index + 1, line).map_err(|error| format!("{}: {error}", index + 1))?;
    }
    parser.finish(name, source).map_err(|error| format!("{}: {error}", source.lines().count()))
}

/// One word out of a list.
pub(super) fn word<T: for<'de> Deserialize<'de>>(word: &str) -> Result<T, String> {
    let deserializer: StrDeserializer<'_, WordError> = word.into_deserializer();
    T::deserialize(deserializer).map_err(|error| error.to_string())
}

pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("not a number: {text:?}"))
}

/// Milliseconds from `250ms`, `30s` or `5min`.
pub(crate) fn time(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        _ => return Err(format!("not a time with ms, s or min: {text:?}")),
    };
    Ok(number::<u64>(digits)? * factor)
}

pub(super) fn utf8(text: &str) -> Result<String, String> {
    String::from_utf8(text::value(text)?).map_err(|_| format!("not UTF-8: {text}"))
}

/// The first word, and the rest without the space between.
pub(crate) fn split(text: &str) -> (&str, &str) {
    text.split_once(' ').map_or((text, ""), |(first, rest)| (first, rest.trim_start()))
}

struct Parser {
    header: Header,
    steps: Vec<Step>,
    /// A block of lines that may go on.
    open: Option<Open>,
    in_dialogue: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Server { at_once: bool },
    Client,
}

impl Parser {
    fn line(&mut self, number: usize, line: &str) -> Result<(), String> {
        if let Some(comment) = line.strip_prefix('#') {
            self.header.comment(comment);
            return Ok(());
        }
        if line.trim().is_empty() {
            self.open = None;
            return Ok(());
        }
        if !self.in_dialogue && self.header.line(number, line)? {
            return Ok(());
        }
        self.in_dialogue = true;
        let (mark, rest) = line.split_at_checked(2).unwrap_or((line, ""));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        match mark {
            "S:" => self.server(number, rest, false),
            "S!" => self.server(number, rest, true),
            "C:" => self.client(number, rest),
            _ => {
                self.open = None;
                self.event(number, line)
            }
        }
    }

    fn server(&mut self, number: usize, line: &str, at_once: bool) -> Result<(), String> {
        let line = text::line(line)?;
        let open = Open::Server { at_once };
        match self.steps.last_mut().map(|step| &mut step.action) {
            Some(Action::Receive { bytes, .. }) if self.open == Some(open) => bytes.0.extend(line),
            _ => self.push(number, Action::Receive { bytes: Bytes(line), at_once }),
        }
        self.open = Some(open);
        Ok(())
    }

    fn client(&mut self, number: usize, line: &str) -> Result<(), String> {
        let line = text::line(line)?;
        match self.steps.last_mut().map(|step| &mut step.action) {
            Some(Action::Write { bytes, .. }) if self.open == Some(Open::Client) => bytes.0.extend(line),
            _ => self.push(number, Action::Write { bytes: Bytes(line), written: None }),
        }
        self.open = Some(Open::Client);
        Ok(())
    }

    fn event(&mut self, number: usize, line: &str) -> Result<(), String> {
        let (keyword, rest) = split(line);
        let action = match keyword {
            "offer" => return self.offer(number, rest),
            "written" => return self.written(number, rest),
            "handshake" => return self.handshake(number, rest),
            "submit" => {
                let messages = rest.split_whitespace().map(|message| self.message(message));
                Action::Submit(messages.collect::<Result<_, _>>()?)
            }
            "=" => results::result(rest, self.header.messages())?,
            "*" => Action::Event(told(rest)?),
            "abort" => Action::Abort(self.message(rest)?),
            "command" => {
                let (verb, argument) = split(rest);
                let argument = Some(argument.to_owned()).filter(|argument| !argument.is_empty());
                Action::Command { verb: verb.to_owned(), argument }
            }
            "quit" => Action::Quit {},
            "eof" => Action::Eof {},
            "fails" => Action::Failed(results::error_code(rest)?),
            "token" => {
                self.asked(number, Action::GetToken {});
                match rest.strip_prefix("fails ") {
                    _ if rest == "pending" => return Ok(()),
                    Some(code) => Action::Failed(results::error_code(code)?),
                    None => Action::Token(utf8(rest)?),
                }
            }
            "chunk" => match split(rest) {
                (message, "") => Action::Chunk(self.message(message)?),
                (message, "end") => Action::ContentEnd(self.message(message)?),
                (message, rest) => {
                    let code = rest.strip_prefix("fails ").ok_or("chunk N, chunk N end or chunk N fails CODE")?;
                    Action::ContentFailed { message: self.message(message)?, code: results::error_code(code)? }
                }
            },
            "wait" => Action::Wait(time(rest)?),
            "deadline" => Action::Deadline(time(rest)?),
            _ => return Err(format!("what is {keyword:?}?")),
        };
        self.push(number, action);
        Ok(())
    }

    /// The greeting, if nothing has come yet, EHLO, and a reply with these keywords.
    fn offer(&mut self, number: usize, keywords: &str) -> Result<(), String> {
        let (server, hello) = (self.header.server_name().to_owned(), self.header.hello());
        if !self.steps.iter().any(|step| matches!(step.action, Action::Receive { .. })) {
            self.server(number, &format!("220 {server} ready"), false)?;
        }
        self.client(number, &hello)?;
        let mut lines: Vec<&str> = vec![&server];
        lines.extend(keywords.split(',').map(str::trim).filter(|keyword| !keyword.is_empty()));
        let last = lines.len() - 1;
        for (index, line) in lines.into_iter().enumerate() {
            let separator = if index == last { ' ' } else { '-' };
            self.server(number, &format!("250{separator}{line}"), false)?;
        }
        self.open = None;
        Ok(())
    }

    /// How much of the write above gets through.
    fn written(&mut self, place: usize, rest: &str) -> Result<(), String> {
        if rest == "rest" {
            self.push(place, Action::WriteRest {});
            return Ok(());
        }
        match self.steps.last_mut().map(|step| &mut step.action) {
            Some(Action::Write { written: written @ None, bytes }) => {
                let octets = number(rest)?;
                if octets >= bytes.0.len() as u64 {
                    return Err(format!("all {} octets would be written", bytes.0.len()));
                }
                *written = Some(octets);
                Ok(())
            }
            _ => Err("`written` belongs directly behind a C: block".into()),
        }
    }

    fn handshake(&mut self, number: usize, rest: &str) -> Result<(), String> {
        self.asked(number, self.header.start_tls());
        let (result, rest) = split(rest);
        let verified = match result {
            "verified" => true,
            "unverified" => false,
            "pending" => return Ok(()),
            "fails" => {
                self.push(number, Action::Failed(results::error_code(rest)?));
                return Ok(());
            }
            _ => return Err("handshake verified, unverified, pending or fails CODE".into()),
        };
        let channel_binding = match split(rest) {
            ("", _) => None,
            (kind, data) => Some(ChannelBinding { kind: word(kind)?, data: Bytes(text::value(data)?) }),
        };
        self.push(number, Action::TlsStarted { verified, channel_binding });
        Ok(())
    }

    /// What the machine asks for is seen once, though the answer may come later.
    fn asked(&mut self, number: usize, ask: Action) {
        let is_question = |action: &Action| matches!(action, Action::StartTls { .. } | Action::GetToken {});
        let is_answer =
            |action: &Action| matches!(action, Action::TlsStarted { .. } | Action::Token(_) | Action::Failed(_));
        let mut actions = self.steps.iter().rev().map(|step| &step.action);
        if !actions.find(|action| is_question(action) || is_answer(action)).is_some_and(is_question) {
            self.push(number, ask);
        }
    }

    fn message(&self, text: &str) -> Result<usize, String> {
        let message = number(text)?;
        if message < self.header.messages().len() { Ok(message) } else { Err(format!("there is no message {message}")) }
    }

    fn push(&mut self, line: usize, action: Action) {
        self.steps.push(Step { line, action });
    }

    fn finish(self, name: &str, source: &str) -> Result<Dialogue, String> {
        let Self { header, steps: told, .. } = self;
        let late: Vec<usize> = told
            .iter()
            .filter_map(|step| if let Action::Submit(messages) = &step.action { Some(messages) } else { None })
            .flatten()
            .copied()
            .collect();
        let all = 0..header.messages().len();
        let early: Vec<usize> = all.clone().filter(|message| !late.contains(message)).collect();
        if !early.iter().chain(&late).copied().eq(all) {
            return Err("messages have to be submitted in their order, each once".into());
        }
        let mut steps = vec![Step { line: header.line_of(0), action: Action::Submit(early) }];
        steps.extend(told);
        results::check_all_told(&steps, header.messages())?;
        header.finish(name, source, steps)
    }
}

fn told(text: &str) -> Result<Event, String> {
    let (keyword, rest) = split(text);
    Ok(match keyword {
        "greeting" => Event::Greeting(number(rest)?),
        "capabilities" => Event::Capabilities {},
        "authenticated" => Event::Authenticated(rest.to_owned()),
        "ready" => Event::Ready {},
        "pipelining-reduced" => Event::PipeliningReduced {},
        "reply" => {
            let (command, code) = split(rest);
            Event::Reply { command: number(command)?, code: number(code)? }
        }
        "trace" => Event::Trace(rest.to_owned()),
        _ => return Err(format!("no such event: {keyword}")),
    })
}
