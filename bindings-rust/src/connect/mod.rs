//! What both clients need to reach a server, apart from the waiting.

mod http_connect;
pub(crate) mod proxy;
pub(crate) mod race;
pub(crate) mod resolve;
mod socks5;

use std::io;
use std::net::{IpAddr, SocketAddr};

use okuru_core::{Error, ErrorCode, Step};
use socket2::{Domain, Protocol, Socket, Type};

/// A socket that does not block and has begun to connect. It is connected, or has failed, once it can be written to.
pub(crate) fn begin(address: SocketAddr, source: Option<IpAddr>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Whatever goes in one write has been put together already; waiting for more would only cost time.
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = source {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&address.into()) {
        Err(error) if !is_in_progress(&error) => Err(error),
        _ => Ok(socket),
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::INPROGRESS | Errno::WOULDBLOCK))
}

/// Why a connection did not come about. `doing` begins the sentence, like "connecting to mx.example".
pub(crate) fn error_of(doing: &str, error: &io::Error) -> Error {
    use io::ErrorKind;
    let code = match error.kind() {
        ErrorKind::ConnectionRefused => ErrorCode::ConnectRefused,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
            ErrorCode::ConnectUnreachable
        }
        ErrorKind::TimedOut => ErrorCode::TimeoutConnect,
        _ => ErrorCode::ConnectFailed,
    };
    Error::new(code, format!("{doing} failed: {}", without_number(error))).at(Step::Connect)
}

/// No connection within the time that was allowed.
pub(crate) fn too_late(host: &str) -> Error {
    Error::new(ErrorCode::TimeoutConnect, format!("{host} did not answer in time")).at(Step::Connect)
}

/// Why a connection broke.
pub(crate) fn lost(error: &io::Error) -> Error {
    Error::new(ErrorCode::ConnectLost, format!("the connection broke: {}", without_number(error)))
}

/// What the system says, without the number that means nothing to most.
pub(crate) fn without_number(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" (os error ").map_or(text.as_str(), |(text, _)| text);
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if !letters.as_str().starts_with(char::is_uppercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_codes_and_words() {
        for (kind, code) in [
            (io::ErrorKind::ConnectionRefused, ErrorCode::ConnectRefused),
            (io::ErrorKind::NetworkUnreachable, ErrorCode::ConnectUnreachable),
            (io::ErrorKind::TimedOut, ErrorCode::TimeoutConnect),
            (io::ErrorKind::PermissionDenied, ErrorCode::ConnectFailed),
        ] {
            assert_eq!(error_of("connecting to mx", &kind.into()).code(), code, "{kind:?}");
        }
        #[cfg(target_os = "linux")]
        assert_eq!(
            error_of("connecting to mx", &io::Error::from_raw_os_error(111)).to_string(),
            "connecting to mx failed: connection refused (connecting); check the address and the port."
        );
    }
}
