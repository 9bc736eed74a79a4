//! Carries out a script, with the client's bytes cut in every way.

use std::fmt;

use okuru_core::server::Closed;

use super::host::Host;
use super::script::{Action, Script, Step};
use crate::vectors::text;

/// How the client's bytes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Whole,
    Bytes,
    /// The block of this step in two.
    Once {
        step: usize,
        offset: usize,
    },
}

/// Where a dialogue and the machine disagree.
#[derive(Clone, Debug)]
pub struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Runs a dialogue in every way, and says in how many.
///
/// Whole blocks, byte by byte, and each block cut in two at each offset: what is written and told must be what the dialogue
/// says. Behind each octet it is also broken off: by the end of the connection, by its breaking, by silence, by garbage.
/// Then the session has to end, and nothing may panic.
///
/// # Errors
///
/// The first disagreement.
pub fn run(script: &Script) -> Result<usize, Failure> {
    play(script, Cut::Whole)?;
    play(script, Cut::Bytes)?;
    let mut runs = 2;
    for (step, Step { action, .. }) in script.steps.iter().enumerate() {
        if let Action::Receive { bytes, at_once: false } = action {
            for offset in 1..bytes.len() {
                play(script, Cut::Once { step, offset })?;
                runs += 1;
            }
        }
    }
    Ok(runs)
}

fn play(script: &Script, cut: Cut) -> Result<(), Failure> {
    let mut host = Host::new(script);
    let begun = host.drive();
    let mut player = Player { script, host, cut, step: 0 };
    player.ok(begun)?;
    while let Some(step) = script.steps.get(player.step) {
        if step.action.is_input() {
            player.nothing_is_left()?;
        }
        player.carry_out(step)?;
        player.step += 1;
    }
    player.step = script.steps.len().saturating_sub(1);
    player.nothing_is_left()?;
    let is_told = script.steps.iter().any(|step| matches!(step.action, Action::Closed(_)));
    match &player.host.closed {
        Some(closed) if !is_told => player.fail(&format!("it is over: {}", show(closed))),
        _ => Ok(()),
    }
}

struct Player<'a> {
    script: &'a Script,
    host: Host<'a>,
    cut: Cut,
    step: usize,
}

impl Player<'_> {
    fn fail(&self, what: &str) -> Result<(), Failure> {
        let line = self.script.steps.get(self.step).map_or(1, |step| step.line);
        let how = match self.cut {
            Cut::Whole => "in whole blocks".into(),
            Cut::Bytes => "byte by byte".into(),
            Cut::Once { step, offset } => {
                let line = self.script.steps.get(step).map_or(1, |step| step.line);
                format!("with the block of line {line} cut behind octet {offset}")
            }
        };
        let marked = self.script.source.lines().enumerate().map(|(index, text)| {
            let mark = if index + 1 == line { '>' } else { ' ' };
            format!("  {mark} {:3} {text}\n", index + 1)
        });
        let source: String = marked.collect();
        Err(Failure(format!("receiver/{}.smtp:{line}: {what} ({how})\n{source}", self.script.name)))
    }

    fn ok(&self, result: Result<(), String>) -> Result<(), Failure> {
        result.or_else(|what| self.fail(&what))
    }

    fn nothing_is_left(&self) -> Result<(), Failure> {
        if !self.host.said.is_empty() {
            return self.fail(&format!("more is written: {:#?}", text::show(&self.host.said)));
        }
        match self.host.told.front() {
            Some(told) => self.fail(&format!("more is told: {told}")),
            None => Ok(()),
        }
    }

    fn carry_out(&mut self, step: &Step) -> Result<(), Failure> {
        match &step.action {
            Action::Receive { bytes, at_once } => {
                if self.cut == Cut::Whole {
                    for offset in 0..bytes.len() {
                        self.ok(break_off(&self.host, &bytes[..offset]))?;
                    }
                }
                let received = match self.cut {
                    Cut::Bytes if !at_once => bytes.iter().try_for_each(|byte| self.host.receive(&[*byte])),
                    Cut::Once { step, offset } if step == self.step => {
                        let (first, second) = bytes.split_at(offset);
                        self.host.receive(first).and_then(|()| self.host.receive(second))
                    }
                    _ => self.host.receive(bytes),
                };
                self.ok(received)?;
                self.ok(hides_secrets(self.script, &self.host))
            }
            Action::Write(bytes) => {
                let said = std::mem::take(&mut self.host.said);
                if said == *bytes {
                    return Ok(());
                }
                self.fail(&format!("it writes {:#?}", text::show(&said)))
            }
            Action::Told(line) => match self.host.told.pop_front() {
                Some(told) if told == *line => Ok(()),
                told => self.fail(&format!("it tells {}", told.unwrap_or("nothing".into()))),
            },
            Action::Closed(why) => match self.host.closed.as_ref().map(show) {
                Some(closed) if closed == *why => Ok(()),
                closed => self.fail(&format!("it is {}", closed.unwrap_or("open".into()))),
            },
            action => {
                let acted = self.host.act(action);
                self.ok(acted)
            }
        }
    }
}

fn show(closed: &Closed) -> String {
    match closed {
        Closed::Quit => "quit".into(),
        Closed::Stopped => "stopped".into(),
        Closed::Failed(error) => error.code().to_string(),
    }
}

/// Ends the session in each way in which it can end behind these bytes.
fn break_off(host: &Host<'_>, bytes: &[u8]) -> Result<(), String> {
    let ends = |how: &str, act: &dyn Fn(&mut Host<'_>) -> Result<(), String>| {
        let mut host = host.clone();
        let ended = host.receive(bytes).and_then(|()| act(&mut host)).and_then(|()| host.drive());
        ended.and_then(|()| host.answer_all()).map_err(|what| format!("broken off, {how}: {what}"))?;
        match host.closed {
            Some(_) => Ok(()),
            None => Err(format!("broken off, {how}: it does not end")),
        }
    };
    ends("the client closes", &|host| {
        host.session.receive_eof(host.now);
        Ok(())
    })?;
    ends("the connection breaks", &|host| {
        host.fail("connect.lost");
        Ok(())
    })?;
    ends("time passes", &|host| {
        host.answer_all()?;
        while let (Some(deadline), None) = (host.deadline, &host.closed) {
            host.now = host.now.max(deadline);
            host.session.deadline_passed(host.now);
            host.drive()?;
        }
        Ok(())
    })?;
    let mut host = host.clone();
    host.receive(bytes)?;
    host.receive(b"\0garbage\r\n\xff.\r\n")
}

/// Nothing that is shown may hold a password or token.
fn hides_secrets(script: &Script, host: &Host<'_>) -> Result<(), String> {
    let shown = format!("{:?} {:?}", host.session, host.told);
    let users = &script.users;
    for (_, secret) in users.passwords.iter().chain(&users.tokens) {
        let as_list = format!("{:?}", secret.expose().as_bytes());
        if shown.contains(secret.expose()) || shown.contains(as_list.trim_matches(['[', ']'])) {
            return Err(format!("a secret is shown: {shown}"));
        }
    }
    Ok(())
}
