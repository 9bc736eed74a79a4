//! Reaches the server.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use okuru_core::Error;
use okuru_core::client::ServerAddress;
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::stream::Stream;
use crate::acknowledgement::Acknowledgement;
use crate::connect::proxy::{Next, Proxy};
use crate::connect::race::Race;
use crate::connect::{begin, error_of, resolve, too_late};
use crate::courier::Opened;
use crate::options::Options;

/// Connects to the server of `options`, through the proxy if there is one. Trust is left out.
pub(super) async fn connect(options: Arc<Options>, within: Duration) -> Result<(Stream, Opened), Error> {
    let end = Instant::now() + within;
    timeout_at(end, connect_in_time(&options)).await.unwrap_or_else(|_| Err(too_late(&options.host())))
}

async fn connect_in_time(options: &Options) -> Result<(Stream, Opened), Error> {
    match (&options.address, &options.proxy) {
        (ServerAddress::Socket(path), _) => {
            let address = path.clone();
            let connected = connect_path(path.as_ref()).await;
            let stream = connected.map_err(|error| error_of(&format!("connecting to {address}"), &error))?;
            Ok((stream, Opened::new(address, None, Vec::new())))
        }
        (ServerAddress::Host(host, port), None) => {
            let (stream, address) = connect_host(host, *port, options).await?;
            Ok(opened(stream, address, Vec::new()))
        }
        (ServerAddress::Host(host, port), Some(proxy)) => {
            let (stream, address) = connect_host(&proxy.host, proxy.port, options).await?;
            let early = open_tunnel(&stream, proxy, host, *port).await?;
            Ok(opened(stream, address, early))
        }
    }
}

fn opened(stream: TcpStream, address: SocketAddr, early: Vec<u8>) -> (Stream, Opened) {
    let local = stream.local_addr().ok().map(|local| local.ip());
    (Stream::Tcp(stream, Acknowledgement::default()), Opened::new(address.to_string(), local, early))
}

#[cfg(unix)]
async fn connect_path(path: &std::path::Path) -> io::Result<Stream> {
    tokio::net::UnixStream::connect(path).await.map(Stream::Unix)
}

#[cfg(not(unix))]
async fn connect_path(_: &std::path::Path) -> io::Result<Stream> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "there are no Unix sockets here"))
}

async fn connect_host(host: &str, port: u16, options: &Options) -> Result<(TcpStream, SocketAddr), Error> {
    let addresses = match resolve::literal(host, port) {
        Some(address) => vec![address],
        None => look_up(host, port).await?,
    };
    let clock = Instant::now();
    let mut race = Race::new(addresses, options.source);
    let mut running: Vec<(SocketAddr, TcpStream)> = Vec::new();
    let mut timer = pin!(sleep_until(clock));
    poll_fn(|context| {
        loop {
            let now = clock.elapsed();
            while let Some(address) = race.start(now) {
                match begin(address, options.source).and_then(|socket| TcpStream::from_std(socket.into())) {
                    Ok(stream) => running.push((address, stream)),
                    Err(error) => race.failed(now, address, error),
                }
            }
            let mut index = 0;
            while let Some((_, stream)) = running.get(index) {
                let Poll::Ready(ready) = stream.poll_write_ready(context) else {
                    index += 1;
                    continue;
                };
                let (address, stream) = running.swap_remove(index);
                match ready.and_then(|()| stream.take_error()) {
                    Ok(None) => return Poll::Ready(Ok((stream, address))),
                    Ok(Some(error)) | Err(error) => race.failed(clock.elapsed(), address, error),
                }
            }
            if race.is_lost() {
                return Poll::Ready(Err(race.error(host)));
            }
            let Some(next) = race.next_start() else {
                return Poll::Pending;
            };
            timer.as_mut().reset(clock + next);
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}

async fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    let name = host.to_owned();
    let found = spawn_blocking(move || resolve::resolve(&name, port)).await;
    found.unwrap_or_else(|error| Err(error_of(&format!("looking up {host}"), &error.into())))
}

/// Goes through the proxy, and gives what the server has said already.
async fn open_tunnel(stream: &TcpStream, proxy: &Proxy, host: &str, port: u16) -> Result<Vec<u8>, Error> {
    let broken = |error: io::Error| error_of(&format!("talking to the proxy {}", proxy.host), &error);
    let mut tunnel = proxy.tunnel(host, port);
    let mut input = Vec::new();
    loop {
        match tunnel.next(&mut input)? {
            Next::Open => return Ok(input),
            Next::Write(bytes) => {
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    stream.writable().await.map_err(broken)?;
                    match stream.try_write(rest) {
                        Ok(length) => rest = rest.get(length..).unwrap_or_default(),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(error) => return Err(broken(error)),
                    }
                }
            }
            Next::Read => {
                let mut buffer = [0; 4096];
                stream.readable().await.map_err(broken)?;
                match stream.try_read(&mut buffer) {
                    Ok(0) => return Err(broken(io::ErrorKind::UnexpectedEof.into())),
                    Ok(length) => input.extend_from_slice(buffer.get(..length).unwrap_or_default()),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(broken(error)),
                }
            }
        }
    }
}
