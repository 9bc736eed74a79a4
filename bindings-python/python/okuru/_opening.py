"""From an address to a socket that is connected: one try after the other, without waiting."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any, Optional

from okuru._link import lost

#: (family, address)
Place = tuple[int, Any]


class Opening:
    """A connection that is being opened.

    ``begin`` tries the next address. Where that takes time, the socket becomes writable, and ``proceed`` says what has come of
    it. Each try has its share of the time.
    """

    def __init__(self, number: int, server: str, places: list[Place], source: Optional[str], deadline: int) -> None:
        self.number, self.server = number, server
        self.deadline = deadline
        self.socket: Optional[socket.socket] = None
        self.failure = ("connect.failed", "there is no address to connect to")
        self._source = source
        self._places = places

    def begin(self, now: int) -> bool:
        """Tries the next address. Says whether there was one left. Then ``until`` is how long it may take."""
        while self._places:
            family, place = self._places.pop(0)
            self.until = now + (self.deadline - now) // (len(self._places) + 1)
            try:
                self.socket = socket.socket(family, socket.SOCK_STREAM)
                self.socket.setblocking(False)
                if self._source is not None and family != getattr(socket, "AF_UNIX", None):
                    self.socket.bind((self._source, 0))
                failed = self.socket.connect_ex(place)
            except OSError as error:
                failed = error.errno or errno.EIO
            if failed in (0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN):
                return True
            self.give_up(failed)
        return False

    def is_connected(self) -> bool:
        """To be asked when the socket is writable. If it failed, the next address is to be tried."""
        assert self.socket is not None
        failed = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            self.give_up(failed)
            return False
        if self.socket.family != getattr(socket, "AF_UNIX", None):
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return True

    def give_up(self, failed: int) -> None:
        """This address is of no use."""
        self.failure = lost(OSError(failed, os.strerror(failed)))
        self.close()

    def close(self) -> None:
        """Closes the socket, if there is one."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def literal(host: str, port: int) -> Optional[Place]:
    """The place of an address that need not be looked up."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host.partition("%")[0])
        except OSError:
            continue
        return family, (host, port)
    return None


def look_up(host: str, port: int) -> list[Place]:
    """The places of a host by its name. It may take long."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, place) for family, _, _, _, place in found]


def local_address(connected: socket.socket) -> Optional[str]:
    """Where a connection comes from."""
    if connected.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    name = connected.getsockname()
    return str(name[0]).partition("%")[0]
