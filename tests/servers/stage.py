"""The place that servers run in: a folder, ports, and the processes, all gone when it is torn down."""

import ctypes
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HOST = "127.0.0.1"
START_SECONDS = 15
# What they lose by being killed is removed anyway, and Dovecot would take a second of its own.
STOP_SECONDS = 0.3
ROOM_IN_MEMORY = 1 << 30

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """The servers can't start or go on; the sentence is for people."""


class Abandoned(Exception):
    """Nobody wants the servers any more."""


class Stage:
    """`lifeline` is a socket whose other end is open for as long as the servers are wanted. What comes over it is in `orders`."""

    def __init__(self, lifeline):
        self.lifeline = lifeline
        self._guard, self._free_ports = _claim_ports()
        self.folder = tempfile.mkdtemp(prefix="okuru-servers-", dir=_choose_disk())
        os.chmod(self.folder, 0o755)
        self.mail_owner, self.mail_group = _choose_mail_owner()
        self.orders = b""
        self._processes = []
        # Whatever a server leaves behind becomes our child, so that `tear_down` finds it.
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, content, *names, mode=0o644):
        """Writes a file below the folder; returns its path."""
        path = self.path(*names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        os.chmod(path, mode)
        # Postfix waits for two seconds when a file has just changed.
        os.utime(path, (0, 0))
        return path

    def make_maildir(self, *names):
        """Makes an empty Maildir that the mail's owner may write to; returns its path."""
        maildir = self.path("mail", *names)
        for part in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(maildir, part))
        for folder in (maildir, *(os.path.join(maildir, part) for part in ("cur", "new", "tmp"))):
            os.chmod(folder, 0o755)
            if os.geteuid() == 0:
                os.chown(folder, self.mail_owner, self.mail_group)
        return maildir

    def take_port(self):
        return next(self._free_ports)

    def launch(self, command, log):
        """Starts a process that dies with this one. What it prints is added to `log`."""
        with open(log, "ab") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=_die_with_the_parent
            )
        self._processes.append((process, command, log))
        return process

    def kill(self, process, folder):
        """Kills a process, and whatever runs in `folder`; nobody wonders why it is gone."""
        self._processes = [running for running in self._processes if running[0] is not process]
        process.kill()
        process.wait()
        while running := list(_list_running_in(folder)):
            for number in running:
                _kill(number)
            _has_children()
            time.sleep(0.01)

    def wait_until_it_greets(self, host, port, greeting):
        """Waits until a server on `port` says `greeting` first."""
        self.wait_until(lambda: _greets(host, port, greeting), "nothing greets on %s:%d" % (host, port))

    def wait_until(self, condition, complaint):
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise Failure("%s after %d s" % (complaint, START_SECONDS))
            self.rest(0.02)

    def rest(self, seconds):
        """Sleeps, unless a server has died or nobody wants them any more."""
        if select.select([self.lifeline], [], [], seconds)[0]:
            order = self.lifeline.recv(4096)
            if not order:
                raise Abandoned
            self.orders += order
        for process, command, log in self._processes:
            if process.poll() is not None:
                raise Failure("%s ended with status %d; see %s" % (command[0], process.returncode, log))

    def tear_down(self):
        for process, _, _ in self._processes:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while _has_children():
            if time.monotonic() > deadline:
                for child in _list_children():
                    _kill(child)
            time.sleep(0.01)
        self._guard.close()
        shutil.rmtree(self.folder)


def _greets(host, port, greeting):
    try:
        with socket.create_connection((host, port), 1) as connection:
            connection.settimeout(1)
            if not connection.recv(512).startswith(greeting):
                return False
            connection.sendall(b"QUIT\r\n")
            connection.recv(512)
            return True
    except OSError:
        return False


def _choose_disk():
    """In memory where there is room, since servers sync every message, and some disks remove files slowly.

    Not $TMPDIR: the path of a socket is short, and the servers' own users must be able to get there.
    """
    try:
        memory = os.statvfs("/dev/shm")
        roomy = memory.f_bavail * memory.f_frsize >= ROOM_IN_MEMORY
    except OSError:
        roomy = False
    return "/dev/shm" if roomy else "/tmp"


def _choose_mail_owner():
    """Who owns delivered mail: whoever reads it in the tests, but never root, which no server delivers to."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    if int(os.environ.get("SUDO_UID", "0")) != 0:
        return int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"])
    return 65534, 65534


def _claim_ports():
    """Claims a block of ports by listening on its first one; returns that socket, and the free ones among the others.

    So several runs at once never choose the same port. The blocks are below those that the kernel gives to clients.
    """
    size = 32
    blocks = list(range(10240, 32768, size))
    random.shuffle(blocks)
    for first in blocks:
        guard = socket.socket()
        try:
            guard.bind((HOST, first))
            guard.listen(1)
        except OSError:
            guard.close()
            continue
        return guard, (port for port in range(first + 1, first + size) if _is_free(port))
    raise Failure("no free ports on %s" % HOST)


def _is_free(port):
    with socket.socket() as probe:
        # As servers do: a connection in TIME_WAIT is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _die_with_the_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _has_children():
    """Collects the children that have ended; tells whether any go on."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        return False
    return True


def _kill(number):
    try:
        os.kill(number, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _list_running_in(folder):
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.readlink("/proc/%s/cwd" % name) == folder:
                    yield int(name)
            except OSError:
                continue


def _list_children():
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as file:
                    # The name of the command, in brackets, may hold spaces.
                    parent = file.read().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if int(parent) == os.getpid():
                yield int(name)
