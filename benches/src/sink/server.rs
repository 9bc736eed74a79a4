//! The sockets: one thread that waits for all of them at once.

use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::net::sockopt::set_tcp_quickack;

use super::delay::{Arrival, Delay};
use super::session::{Offer, Session};
use super::totals::Totals;

/// What one read takes at most. Less costs more reads of many small messages; more falls out of the cache.
const READ: usize = 256 << 10;

/// A client that does not read its replies is not read from while so many bytes of them wait.
const UNREAD_REPLIES: usize = 16 << 20;

const LISTENER: u64 = u64::MAX;
const CONTROL: u64 = u64::MAX - 1;

#[derive(Clone, Debug, Default)]
pub struct Options {
    pub offer: Offer,
    /// How late everything that arrives is looked at; not at all when zero.
    pub round_trip: Duration,
    /// Acknowledge every segment at once, so that a client which left Nagle's algorithm on need not wait for it.
    pub quick_ack: bool,
}

/// A sink that listens.
pub struct Server {
    options: Options,
    listener: TcpListener,
    epoll: rustix::fd::OwnedFd,
    /// By number. A number is never used twice, so what is late can't reach the wrong one.
    connections: Vec<Option<Box<Connection>>>,
    delay: Delay,
    /// Those that are not read from until there is room.
    paused: Vec<usize>,
    buffer: Vec<u8>,
    totals: Totals,
}

struct Connection {
    stream: TcpStream,
    /// None until its greeting is due.
    session: Option<Session>,
    replies: Vec<u8>,
    sent: usize,
    /// Since it last had to wait for bytes.
    has_answered: bool,
    /// Had answered, and had nothing more to look at.
    waits: bool,
    /// How many arrivals the delay holds.
    late: usize,
    has_ended: bool,
    interest: epoll::EventFlags,
}

impl Server {
    pub fn listen(addr: SocketAddr, options: Options) -> io::Result<Server> {
        let listener = TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        Ok(Server {
            delay: Delay::new(options.round_trip),
            options,
            listener,
            epoll,
            connections: Vec::new(),
            paused: Vec::new(),
            buffer: vec![0; READ],
            totals: Totals::default(),
        })
    }

    pub fn addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `control`, a pipe or a terminal, comes to its end.
    pub fn serve(mut self, control: impl AsFd) -> io::Result<Totals> {
        let mut control = File::from(control.as_fd().try_clone_to_owned()?);
        epoll::add(&self.epoll, &control, epoll::EventData::new_u64(CONTROL), epoll::EventFlags::IN)?;
        let mut events = [MaybeUninit::uninit(); 256];
        loop {
            let timeout = self.delay.due().map(|due| until(due, Instant::now()));
            let (ready, _) = match epoll::wait(&self.epoll, &mut events, timeout.as_ref()) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            for event in ready {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    CONTROL => {
                        if control.read(&mut [0; 64])? == 0 {
                            return Ok(self.totals);
                        }
                    }
                    number => self.wake(number as usize, event.flags),
                }
            }
            self.look_at_what_is_due();
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let number = self.connections.len();
            let interest = epoll::EventFlags::IN;
            epoll::add(&self.epoll, &stream, epoll::EventData::new_u64(number as u64), interest)?;
            self.totals.connections += 1;
            self.connections.push(Some(Box::new(Connection {
                stream,
                session: None,
                replies: Vec::new(),
                sent: 0,
                has_answered: false,
                waits: false,
                late: 0,
                has_ended: false,
                interest,
            })));
            if self.is_late() {
                self.postpone(number, Arrival::Opening);
            } else {
                self.open(number);
                self.settle(number, true);
            }
        }
    }

    fn is_late(&self) -> bool {
        !self.options.round_trip.is_zero()
    }

    fn connection(&mut self, number: usize) -> Option<&mut Connection> {
        self.connections.get_mut(number)?.as_deref_mut()
    }

    fn wake(&mut self, number: usize, flags: epoll::EventFlags) {
        if flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR) {
            self.read(number);
        }
        if flags.contains(epoll::EventFlags::OUT) {
            self.settle(number, true);
        }
    }

    fn read(&mut self, number: usize) {
        if self.is_late() && !self.delay.has_room() {
            self.paused.push(number);
            self.set_interest(number);
            return;
        }
        let Some(Some(connection)) = self.connections.get_mut(number) else { return };
        if connection.has_ended {
            return;
        }
        let length = match (&connection.stream).read(&mut self.buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            // A reset: there is nobody left to answer.
            Err(_) => return self.close(number),
        };
        if self.options.quick_ack {
            // Only a wish: the kernel takes it back when it likes, and a dead socket is noticed at the next read.
            let _ = set_tcp_quickack(&connection.stream, true);
        }
        if length > 0 && core::mem::take(&mut connection.waits) {
            self.totals.round_trips += 1;
            if !connection.session.as_ref().is_some_and(Session::has_mail) {
                self.totals.setup_round_trips += 1;
            }
        }
        match (self.is_late(), length) {
            (true, 0) => self.postpone(number, Arrival::End),
            (true, _) => {
                let bytes = self.buffer.get(..length).unwrap_or_default().to_vec();
                self.postpone(number, Arrival::Bytes(bytes));
            }
            (false, 0) => self.end(number),
            (false, _) => {
                let buffer = core::mem::take(&mut self.buffer);
                self.receive(number, buffer.get(..length).unwrap_or_default());
                self.buffer = buffer;
                // A buffer that was not filled held all there was.
                self.settle(number, length < READ);
            }
        }
    }

    fn postpone(&mut self, number: usize, arrival: Arrival) {
        if let Some(connection) = self.connection(number) {
            connection.late += 1;
            connection.has_ended |= matches!(arrival, Arrival::End);
            self.delay.push(number, arrival);
            self.set_interest(number);
        }
    }

    fn look_at_what_is_due(&mut self) {
        if self.delay.due().is_none() {
            return;
        }
        let now = Instant::now();
        while let Some((number, arrival)) = self.delay.pop(now) {
            let Some(connection) = self.connection(number) else { continue };
            connection.late -= 1;
            let is_all = connection.late == 0;
            match arrival {
                Arrival::Opening => self.open(number),
                Arrival::Bytes(bytes) => self.receive(number, &bytes),
                Arrival::End => self.end(number),
            }
            self.settle(number, is_all);
        }
        if self.delay.has_room() {
            for number in core::mem::take(&mut self.paused) {
                self.set_interest(number);
            }
        }
    }

    fn open(&mut self, number: usize) {
        if let Some(connection) = self.connection(number) {
            connection.session = Some(Session::open(&mut connection.replies));
            connection.has_answered = true;
        }
    }

    fn receive(&mut self, number: usize, bytes: &[u8]) {
        let Some(Some(connection)) = self.connections.get_mut(number) else { return };
        let Some(session) = &mut connection.session else { return };
        let (before, messages) = (connection.replies.len(), self.totals.messages);
        session.receive(bytes, &self.options.offer, &mut connection.replies, &mut self.totals);
        connection.has_answered |= connection.replies.len() > before;
        if self.totals.messages > messages {
            self.totals.last_message = Some(Instant::now());
        }
    }

    fn end(&mut self, number: usize) {
        if let Some(connection) = self.connection(number) {
            connection.has_ended = true;
        }
    }

    /// Sends what there is to say, and decides what the connection waits for; `is_all` if nothing of it is left to look at.
    fn settle(&mut self, number: usize, is_all: bool) {
        let Some(connection) = self.connection(number) else { return };
        if connection.send().is_err() {
            return self.close(number);
        }
        let is_over =
            connection.session.as_ref().is_some_and(Session::is_over) || (connection.has_ended && connection.late == 0);
        if is_over && connection.replies.is_empty() {
            return self.close(number);
        }
        if is_all && connection.has_answered && connection.session.as_ref().is_some_and(Session::is_between) {
            connection.has_answered = false;
            connection.waits = true;
        }
        self.set_interest(number);
    }

    fn set_interest(&mut self, number: usize) {
        let is_paused = self.paused.contains(&number);
        let Some(Some(connection)) = self.connections.get_mut(number) else { return };
        let mut interest = epoll::EventFlags::empty();
        let is_over = connection.session.as_ref().is_some_and(Session::is_over);
        let reads = !is_paused && !is_over && !connection.has_ended && connection.replies.len() < UNREAD_REPLIES;
        interest.set(epoll::EventFlags::IN, reads);
        interest.set(epoll::EventFlags::OUT, !connection.replies.is_empty());
        if interest != connection.interest {
            connection.interest = interest;
            let data = epoll::EventData::new_u64(number as u64);
            if epoll::modify(&self.epoll, &connection.stream, data, interest).is_err() {
                self.close(number);
            }
        }
    }

    /// Dropping the stream takes it out of epoll too.
    fn close(&mut self, number: usize) {
        if let Some(place) = self.connections.get_mut(number) {
            *place = None;
        }
    }
}

impl Connection {
    /// Sends as much as the socket takes.
    fn send(&mut self) -> io::Result<()> {
        while let Some(rest) = self.replies.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match (&self.stream).write(rest) {
                Ok(length) => self.sent += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.replies.clear();
        self.sent = 0;
        Ok(())
    }
}

fn until(due: Instant, now: Instant) -> Timespec {
    let left = due.saturating_duration_since(now);
    Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) }
}
