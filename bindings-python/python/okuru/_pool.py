"""Clients that wait to be used again, in one process and by all of its threads."""

from __future__ import annotations

import atexit
import os
import threading
from typing import Any

from okuru._client import Client

#: So many clients of one kind wait; the others are closed.
MOST_IDLE = 10


class Pool:
    """Clients with the same settings. Each is for one thread at a time: take it, and give it back."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self._url, self._options = url, options
        self._lock = threading.Lock()
        self._idle: list[Client] = [Client(url, **options)]  # what makes no sense is told at once

    def take(self) -> Client:
        """The client that was used last, or a new one."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return Client(self._url, **self._options)

    def give(self, client: Client) -> None:
        """Others may use it."""
        with self._lock:
            if len(self._idle) < MOST_IDLE:
                self._idle.append(client)
                return
        client.close()

    def close(self) -> None:
        """Says good-bye on all connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for client in idle:
            client.close()

    def forget(self) -> None:
        """In a child process: connections are the parent's, and not a word is said on them."""
        self._lock = threading.Lock()
        idle, self._idle = self._idle, []
        for client in idle:
            client.__del__()


class Pools:
    """Pools by their settings, closed when the process ends, and begun anew in each child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools: dict[str, Pool] = {}
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def pool(self, url: str, options: dict[str, Any]) -> Pool:
        """The pool for these settings."""
        key = repr((url, sorted(options.items())))
        with self._lock:
            found = self._pools.get(key)
            if found is None:
                found = self._pools[key] = Pool(url, options)
            return found

    def close(self) -> None:
        """Says good-bye everywhere."""
        with self._lock:
            pools = list(self._pools.values())
        for pool in pools:
            pool.close()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        for pool in self._pools.values():
            pool.forget()
