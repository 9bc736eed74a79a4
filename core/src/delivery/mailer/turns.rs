//! What the connections say, and whom it is for.

use alloc::sync::Arc;
use core::time::Duration;

use super::links::{LinkState, Purpose};
use super::machine::Mailer;
use super::output::{ConnectionId, Event, Output};
use crate::client::{self, Body, Closed, Failure};
use crate::delivery::dispatcher::{Content, SessionId};
use crate::pop3;

impl Mailer {
    /// Lets a connection say one thing.
    pub(super) fn turn(&mut self, now: Duration, connection: ConnectionId) -> Option<Output> {
        match self.links.get_mut(connection) {
            Some(LinkState::Messages(session)) => {
                let output = session.machine.poll(now);
                self.session_says(now, connection, output)
            }
            Some(LinkState::LogIn(log_in)) => {
                let output = log_in.machine.poll(now);
                self.log_in_says(now, connection, output)
            }
            Some(LinkState::Opening(_)) | None => {
                self.links.rest(None);
                None
            }
        }
    }

    fn session_says(&mut self, now: Duration, connection: ConnectionId, output: client::Output) -> Option<Output> {
        let Some(LinkState::Messages(session)) = self.links.get_mut(connection) else {
            return None;
        };
        Some(match output {
            client::Output::Write(bytes) => Output::Write { connection, bytes },
            client::Output::WriteBody { message, range } => {
                Output::WriteBody { connection, message: session.flying(message)?.message, range }
            }
            client::Output::ReadBody { message, offset } => {
                Output::ReadBody { connection, message: session.flying(message)?.message, offset }
            }
            client::Output::StartTls { server_name, verify } => Output::StartTls { connection, server_name, verify },
            client::Output::GetToken => Output::GetToken { connection, server: Arc::clone(&session.server) },
            client::Output::Event(client::Event::Finished(outcome)) => {
                let flying = session.landed(outcome.message)?;
                let content = match self.messages.get(&flying.message).map(|message| message.body) {
                    Some(Body::Stream { rewindable: false, .. }) if outcome.progress >= client::Progress::Content => {
                        Content::Spent
                    }
                    _ => Content::Whole,
                };
                self.dispatcher.finished(now, flying.delivery, &outcome, content);
                return None;
            }
            client::Output::Event(event) => {
                match &event {
                    client::Event::Ready => {
                        self.dispatcher.ready(now, session.id, session.machine.capabilities());
                    }
                    client::Event::PipeliningReduced => self.dispatcher.pipelining_reduced(session.id),
                    client::Event::Reply { .. } => self.dispatcher.checked(now, session.id),
                    _ => {}
                }
                Output::Event(Event::Connection { connection, server: Arc::clone(&session.server), event })
            }
            client::Output::Wait { deadline } => {
                if session.machine.is_ready() && session.machine.wants_message() {
                    self.dispatcher.wants_more(session.id);
                }
                self.links.rest(deadline);
                return None;
            }
            client::Output::Closed(closed) => {
                self.over(now, connection, closed);
                return None;
            }
        })
    }

    fn log_in_says(&mut self, now: Duration, connection: ConnectionId, output: pop3::Output) -> Option<Output> {
        let Some(LinkState::LogIn(log_in)) = self.links.get_mut(connection) else {
            return None;
        };
        Some(match output {
            pop3::Output::Write(bytes) => Output::Write { connection, bytes },
            pop3::Output::StartTls { server_name, verify } => Output::StartTls { connection, server_name, verify },
            pop3::Output::GetToken => Output::GetToken { connection, server: Arc::clone(&log_in.server) },
            pop3::Output::Event(event) => {
                if matches!(event, pop3::Event::LoggedIn(_)) {
                    log_in.is_told = true;
                    self.dispatcher.logged_in(now, &log_in.server, Ok(()));
                }
                Output::Event(Event::LogIn { connection, server: Arc::clone(&log_in.server), event })
            }
            pop3::Output::Wait { deadline } => {
                self.links.rest(deadline);
                return None;
            }
            pop3::Output::Closed(pop3::Closed::Quit) => {
                self.over(now, connection, Closed::Quit);
                return None;
            }
            pop3::Output::Closed(pop3::Closed::Failed(failure)) => {
                self.over(now, connection, Closed::Failed(Failure { error: failure.error, reply: None }));
                return None;
            }
        })
    }

    /// A connection is over: the socket may go, and the dispatcher learns why.
    pub(super) fn over(&mut self, now: Duration, connection: ConnectionId, closed: Closed) {
        let Some(link) = self.links.remove(connection) else {
            return;
        };
        let server = match link {
            LinkState::Messages(session) => self.session_over(now, session.id, session.server, &closed),
            LinkState::Opening(Purpose::Messages(open)) => self.session_over(now, open.session, open.host, &closed),
            LinkState::LogIn(log_in) => self.log_in_over(now, log_in.server, &closed, log_in.is_told),
            LinkState::Opening(Purpose::LogIn(server)) => self.log_in_over(now, server, &closed, false),
        };
        self.outputs.push_back(Output::Close { connection });
        self.outputs.push_back(Output::Event(Event::Closed { connection, server, closed }));
    }

    fn session_over(&mut self, now: Duration, session: SessionId, server: Arc<str>, closed: &Closed) -> Arc<str> {
        self.dispatcher.closed(now, session, closed);
        server
    }

    fn log_in_over(&mut self, now: Duration, server: Arc<str>, closed: &Closed, is_told: bool) -> Arc<str> {
        if let Closed::Failed(failure) = closed
            && !is_told
        {
            self.dispatcher.logged_in(now, &server, Err(failure.clone()));
        }
        server
    }
}
