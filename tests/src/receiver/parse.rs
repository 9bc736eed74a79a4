//! From a file to a script.

use okuru_core::ErrorCode;
use okuru_core::sasl::{ChannelBinding, ChannelBindingKind};
use okuru_core::server::{Answer, TlsInfo};
use okuru_core::syntax::Reply;

use super::script::{Action, Rule, Script, Step};
use super::setup;
use crate::vectors::parse::{split, time};
use crate::vectors::text;

/// Reads a dialogue.
///
/// # Errors
///
/// The line, and what is wrong with it.
pub fn parse(name: &str, source: &str) -> Result<Script, String> {
    let mut parser = Parser { script: setup::script(name, source), open: None, in_dialogue: false };
    for (index, line) in source.lines().enumerate() {
        parser.line(index + 1, line).map_err(|error| format!("{}: {error}", index + 1))?;
    }
    match parser.script.about.is_empty() {
        true => Err("1: the first line says what it is about".into()),
        false => Ok(parser.script),
    }
}

struct Parser {
    script: Script,
    /// A block of lines that may go on: its mark.
    open: Option<&'static str>,
    in_dialogue: bool,
}

impl Parser {
    fn line(&mut self, number: usize, line: &str) -> Result<(), String> {
        if let Some(comment) = line.strip_prefix("# ").filter(|_| self.script.about.is_empty()) {
            self.script.about = comment.into();
            return Ok(());
        }
        if line.starts_with('#') {
            return Ok(());
        }
        if line.trim().is_empty() {
            self.open = None;
            return Ok(());
        }
        let (mark, rest) = line.split_at_checked(2).unwrap_or((line, ""));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        match mark {
            "C:" | "C!" | "S:" => {
                self.in_dialogue = true;
                self.said(number, mark, &text::line(rest)?);
                Ok(())
            }
            _ if !self.in_dialogue && !matches!(mark, "* " | "? ") => {
                let (keyword, rest) = split(line);
                setup::line(&mut self.script, keyword, rest)
            }
            _ => {
                self.in_dialogue = true;
                self.open = None;
                let action = action(line)?;
                self.script.steps.push(Step { line: number, action });
                Ok(())
            }
        }
    }

    fn said(&mut self, number: usize, mark: &str, line: &[u8]) {
        let mark = ["C:", "C!", "S:"].into_iter().find(|it| *it == mark);
        let goes_on = self.open == mark;
        self.open = mark;
        match self.script.steps.last_mut().map(|step| &mut step.action) {
            Some(Action::Receive { bytes, .. } | Action::Write(bytes)) if goes_on => bytes.extend_from_slice(line),
            _ => {
                let action = match mark {
                    Some("S:") => Action::Write(line.to_vec()),
                    mark => Action::Receive { bytes: line.to_vec(), at_once: mark == Some("C!") },
                };
                self.script.steps.push(Step { line: number, action });
            }
        }
    }
}

fn action(line: &str) -> Result<Action, String> {
    let (keyword, rest) = split(line);
    Ok(match keyword {
        "*" | "?" | "|" => Action::Told(line.trim_end().into()),
        "=" => match rest.strip_prefix("closed ") {
            Some(why) => Action::Closed(why.into()),
            None => Action::Told(line.into()),
        },
        "answer" => Action::Answer(rule(rest)?),
        "handshake" => handshake(rest)?,
        "fails" => Action::Failed(error_code(rest)?),
        "eof" => Action::Eof,
        "stop" => Action::Stop,
        "refuse-content" => Action::RefuseContent(reply(rest)?),
        "wait" => Action::Wait(time(rest)?),
        "deadline" => Action::Deadline(time(rest)?),
        _ => return Err(format!("nothing that can happen: {line}")),
    })
}

/// `STAGE <PATH> ANSWER`
pub(super) fn rule(text: &str) -> Result<Rule, String> {
    const STAGES: &[&str] =
        &["connect", "hello", "starttls", "credentials", "act-for", "mail", "rcpt", "data", "message", "quit"];
    let (stage, mut rest) = split(text);
    if !STAGES.contains(&stage) {
        return Err(format!("no stage at which the host is asked: {stage}"));
    }
    let mut path = None;
    if let (word, behind) = split(rest)
        && word.starts_with('<')
    {
        path = Some(word.into());
        rest = behind;
    }
    Ok(Rule { stage: stage.into(), path, answer: answer(rest)? })
}

/// `later`, or an answer.
fn answer(text: &str) -> Result<Option<Answer>, String> {
    let (kind, rest) = split(text);
    Ok(Some(match kind {
        "later" => return Ok(None),
        "accept" => Answer::Accept,
        "refuse" => Answer::Refuse,
        "close" => Answer::Close,
        "unavailable" => Answer::Credentials(okuru_core::sasl::Answer::Unavailable),
        "close-with" => Answer::ReplyAndClose(reply(rest)?),
        "replies" => Answer::Replies(rest.split(" / ").map(reply).collect::<Result<_, _>>()?),
        _ => Answer::Reply(reply(text)?),
    }))
}

fn reply(text: &str) -> Result<Reply, String> {
    Reply::parse(&text::line(text)?).map_err(|error| error.to_string())
}

fn handshake(text: &str) -> Result<Action, String> {
    let mut info = TlsInfo::default();
    match split(text) {
        ("", _) => {}
        ("certificate", _) => info.client_verified = true,
        ("fails", code) => return Ok(Action::Failed(error_code(code)?)),
        ("tls-exporter", data) => {
            info.channel_bindings.push(ChannelBinding::new(ChannelBindingKind::TlsExporter, data.as_bytes()));
        }
        _ => return Err(format!("no handshake: {text}")),
    }
    Ok(Action::TlsStarted(info))
}

fn error_code(code: &str) -> Result<String, String> {
    let is_known = ErrorCode::ALL.iter().any(|known| known.as_str() == code);
    is_known.then(|| code.to_owned()).ok_or_else(|| format!("there is no error code {code}"))
}
