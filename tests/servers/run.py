#!/usr/bin/env python3
"""Starts mail servers on loopback for tests, and stops them when stdin closes. See README.md."""

import argparse
import json
import os
import select
import signal
import socket
import sys

import certificates
from accounts import Accounts, DOMAIN, IDN_DOMAIN
from dovecot import Dovecot
from knot import Knot
from postfix import Postfix
from stage import HOST, Abandoned, Failure, Stage

LOG_LINES = 30


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("servers", nargs="+", choices=["postfix", "dovecot", "knot"], metavar="postfix|dovecot|knot")
    parser.add_argument(
        "--relay-port", type=int, help="where Dovecot's submission service hands mail on (default: Postfix, if started)"
    )
    parser.add_argument(
        "--exchanger",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="one more Postfix, at the same port of this address of loopback",
    )
    parser.add_argument("--next-hop", type=int, help="the port to which Postfix hands on what is for relayed.test")
    options = parser.parse_args()

    # The servers have a keeper of their own, which outlives this process for as long as it takes to clean up,
    # however this one ends.
    ours, keepers = socket.socketpair()
    keeper = os.fork()
    if keeper == 0:
        ours.close()
        sys.exit(keep(options, keepers))
    keepers.close()
    try:
        wait_until_unwanted(ours)
    finally:
        on_signals(signal.SIG_IGN)
        ours.close()
        status = os.waitpid(keeper, 0)[1]
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1


def wait_until_unwanted(keeper):
    """Hands on orders from stdin. Returns when that is closed, the parent or the keeper has died, or a signal asks for it."""
    on_signals(stop_waiting)
    parent = os.getppid()
    try:
        while os.getppid() == parent:
            readable = select.select([sys.stdin, keeper], [], [], 0.5)[0]
            if keeper in readable:
                return
            if sys.stdin in readable:
                order = os.read(sys.stdin.fileno(), 4096)
                if not order:
                    return
                keeper.sendall(order)
    except Abandoned:
        return


def on_signals(handler):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, handler)


def stop_waiting(number, frame):
    raise Abandoned


def keep(options, lifeline):
    """Starts the servers, tells of them on stdout, and stops them when the other end of `lifeline` closes."""
    os.setsid()
    on_signals(stop_waiting)
    stage = None
    try:
        stage = Stage(lifeline)
        told, servers = start(options, stage)
        print(json.dumps(told), flush=True)
        while True:
            stage.rest(0.5)
            while b"\n" in stage.orders:
                order, _, stage.orders = stage.orders.partition(b"\n")
                print(json.dumps(obey(order.decode(), servers)), flush=True)
    except Abandoned:
        return 0
    except (Failure, OSError) as failure:
        print("tests/servers/run.py: %s" % failure, file=sys.stderr)
        show_logs(stage)
        return 1
    finally:
        on_signals(signal.SIG_IGN)
        if stage:
            stage.tear_down()


def obey(order, servers):
    """`kill NAME` ends a server by SIGKILL, `start NAME` brings it back. Says so when that is done."""
    verb, _, name = order.partition(" ")
    server = next((server for server in servers if server.name == name), None)
    if server is None or verb not in ("kill", "start"):
        raise Failure("there is no way to do this: %s" % order)
    if verb == "kill":
        server.kill()
    else:
        server.start_again()
    return {"done": order}


def start(options, stage):
    made = certificates.make(stage.path("tls"))
    accounts = Accounts()
    postfix = Postfix(stage, made, options.next_hop) if "postfix" in options.servers else None
    relay_port = options.relay_port or (postfix.ports["mx"] if postfix else None)
    dovecot = Dovecot(stage, made, accounts, "dovecot" in options.servers, relay_port)
    knot = Knot(stage) if "knot" in options.servers else None
    needs_dovecot = postfix or "dovecot" in options.servers
    exchangers = [Postfix.exchanger(postfix, host) for host in options.exchanger] if postfix else []
    started = [server for server in (dovecot if needs_dovecot else None, postfix, *exchangers, knot) if server]
    for server in [postfix, *exchangers] if postfix else []:
        server.auth_socket = dovecot.auth_socket
    for server in started:
        server.start()
    for server in started:
        server.wait()
    told = {"host": HOST, "domain": DOMAIN, "idn_domain": IDN_DOMAIN, "folder": stage.folder, "tls": made}
    told["users"] = accounts.describe()
    if postfix:
        told["postfix"] = postfix.describe()
        told["exchangers"] = [exchanger.describe() for exchanger in exchangers]
    if "dovecot" in options.servers:
        told["dovecot"] = dovecot.describe()
    if knot:
        told["knot"] = knot.describe()
    return told, [server for server in (postfix, *exchangers) if server]


def show_logs(stage):
    for name in sorted(os.listdir(stage.folder)) if stage else []:
        if name.endswith(".log"):
            with open(stage.path(name), errors="replace") as file:
                lines = file.readlines()[-LOG_LINES:]
            if lines:
                print("--- the end of %s\n%s" % (name, "".join(lines)), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
