//! Carries out a dialogue on the machine of the core, with the server's bytes cut in every way.

use std::fmt;
use std::ops::ControlFlow;

use okuru_core::client::{self, Connection};

use super::dialogue::{Action, Closed, Dialogue, MessageResult, RecipientResult, Reply, Step};
use super::machine::{Host, Told};
use super::{engine, text};

/// How the server's bytes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// Each block at once.
    Whole,
    /// Each block at once, and messages are submitted only when the machine wants them.
    Wanted,
    /// Each byte for itself.
    Bytes,
    /// The block of this step in two.
    Once { step: usize, offset: usize },
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => write!(f, "with each block of the server in one piece"),
            Self::Wanted => write!(f, "with messages submitted only when they are wanted"),
            Self::Bytes => write!(f, "with the server's bytes one by one"),
            Self::Once { offset, .. } => write!(f, "with one block of the server cut behind octet {offset}"),
        }
    }
}

/// Where a dialogue and the machine disagree.
#[derive(Clone, Debug)]
pub struct Failure {
    name: String,
    source: String,
    /// In the file, from 1.
    line: usize,
    how: String,
    what: String,
    expected: Vec<String>,
    actual: Vec<String>,
}

impl fmt::Display for Failure {
    /// The dialogue with the place marked, then what was expected and what came.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "tests/vectors/{}.smtp:{}: {} ({})", self.name, self.line, self.what, self.how)?;
        for (index, line) in self.source.lines().enumerate() {
            let mark = if index + 1 == self.line { '>' } else { ' ' };
            writeln!(f, "  {mark} {:3} {line}", index + 1)?;
        }
        if self.expected.is_empty() && self.actual.is_empty() {
            return Ok(());
        }
        let same = self.expected.iter().zip(&self.actual).take_while(|(expected, actual)| expected == actual).count();
        let show = |f: &mut fmt::Formatter<'_>, title: &str, lines: &[String]| {
            writeln!(f, "  {title}:")?;
            if lines.is_empty() {
                writeln!(f, "      (nothing)")?;
            }
            for (index, line) in lines.iter().enumerate() {
                let mark = if index == same { '>' } else { ' ' };
                writeln!(f, "    {mark} {line}")?;
            }
            Ok(())
        };
        show(f, "expected", &self.expected)?;
        show(f, "actual", &self.actual)
    }
}

/// What was tried, in figures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// How often the dialogue was run to its end.
    pub runs: usize,
    /// How often it was broken off, and only the invariants were looked at.
    pub broken_off: usize,
}

/// Runs a dialogue in every way.
///
/// Whole blocks, byte by byte, and each block cut in two at each offset: the bytes written, events and outcomes must be
/// those of the dialogue. Then each beginning of the server's bytes, followed by the end of the connection, by garbage, or
/// by nothing until all deadlines have passed: there only the invariants count.
///
/// # Errors
///
/// The first disagreement.
pub fn run(dialogue: &Dialogue) -> Result<Tally, Box<Failure>> {
    let contents: Vec<Vec<u8>> = dialogue
        .messages
        .iter()
        .map(|message| message.content.iter().flat_map(|chunk| chunk.0.clone()).collect())
        .collect();
    let host = |trace| {
        let config = engine::config(&dialogue.config, trace).map_err(|what| failure(dialogue, 1, "set-up", what))?;
        Ok::<_, Box<Failure>>(Host::new(dialogue, &contents, Connection::new(config)))
    };
    let mut tally = Tally::default();

    // How it looks before each thing to do, and at the end.
    let mut stops = Vec::new();
    let end = play(dialogue, host(true)?, 0, Cut::Whole, |step, host| {
        stops.push((step, host.clone()));
        ControlFlow::Continue(())
    })?;
    stops.push((dialogue.steps.len(), end));
    play(dialogue, host(dialogue.config.trace)?, 0, Cut::Bytes, |_, _| ControlFlow::Continue(()))?;
    tally.runs += 2;
    if can_wait_for_messages(dialogue) {
        let mut host = host(dialogue.config.trace)?;
        host.submit_when_wanted();
        play(dialogue, host, 0, Cut::Wanted, |_, _| ControlFlow::Continue(()))?;
        tally.runs += 1;
    }
    for (index, (step, host)) in stops.iter().enumerate() {
        break_off_behind(dialogue, host, *step, &[])?;
        tally.broken_off += 1;
        let Some(Action::Receive { bytes, at_once }) = dialogue.steps.get(*step).map(|step| &step.action) else {
            continue;
        };
        // Once all is as it was without the cut, the rest is as it was too.
        let without_cut = stops.get(index + 1).map(|(step, host)| (*step, host.looks()));
        for offset in 1..bytes.0.len() {
            if !at_once {
                let cut = Cut::Once { step: *step, offset };
                play(dialogue, host.clone(), *step, cut, |step, host| match &without_cut {
                    Some((next, looks)) if *next == step && *looks == host.looks() => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                })?;
                tally.runs += 1;
            }
            break_off_behind(dialogue, host, *step, &bytes.0[..offset])?;
            tally.broken_off += 1;
        }
    }
    Ok(tally)
}

/// Breaks off before this step, or behind a part of what it hands in.
fn break_off_behind(dialogue: &Dialogue, host: &Host<'_>, step: usize, part: &[u8]) -> Result<(), Box<Failure>> {
    let mut host = host.clone();
    let received = if part.is_empty() { Ok(()) } else { host.receive(part) };
    received.and_then(|()| host.check()).and_then(|()| break_off(&host)).map_err(|what| {
        let line = dialogue.steps.get(step).or(dialogue.steps.last()).map_or(1, |step| step.line);
        failure(dialogue, line, format!("broken off behind octet {} of this", part.len()), what)
    })
}

fn failure(dialogue: &Dialogue, line: usize, how: impl Into<String>, what: impl Into<String>) -> Box<Failure> {
    Box::new(Failure {
        name: dialogue.name.clone(),
        source: dialogue.source.clone(),
        line,
        how: how.into(),
        what: what.into(),
        expected: Vec::new(),
        actual: Vec::new(),
    })
}

/// Whether it makes no difference when messages are submitted.
fn can_wait_for_messages(dialogue: &Dialogue) -> bool {
    let matters = |step: &Step| matches!(step.action, Action::Submit(_) | Action::Abort(_));
    dialogue.messages.len() > 1 && !dialogue.steps.iter().skip(1).any(matters)
}

/// How much of what is written next gets through.
fn room(steps: &[Step]) -> Option<u64> {
    let seen = steps.iter().skip(1).take_while(|step| !step.action.is_input());
    seen.filter_map(|step| if let Action::Write { written, .. } = step.action { written } else { None }).next()
}

/// Ends the connection in each way in which it can end here.
fn break_off(host: &Host<'_>) -> Result<(), String> {
    let closed_by = |how: &str, act: &dyn Fn(&mut Host<'_>)| {
        let mut host = host.clone();
        act(&mut host);
        let ended = host.drive().and_then(|()| host.check_end()).and_then(|()| stays_closed(&mut host));
        ended.map_err(|what| format!("{how}: {what}"))
    };
    closed_by("then the server closes", &|host| host.connection.receive_eof(host.now))?;
    closed_by("then the connection breaks", &|host| host.connection.failed(Host::lost()))?;
    if true {
        closed_by("then time passes", &|host| {
            // What is asked of the host stays undone, and whatever deadline there is passes.
            for _ in 0..1000 {
                let Some(deadline) = host.deadline else { break };
                host.now = host.now.max(deadline);
                host.connection.deadline_passed(host.now);
                if host.drive().is_err() || host.check().is_err() || host.closed.is_some() {
                    break;
                }
            }
            host.connection.receive_eof(host.now);
        })?;
    }
    let mut host = host.clone();
    host.receive(b"\0garbage\r\n").and_then(|()| host.check()).map_err(|what| format!("then garbage comes: {what}"))
}

fn stays_closed(host: &mut Host<'_>) -> Result<(), String> {
    let before = host.closed.clone();
    if before.is_none() {
        return Err("the connection is over, and the machine does not say so".into());
    }
    host.connection.receive(host.now, b"250 late\r\n");
    host.connection.deadline_passed(host.now);
    host.drive()?;
    if host.closed == before { Ok(()) } else { Err("closed again, for another reason".into()) }
}

/// Plays the steps from `from` on, or until `before_input` has seen enough.
fn play<'a>(
    dialogue: &'a Dialogue,
    host: Host<'a>,
    from: usize,
    cut: Cut,
    mut before_input: impl FnMut(usize, &Host<'a>) -> ControlFlow<()>,
) -> Result<Host<'a>, Box<Failure>> {
    let mut player = Player { dialogue, host, cut, step: from };
    while let Some(step) = dialogue.steps.get(player.step) {
        if step.action.is_input() {
            player.nothing_is_left()?;
            player.host.limit_writing(room(&dialogue.steps[player.step..]));
            if before_input(player.step, &player.host).is_break() {
                return Ok(player.host);
            }
        }
        player.carry_out(step)?;
        player.step += 1;
    }
    player.step = dialogue.steps.len().saturating_sub(1);
    player.nothing_is_left()?;
    if let (Some(closed), false) =
        (&player.host.closed, dialogue.steps.iter().any(|step| matches!(step.action, Action::Closed(_))))
    {
        return Err(player.failure("the connection is over", vec!["(open)".into()], vec![show_closed(closed)]));
    }
    let end = player.host.check_end();
    player.ok(end)?;
    Ok(player.host)
}

struct Player<'a> {
    dialogue: &'a Dialogue,
    host: Host<'a>,
    cut: Cut,
    step: usize,
}

impl Player<'_> {
    fn failure(&self, what: impl Into<String>, expected: Vec<String>, actual: Vec<String>) -> Box<Failure> {
        let line = self.dialogue.steps.get(self.step).map_or(1, |step| step.line);
        Box::new(Failure { expected, actual, ..*failure(self.dialogue, line, self.cut.to_string(), what) })
    }

    fn ok(&self, result: Result<(), String>) -> Result<(), Box<Failure>> {
        result.map_err(|what| self.failure(what, Vec::new(), Vec::new()))
    }

    /// Whether everything that the machine has said and told was expected.
    fn nothing_is_left(&self) -> Result<(), Box<Failure>> {
        if !self.host.said.is_empty() {
            return Err(self.failure("more is written than was expected", Vec::new(), text::show(&self.host.said)));
        }
        if !self.host.told.is_empty() {
            let told = self.host.told.iter().map(|told| format!("{told:?}")).collect();
            return Err(self.failure("more is told than was expected", Vec::new(), told));
        }
        Ok(())
    }

    fn carry_out(&mut self, step: &Step) -> Result<(), Box<Failure>> {
        match &step.action {
            Action::Receive { bytes, at_once } => {
                let received = match self.cut {
                    Cut::Bytes if !at_once => bytes.0.iter().try_for_each(|byte| self.receive(&[*byte])),
                    Cut::Once { step, offset } if step == self.step => {
                        let (first, second) = bytes.0.split_at(offset);
                        self.receive(first).and_then(|()| self.receive(second))
                    }
                    _ => self.receive(&bytes.0),
                };
                self.ok(received)
            }
            Action::Write { bytes, .. } => {
                let said = std::mem::take(&mut self.host.said);
                if said == bytes.0 {
                    return Ok(());
                }
                Err(self.failure("something else is written", text::show(&bytes.0), text::show(&said)))
            }
            Action::StartTls { server_name, verify } => {
                self.told(&Told::StartTls { server_name: server_name.clone(), verify: *verify })
            }
            Action::GetToken {} => self.told(&Told::GetToken),
            Action::Event(event) => self.told(&Told::Event(event.clone())),
            Action::Recipient(result) => self.recipient(result),
            Action::Message(result) => self.message(result),
            Action::Closed(closed) => {
                let actual = self.host.closed.as_ref().map_or("(open)".into(), show_closed);
                let expected = match closed {
                    Closed::Quit {} => "quit".into(),
                    Closed::Failed { error, reply } => shown(&[error], reply.as_ref()),
                };
                self.same("the connection ends in another way", expected, actual)
            }
            action => {
                let acted = self.host.act(action).and_then(|()| self.host.check());
                self.ok(acted)
            }
        }
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.host.receive(bytes)?;
        self.host.check()?;
        if self.cut == Cut::Whole { engine::hides_secrets(&self.dialogue.config, &self.host) } else { Ok(()) }
    }

    fn told(&mut self, expected: &Told) -> Result<(), Box<Failure>> {
        match self.host.told.pop_front() {
            Some(told) if told == *expected => Ok(()),
            told => {
                let actual = told.map_or("(nothing)".into(), |told| format!("{told:?}"));
                Err(self.failure("something else is told", vec![format!("{expected:?}")], vec![actual]))
            }
        }
    }

    fn same(&self, what: &str, expected: String, actual: String) -> Result<(), Box<Failure>> {
        if expected == actual { Ok(()) } else { Err(self.failure(what, vec![expected], vec![actual])) }
    }

    fn recipient(&self, expected: &RecipientResult) -> Result<(), Box<Failure>> {
        if self.host.too_late.contains(&expected.message) {
            return Ok(());
        }
        let outcome = self.host.outcomes.get(&expected.message).and_then(|outcomes| outcomes.first());
        let Some(outcome) = outcome.and_then(|outcome| outcome.recipients.get(expected.recipient)) else {
            return Err(self.failure(format!("message {} has not ended yet", expected.message), vec![], vec![]));
        };
        let state = format!("{:?}", engine::state(outcome.state));
        let reply = outcome.reply.as_ref().map(engine::reply);
        // A reply stands for an error of its own, which need not be written.
        let stands_for = reply.as_ref().map(engine::error_of);
        let is_written = |error: &&str| Some(*error) != stands_for || expected.error.is_some();
        let error = outcome.error().map(|error| error.code().as_str()).filter(is_written);
        let expected_words = [Some(format!("{:?}", expected.outcome)), expected.error.clone()];
        let actual_words = [Some(state), error.map(str::to_owned)];
        let words = |words: [Option<String>; 2], reply: Option<&Reply>| {
            let words: Vec<String> = words.into_iter().flatten().collect();
            shown(&words.iter().map(String::as_str).collect::<Vec<_>>(), reply)
        };
        self.same(
            "a recipient ends in another way",
            words(expected_words, expected.reply.as_ref()),
            words(actual_words, reply.as_ref()),
        )
    }

    fn message(&self, expected: &MessageResult) -> Result<(), Box<Failure>> {
        if self.host.too_late.contains(&expected.message) {
            return Ok(());
        }
        let Some(outcome) = self.host.outcomes.get(&expected.message).and_then(|outcomes| outcomes.first()) else {
            return Err(self.failure(format!("message {} has not ended yet", expected.message), vec![], vec![]));
        };
        let mut actual = engine::message_result(expected.message, outcome);
        // What the dialogue does not tell is not looked at. How often one waits depends on when messages come.
        actual.reply = actual.reply.filter(|_| expected.reply.is_some());
        actual.error = actual.error.filter(|_| expected.error.is_some());
        actual.queue_id = actual.queue_id.filter(|_| expected.queue_id.is_some());
        actual.progress = actual.progress.filter(|_| expected.progress.is_some());
        actual.round_trips = actual.round_trips.filter(|_| expected.round_trips.is_some());
        if self.cut == Cut::Wanted {
            actual.round_trips = expected.round_trips;
        }
        self.same("a message ends in another way", format!("{expected:?}"), format!("{actual:?}"))
    }
}

fn shown<S: AsRef<str>>(words: &[S], reply: Option<&Reply>) -> String {
    let mut shown: Vec<String> = words.iter().map(|word| word.as_ref().to_owned()).collect();
    if let Some(reply) = reply {
        shown.push(reply.code.to_string());
        shown.extend(reply.enhanced.clone());
    }
    shown.join(" ")
}

fn show_closed(closed: &client::Closed) -> String {
    match closed {
        client::Closed::Quit => "quit".into(),
        client::Closed::Failed(failure) => {
            shown(&[failure.error.code().as_str()], failure.reply.as_ref().map(engine::reply).as_ref())
        }
    }
}
