//! The limit: a client that has every byte made ahead and reads replies by counting their lines.
//!
//! It shows what the machine, the kernel and the sink allow. One connection is driven by blocking calls, which cost least;
//! several by epoll.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::ops::Range;
use std::process::ExitCode;
use std::str::FromStr;

use memchr::memchr_iter;
use okuru_benches::job::{self, Job};
use okuru_benches::message::{self, RECIPIENT, SENDER};
use rustix::event::epoll;

const HELP: &str = "limit --addr A --messages N [--size BYTES] [--connections N] [--dots]
      [--level none|message|session|streaming] [--in-flight BYTES]";

/// The bytes that one write takes at `streaming`, unless a message is longer.
const WRITE: usize = 128 << 10;

fn main() -> ExitCode {
    job::run(|args| {
        if args.contains("--help") {
            println!("{HELP}");
            return Ok(());
        }
        let level = args.opt_value_from_str("--level")?.unwrap_or(Level::Session);
        let in_flight = args.opt_value_from_str("--in-flight")?.unwrap_or(512 << 10);
        let mut job = Job::parse(args)?;
        job::nothing_left(args)?;
        let content = core::mem::take(&mut job.content);
        let script = Script::write(level, content, in_flight);
        let mut clients = (0..job.connections)
            .map(|connection| Client::connect(&job, &script, job.share(connection)))
            .collect::<io::Result<Vec<_>>>()?;
        match clients.as_mut_slice() {
            [client] => client.send_all()?,
            clients => send_all(clients)?,
        }
        clients.into_iter().try_for_each(Client::quit)?;
        Ok(())
    })
}

/// What goes in one write (see the design's levels of pipelining).
#[derive(Clone, Copy)]
enum Level {
    None,
    Message,
    Session,
    Streaming,
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Level, String> {
        match text {
            "none" => Ok(Level::None),
            "message" => Ok(Level::Message),
            "session" => Ok(Level::Session),
            "streaming" => Ok(Level::Streaming),
            _ => Err(format!("no level {text:?}")),
        }
    }
}

/// Every byte that there is to send, once.
struct Script {
    level: Level,
    bytes: Vec<u8>,
    /// Where in `bytes` the parts are: at `streaming` the one message of which it holds many, else content, MAIL, RCPT, DATA.
    parts: Vec<usize>,
    window: usize,
}

/// One write, and how many lines answer it.
#[derive(Clone)]
struct Step {
    range: Range<usize>,
    lines: usize,
}

/// Steps, and how often they are taken.
struct Section {
    steps: Vec<Step>,
    times: usize,
}

impl Script {
    fn write(level: Level, mut content: Vec<u8>, in_flight: usize) -> Script {
        let envelope = [format!("MAIL FROM:<{SENDER}>\r\n"), format!("RCPT TO:<{RECIPIENT}>\r\n")];
        if let Level::Streaming = level {
            let commands = format!("{}BDAT {} LAST\r\n", envelope.concat(), content.len());
            content.splice(..0, commands.into_bytes());
            let parts = vec![content.len()];
            let count = (WRITE.min(in_flight / 2) / content.len()).max(1);
            let bytes = if count == 1 { content } else { content.repeat(count) };
            return Script { level, bytes, parts, window: in_flight };
        }
        let mut bytes = message::stuff(content);
        let mut parts = vec![bytes.len()];
        for command in envelope.iter().map(String::as_str).chain(["DATA\r\n"]) {
            bytes.extend_from_slice(command.as_bytes());
            parts.push(bytes.len());
        }
        Script { level, bytes, parts, window: 0 }
    }

    fn sections(&self, messages: usize) -> Vec<Section> {
        let step = |range: Range<usize>, lines| Step { range, lines };
        let section = |steps: Vec<Step>, times| Section { steps, times };
        let all = self.bytes.len();
        match *self.parts.as_slice() {
            [unit] => {
                let count = all / unit;
                let rest = messages % count;
                vec![
                    section(vec![step(0..all, 3 * count)], messages / count),
                    section(vec![step(0..rest * unit, 3 * rest)], usize::from(rest > 0)),
                ]
            }
            [content, mail, rcpt, data] => match self.level {
                Level::Session => vec![
                    section(vec![step(content..all, 3)], 1),
                    section(vec![step(0..all, 4)], messages - 1),
                    section(vec![step(0..content, 1)], 1),
                ],
                Level::Message => vec![section(vec![step(content..all, 3), step(0..content, 1)], messages)],
                _ => {
                    let steps = [content..mail, mail..rcpt, rcpt..data, 0..content];
                    vec![section(steps.map(|range| step(range, 1)).to_vec(), messages)]
                }
            },
            _ => Vec::new(),
        }
    }
}

/// One connection, past its EHLO.
struct Client<'a> {
    stream: TcpStream,
    script: &'a Script,
    steps: Box<dyn Iterator<Item = Step>>,
    next: Option<Step>,
    /// What of a step is not yet written.
    unwritten: Range<usize>,
    /// Lines awaited and bytes of each step written, in order.
    flight: VecDeque<(usize, usize)>,
    in_flight: usize,
    /// Lines read that a step shares with what came before.
    lines: usize,
    buffer: Vec<u8>,
}

impl<'a> Client<'a> {
    fn connect(job: &Job, script: &'a Script, messages: usize) -> io::Result<Client<'a>> {
        let mut stream = TcpStream::connect(job.addr)?;
        stream.set_nodelay(true)?;
        read_reply(&mut stream)?;
        stream.write_all(b"EHLO limit.test\r\n")?;
        read_reply(&mut stream)?;
        let sections = script.sections(messages).into_iter();
        let mut steps: Box<dyn Iterator<Item = Step>> =
            Box::new(sections.flat_map(|Section { steps, times }| (0..times).flat_map(move |_| steps.clone())));
        let next = steps.next();
        Ok(Client {
            stream,
            script,
            steps,
            next,
            unwritten: 0..0,
            flight: VecDeque::new(),
            in_flight: 0,
            lines: 0,
            buffer: vec![0; 64 << 10],
        })
    }

    /// Blocking, to the last reply.
    fn send_all(&mut self) -> io::Result<()> {
        loop {
            while let Some(bytes) = self.next_bytes() {
                self.stream.write_all(bytes)?;
                self.unwritten = 0..0;
            }
            if self.is_done() {
                return Ok(());
            }
            self.read()?;
        }
    }

    /// What may be written now.
    fn next_bytes(&mut self) -> Option<&'a [u8]> {
        if self.unwritten.is_empty() {
            let step = self.next.as_ref()?;
            let length = step.range.len();
            if !self.flight.is_empty() && self.in_flight + length > self.script.window {
                return None;
            }
            self.flight.push_back((step.lines, length));
            self.in_flight += length;
            self.unwritten = step.range.clone();
            self.next = self.steps.next();
        }
        self.script.bytes.get(self.unwritten.clone())
    }

    fn is_done(&self) -> bool {
        self.flight.is_empty() && self.next.is_none()
    }

    fn read(&mut self) -> io::Result<()> {
        let length = self.stream.read(&mut self.buffer)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.lines += memchr_iter(b'\n', self.buffer.get(..length).unwrap_or_default()).count();
        while let Some((_, length)) =
            self.flight.pop_front_if(|(lines, _)| *lines <= self.lines).inspect(|(lines, _)| self.lines -= lines)
        {
            self.in_flight -= length;
        }
        Ok(())
    }

    fn quit(mut self) -> io::Result<()> {
        self.stream.set_nonblocking(false)?;
        self.stream.write_all(b"QUIT\r\n")?;
        read_reply(&mut self.stream)
    }
}

/// All connections to their last replies, in one thread.
fn send_all(clients: &mut [Client]) -> io::Result<()> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (number, client) in clients.iter().enumerate() {
        client.stream.set_nonblocking(true)?;
        let both = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        epoll::add(&epoll, &client.stream, epoll::EventData::new_u64(number as u64), both)?;
    }
    let mut open = clients.len();
    let mut events = [MaybeUninit::uninit(); 64];
    while open > 0 {
        for event in epoll::wait(&epoll, &mut events, None)?.0 {
            let Some(client) = clients.get_mut(event.data.u64() as usize) else { continue };
            if client.is_done() {
                continue;
            }
            let flags = event.flags;
            if flags.contains(epoll::EventFlags::IN) {
                match client.read() {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    other => other?,
                }
            }
            while let Some(bytes) = client.next_bytes() {
                match client.stream.write(bytes) {
                    Ok(length) => client.unwritten.start += length,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
            open -= usize::from(client.is_done());
        }
    }
    Ok(())
}

/// Reads to the end of a reply, which must be a good one, and of which nothing must come behind it.
fn read_reply(stream: &mut TcpStream) -> io::Result<()> {
    let mut reply = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let length = stream.read(&mut buffer)?;
        reply.extend_from_slice(buffer.get(..length).unwrap_or_default());
        let last = reply.strip_suffix(b"\r\n").and_then(|lines| lines.rsplit(|&byte| byte == b'\n').next());
        match last {
            _ if length == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            Some([b'2' | b'3', _, _]) | Some([b'2' | b'3', _, _, b' ', ..]) => return Ok(()),
            Some([_, _, _, b'-', ..]) | None => {}
            Some(line) => return Err(io::Error::other(String::from_utf8_lossy(line).into_owned())),
        }
    }
}
