//! Reaches the server, and waits for it.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use okuru_core::Error;
use okuru_core::client::ServerAddress;
use rustix::event::{PollFd, PollFlags};
use socket2::Socket as RawSocket;

use super::socket::{Socket, poll_all};
use crate::connect::proxy::{Next, Proxy};
use crate::connect::race::Race;
use crate::connect::{begin, error_of, resolve, too_late};
use crate::courier::Opened;
use crate::options::Options;
use crate::transport::Transport as _;

/// Connects to the server of `options`, through the proxy if there is one. Trust is left out.
pub(super) fn connect(options: &Options, within: Duration) -> Result<(Socket, Opened), Error> {
    let end = Instant::now() + within;
    match (&options.address, &options.proxy) {
        (ServerAddress::Socket(path), _) => {
            let address = path.clone();
            let socket =
                connect_path(path.as_ref()).map_err(|error| error_of(&format!("connecting to {address}"), &error))?;
            Ok((socket, Opened::new(address, None, Vec::new())))
        }
        (ServerAddress::Host(host, port), None) => {
            let (socket, address) = connect_host(host, *port, options, end)?;
            let opened = opened(&socket, address, Vec::new());
            Ok((socket, opened))
        }
        (ServerAddress::Host(host, port), Some(proxy)) => {
            let (mut socket, address) = connect_host(&proxy.host, proxy.port, options, end)?;
            let early = open_tunnel(&mut socket, proxy, host, *port, end)?;
            let opened = opened(&socket, address, early);
            Ok((socket, opened))
        }
    }
}

fn opened(socket: &Socket, address: SocketAddr, early: Vec<u8>) -> Opened {
    let local = socket.raw().local_addr().ok().and_then(|local| local.as_socket());
    Opened::new(address.to_string(), local.map(|local| local.ip()), early)
}

#[cfg(unix)]
fn connect_path(path: &std::path::Path) -> io::Result<Socket> {
    Socket::new(std::os::unix::net::UnixStream::connect(path)?.into())
}

#[cfg(not(unix))]
fn connect_path(_: &std::path::Path) -> io::Result<Socket> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "there are no Unix sockets here"))
}

fn connect_host(host: &str, port: u16, options: &Options, end: Instant) -> Result<(Socket, SocketAddr), Error> {
    let addresses = match resolve::literal(host, port) {
        Some(address) => vec![address],
        None => look_up(host, port, end)?,
    };
    let clock = Instant::now();
    let mut race = Race::new(addresses, options.source);
    let mut running: Vec<(SocketAddr, RawSocket)> = Vec::new();
    loop {
        let now = clock.elapsed();
        while let Some(address) = race.start(now) {
            match begin(address, options.source) {
                Ok(socket) => running.push((address, socket)),
                Err(error) => race.failed(now, address, error),
            }
        }
        if race.is_lost() {
            return Err(race.error(host));
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(too_late(host));
        }
        let next = race.next_start().map_or(left, |next| next.saturating_sub(now).min(left));
        let mut polled: Vec<_> = running.iter().map(|(_, socket)| PollFd::new(socket, PollFlags::OUT)).collect();
        poll_all(&mut polled, Some(next)).map_err(|error| error_of(&format!("connecting to {host}"), &error))?;
        let settled: Vec<_> = polled.iter().map(|it| !it.revents().is_empty()).collect();
        let mut settled = settled.into_iter();
        for (address, socket) in running.extract_if(.., |_| settled.next().unwrap_or(false)) {
            let error = match socket.take_error() {
                Ok(None) => match Socket::new(socket) {
                    Ok(socket) => return Ok((socket, address)),
                    Err(error) => error,
                },
                Ok(Some(error)) | Err(error) => error,
            };
            race.failed(clock.elapsed(), address, error);
        }
    }
}

/// The system may take its time; the thread that asks it is left behind then.
fn look_up(host: &str, port: u16, end: Instant) -> Result<Vec<SocketAddr>, Error> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let name = host.to_owned();
    thread::Builder::new()
        .name("okuru look-up".to_owned())
        .spawn(move || sender.send(resolve::resolve(&name, port)))
        .map_err(|error| error_of(&format!("looking up {host}"), &error))?;
    let left = end.saturating_duration_since(Instant::now());
    receiver.recv_timeout(left).unwrap_or_else(|_| Err(too_late(host)))
}

/// Goes through the proxy, and gives what the server has said already.
fn open_tunnel(socket: &mut Socket, proxy: &Proxy, host: &str, port: u16, end: Instant) -> Result<Vec<u8>, Error> {
    let broken = |error: io::Error| error_of(&format!("talking to the proxy {}", proxy.host), &error);
    let mut tunnel = proxy.tunnel(host, port);
    let mut input = Vec::new();
    loop {
        match tunnel.next(&mut input)? {
            Next::Open => return Ok(input),
            Next::Write(bytes) => {
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    match socket.try_write(&[IoSlice::new(rest)]) {
                        Ok(length) => rest = rest.get(length..).unwrap_or_default(),
                        Err(error) if is_early(&error) => {
                            socket.wait_for_room(Some(left(end, &proxy.host)?)).map_err(broken)?;
                        }
                        Err(error) => return Err(broken(error)),
                    }
                }
            }
            Next::Read => {
                let mut buffer = [0; 4096];
                match socket.read(&mut buffer, Some(left(end, &proxy.host)?)) {
                    Ok(0) => return Err(broken(io::ErrorKind::UnexpectedEof.into())),
                    Ok(length) => input.extend_from_slice(buffer.get(..length).unwrap_or_default()),
                    Err(error) if is_early(&error) => {}
                    Err(error) => return Err(broken(error)),
                }
            }
        }
    }
}

fn is_early(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn left(end: Instant, host: &str) -> Result<Duration, Error> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(too_late(host)) } else { Ok(left) }
}
