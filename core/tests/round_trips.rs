//! How often a connection waits for the server, counted from both sides: by the server, which counts how often it had
//! answered everything and then saw more; and by the outcomes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use okuru_core::client::{
    Body, Config, Connection, Envelope, Event, Message, Outcome, Output, Pipelining, Summary, Tls,
};
use okuru_core::syntax::{Command, ForwardPath, Inspection, MailParameters};

const MESSAGES: u64 = 1000;
const CONTENT: &[u8] = b"Subject: how often\r\n\r\n.a line with a dot\r\n";

#[test]
fn one_command_at_a_time() {
    // MAIL, two RCPT, DATA, the content.
    assert_eq!(round_trips(Pipelining::None, "250 SMTP", 2), 5 * MESSAGES);
    assert_eq!(round_trips(Pipelining::Streaming, "250 8BITMIME", 1), 4 * MESSAGES);
}

#[test]
fn two_a_message() {
    assert_eq!(round_trips(Pipelining::Message, "250 PIPELINING", 1), 2 * MESSAGES);
    assert_eq!(round_trips(Pipelining::Message, "250 PIPELINING", 100), 2 * MESSAGES);
}

#[test]
fn one_a_message_in_a_steady_stream() {
    // One more for the first envelope, which has no content to go with.
    assert_eq!(round_trips(Pipelining::Session, "250 PIPELINING", 1), MESSAGES + 1);
    assert_eq!(round_trips(Pipelining::Session, "250 PIPELINING", 100), MESSAGES + 1);
    assert_eq!(round_trips(Pipelining::Streaming, "250 PIPELINING", 1), MESSAGES + 1);
}

#[test]
fn next_to_none() {
    let trips = round_trips(Pipelining::Streaming, "250-PIPELINING\r\n250 CHUNKING", 1);
    assert!(trips < MESSAGES / 50, "{trips}");
}

/// Sends a thousand messages, and counts the round trips from the first MAIL on.
fn round_trips(pipelining: Pipelining, offers: &str, recipients: usize) -> u64 {
    let config =
        Config { tls: Tls::None, pipelining, ..Config::new("server.example", "client.example".parse().unwrap()) };
    let recipient = |number: usize| format!("<r{number}@server.example>").parse::<ForwardPath>().unwrap().into();
    let envelope = Arc::new(Envelope {
        reverse_path: "<sender@client.example>".parse().unwrap(),
        parameters: MailParameters::default(),
        recipients: (0..recipients).map(recipient).collect(),
    });
    let mut server = Server::new(offers);
    let outcomes = send(config, &envelope, &mut server);
    assert_eq!(outcomes.len() as u64, MESSAGES);
    assert!(outcomes.iter().all(|outcome| outcome.summary() == Summary::Accepted));
    let told: u64 = outcomes.iter().map(|outcome| u64::from(outcome.round_trips)).sum();
    assert_eq!(told, server.round_trips, "what the outcomes tell is what the server saw");
    server.round_trips
}

fn send(config: Config, envelope: &Arc<Envelope>, server: &mut Server) -> Vec<Outcome> {
    let now = Duration::ZERO;
    let mut connection = Connection::new(config);
    let (mut outcomes, mut gathered, mut submitted) = (Vec::new(), Vec::new(), 0);
    loop {
        while submitted < MESSAGES && connection.wants_message() {
            connection.submit(Message::new(Arc::clone(envelope), Body::Whole(Inspection::of(CONTENT))));
            submitted += 1;
        }
        match connection.poll(now) {
            Output::Write(bytes) => gathered.extend(bytes),
            Output::WriteBody { range, .. } => {
                gathered.extend(&CONTENT[range.start as usize..range.end as usize]);
            }
            Output::ReadBody { message, offset } => {
                connection.content(now, message, &CONTENT[offset as usize..]);
            }
            Output::Event(Event::Finished(outcome)) => {
                outcomes.push(outcome);
                if outcomes.len() as u64 == MESSAGES {
                    return outcomes;
                }
            }
            Output::Event(_) => {}
            Output::Wait { .. } if submitted < MESSAGES && connection.wants_message() => {}
            Output::Wait { .. } => {
                connection.written(now, gathered.len() as u64);
                let replies = server.answer(&std::mem::take(&mut gathered));
                connection.receive(now, replies.as_bytes());
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Takes everything, and counts.
struct Server {
    offers: String,
    input: VecDeque<u8>,
    /// How much of a BDAT chunk is still to come.
    chunk: u64,
    in_data: bool,
    mail_seen: bool,
    round_trips: u64,
}

impl Server {
    fn new(offers: &str) -> Self {
        Self {
            offers: offers.into(),
            input: VecDeque::new(),
            chunk: 0,
            in_data: false,
            mail_seen: false,
            round_trips: 0,
        }
    }

    /// Answers all that one write brought.
    fn answer(&mut self, bytes: &[u8]) -> String {
        self.input.extend(bytes);
        let mut replies = String::new();
        if bytes.is_empty() {
            replies.push_str("220 server.example\r\n");
        }
        while let Some(reply) = self.step() {
            replies.push_str(&reply);
        }
        self.round_trips += u64::from(self.mail_seen);
        replies
    }

    fn step(&mut self) -> Option<String> {
        if self.chunk > 0 {
            let taken = self.input.len().min(self.chunk as usize);
            self.input.drain(..taken);
            self.chunk -= taken as u64;
            return (self.chunk == 0).then(|| "250 taken\r\n".into());
        }
        let end = self.input.iter().position(|&byte| byte == b'\n')? + 1;
        let line: Vec<u8> = self.input.drain(..end).collect();
        if self.in_data {
            self.in_data = line != b".\r\n";
            return Some(if self.in_data { String::new() } else { "250 taken\r\n".into() });
        }
        Some(match Command::parse(&line).unwrap() {
            Command::Ehlo(_) => format!("250-server.example\r\n{}\r\n", self.offers),
            Command::Mail { .. } => {
                self.mail_seen = true;
                "250 ok\r\n".into()
            }
            Command::Rcpt { .. } | Command::Rset => "250 ok\r\n".into(),
            Command::Data => {
                self.in_data = true;
                "354 go\r\n".into()
            }
            Command::Bdat { size, last } => {
                assert!(last);
                self.chunk = size;
                String::new()
            }
            other => panic!("{other:?}"),
        })
    }
}
