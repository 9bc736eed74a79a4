#!/usr/bin/env python3
"""Starts the servers and checks that they do what README.md says, with nothing but Python's own library."""

import json
import os
import poplib
import signal
import smtplib
import socket
import ssl
import struct
import subprocess
import sys
import time
import unittest

from logins import MECHANISMS

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run.py")
PATIENCE = 15

# What a server or a client could change by mistake: dots, spaces at the end of a line, tabs, bytes beyond ASCII, a long
# line, headers that servers like to drop, nothing before the last line's end.
CONTENT = (
    b"From: alice@example.test\r\nBcc: bob@example.test\r\nReturn-Path: <old@example.test>\r\n"
    b"Subject: a line  \r\n\twith a tab \r\nX-Number: %d\r\n\r\n"
    b"..two dots\r\n.\r\n.one\r\n\r\ncaf\xc3\xa9 \xff\xfe \r\n" + b"x" * 5000 + b"\r\n \t\r\nFrom here\r\n\r\n"
)


class Servers:
    """A running `run.py`, and what it told."""

    def __init__(self, *names):
        self.process = subprocess.Popen(
            [sys.executable, RUN, *names], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.process.stderr.read().decode())
        self.told = json.loads(line)

    def stop(self):
        self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.process.stderr.close()
        return status


_number = 0


def make_message():
    """A message that differs from every other one."""
    global _number
    _number += 1
    return CONTENT % _number


def wait_for(maildir, message, hops=1):
    """Waits until a Maildir holds the message that went over so many servers, as it was sent."""
    deadline = time.monotonic() + PATIENCE
    expected = message.replace(b"\r\n", b"\n")
    while time.monotonic() < deadline:
        for name in os.listdir(os.path.join(maildir, "new")):
            with open(os.path.join(maildir, "new", name), "rb") as file:
                if strip_trace(file.read(), hops) == expected:
                    return
        time.sleep(0.01)
    raise AssertionError("no such message in %s" % maildir)


def strip_trace(delivered, hops):
    """What follows the Received header of the first server; README.md tells. Lines end with LF."""
    lines = delivered.split(b"\n")
    for _ in range(hops):
        while not lines.pop(0).startswith(b"Received:"):
            pass
    while lines[0][:1] in (b" ", b"\t"):
        lines.pop(0)
    return b"\n".join(lines)


class OfServers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.servers = Servers("postfix", "dovecot")
        cls.told = cls.servers.told
        cls.postfix, cls.dovecot = cls.told["postfix"], cls.told["dovecot"]
        cls.users = {user["name"]: user for user in cls.told["users"]}
        cls.tls = ssl.create_default_context(cafile=cls.told["tls"]["ca"])
        cls.addClassCleanup(cls.servers.stop)

    def connect(self, port, implicit=False, tls=None, name="localhost"):
        """A connection after EHLO and, where it is offered, STARTTLS."""
        tls = tls or self.tls
        if implicit:
            client = smtplib.SMTP_SSL(name, port, timeout=PATIENCE, context=tls)
        else:
            client = smtplib.SMTP(name, port, timeout=PATIENCE)
        self.addCleanup(client.close)
        client.ehlo()
        if client.has_extn("starttls"):
            client.starttls(context=tls)
            client.ehlo()
        return client

    def with_client_certificate(self, role="client"):
        tls = ssl.create_default_context(cafile=self.told["tls"]["ca"])
        tls.load_cert_chain(self.told["tls"][role], self.told["tls"][role + "_key"])
        return tls


class Postfix(OfServers):
    def test_every_role_delivers_what_was_sent(self):
        ports = dict(self.postfix["ports"])
        for role, login in [
            ("mx", False),
            ("plain", False),
            ("bare", False),
            ("few_recipients", False),
            ("small", False),
            ("submission", True),
            ("submissions", True),
            ("plaintext_auth", True),
            ("client_certificate", False),
        ]:
            with self.subTest(role):
                message = make_message()
                implicit = role in ("submissions", "client_certificate")
                client = self.connect(ports.pop(role), implicit, self.with_client_certificate())
                if login:
                    client.login("alice", self.users["alice"]["password"])
                client.sendmail("alice@example.test", ["bob@example.test", "someone@example.test"], message)
                wait_for(self.postfix["mailboxes"]["bob@example.test"], message)
                wait_for(self.postfix["mailboxes"]["*"], message)
        self.assertEqual(ports, {}, "roles that no test knows")

    def test_what_each_role_offers(self):
        everything = {"pipelining", "chunking", "8bitmime", "smtputf8", "dsn", "size", "enhancedstatuscodes"}
        for role, offered in [
            ("mx", everything),
            ("submission", everything),
            ("plain", everything - {"pipelining", "chunking"}),
            ("small", everything - {"size"}),
            ("bare", set()),
        ]:
            with self.subTest(role):
                features = set(self.connect(self.postfix["ports"][role]).esmtp_features)
                self.assertEqual(features & everything, offered)

    def test_replies_that_tests_ask_for(self):
        sender, recipient = "alice@example.test", "bob@example.test"
        message = make_message()
        refused = b"X-Refuse: yes\r\n" + message
        for mail, rcpt, content, expected in [
            ("refused-sender@example.test", recipient, message, [550]),
            ("deferred-sender@example.test", recipient, message, [450]),
            (sender, "reject@example.test", message, [250, 550]),
            (sender, "defer@example.test", message, [250, 450]),
            (sender, "hang-up@example.test", message, [250, 421]),
            (sender, "bob@elsewhere.test", message, [250, 554]),
            ("refused-at-data@example.test", recipient, message, [250, 250, 550]),
            ("deferred-at-data@example.test", recipient, message, [250, 250, 450]),
            ("hang-up-at-data@example.test", recipient, message, [250, 250, 421]),
            ("refused-content@example.test", recipient, message, [250, 250, 354, 550]),
            ("deferred-content@example.test", recipient, message, [250, 250, 354, 450]),
            ("hang-up-after-content@example.test", recipient, message, [250, 250, 354, 421]),
            (sender, recipient, refused, [250, 250, 354, 550]),
            (sender, "discard@example.test", message, [250, 250, 354, 250]),
            (sender, recipient, message, [250, 250, 354, 250]),
        ]:
            with self.subTest("%s %s" % (mail, rcpt)):
                client = self.connect(self.postfix["ports"]["mx"])
                self.assertEqual(self.replies(client, mail, [rcpt], content), expected)
                if expected[-1] == 421:
                    self.assertRaises(smtplib.SMTPServerDisconnected, client.noop)
                else:
                    self.assertEqual(client.noop()[0], 250)

    def test_limits(self):
        limits = self.postfix["limits"]
        few = self.connect(self.postfix["ports"]["few_recipients"])
        recipients = ["r%d@example.test" % number for number in range(limits["few_recipients"] + 1)]
        codes = self.replies(few, "alice@example.test", recipients, make_message())
        self.assertEqual(codes, [250] + [250] * limits["few_recipients"] + [452, 354, 250])
        small = self.connect(self.postfix["ports"]["small"])
        large = make_message() + b"y\r\n" * limits["small_message"]
        self.assertEqual(
            self.replies(small, "alice@example.test", ["bob@example.test"], large), [250, 250, 354, 552]
        )
        mx = self.connect(self.postfix["ports"]["mx"])
        self.assertEqual(mx.esmtp_features["size"], str(limits["message"]))
        self.assertEqual(mx.mail("alice@example.test", ["SIZE=%d" % (limits["message"] + 1)])[0], 552)

    def test_what_needs_tls_or_a_login(self):
        ports = self.postfix["ports"]
        with smtplib.SMTP("127.0.0.1", ports["submission"], timeout=PATIENCE) as in_clear:
            in_clear.ehlo()
            self.assertNotIn("auth", in_clear.esmtp_features)
            self.assertEqual(in_clear.mail("alice@example.test")[0], 530)
        for role in ("submission", "submissions"):
            client = self.connect(ports[role], role == "submissions")
            self.assertEqual(self.replies(client, "alice@example.test", ["bob@example.test"], b""), [250, 554])

    def test_certificates(self):
        port = self.postfix["ports"]["submissions"]
        for name in self.told["tls"]["names"]:
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
                self.tls.wrap_socket(connection, server_hostname=name).close()
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
            with self.assertRaises(ssl.SSLCertVerificationError):
                self.tls.wrap_socket(connection, server_hostname="other.test")
        untrusting = ssl.create_default_context(cafile=self.told["tls"]["untrusted_ca"])
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.connect(port, implicit=True, tls=untrusting)
        for tls in (self.tls, self.with_client_certificate("untrusted_client")):
            with self.assertRaises((ssl.SSLError, OSError)):
                self.connect(self.postfix["ports"]["client_certificate"], implicit=True, tls=tls)

    def test_addresses_beyond_ascii(self):
        for recipient, mailbox in [
            ("jos\u00e9@example.test", "jos\u00e9@example.test"),
            ("anyone@" + self.told["idn_domain"], "*"),
            ("anyone@xn--exmple-cua.test", "*"),
        ]:
            with self.subTest(recipient):
                message = make_message()
                client = self.connect(self.postfix["ports"]["mx"])
                client.sendmail("jos\u00e9@example.test", [recipient], message, ["SMTPUTF8", "BODY=8BITMIME"])
                wait_for(self.postfix["mailboxes"][mailbox], message)

    def test_chunks(self):
        message = make_message()
        client = self.connect(self.postfix["ports"]["mx"])
        client.mail("alice@example.test")
        client.rcpt("bob@example.test")
        for chunk, last in [(message[:100], ""), (message[100:], " LAST")]:
            client.send(b"BDAT %d%s\r\n" % (len(chunk), last.encode()) + chunk)
            self.assertEqual(client.getreply()[0], 250)
        wait_for(self.postfix["mailboxes"]["bob@example.test"], message)

    def replies(self, client, sender, recipients, content):
        """The codes to a transaction that goes on for as long as a recipient is left."""
        codes = [client.mail(sender)[0]]
        if codes[0] == 250:
            codes += [client.rcpt(recipient)[0] for recipient in recipients]
        if 250 in codes[1:]:
            codes.append(client.docmd("DATA")[0])
        if codes[-1] == 354:
            client.send(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            codes.append(client.getreply()[0])
        elif codes[-1] != 421:
            client.rset()
        return codes


class Login(OfServers):
    def clients(self, roles=("submission", "submissions")):
        """A fresh connection to each submission service, with the name of it."""
        for server in (self.postfix, self.dovecot):
            for role in roles:
                client = self.connect(server["ports"][role], role == "submissions")
                yield "%s %s" % ("postfix" if server is self.postfix else "dovecot", role), client

    def test_every_mechanism_takes_every_user(self):
        for user in self.told["users"]:
            for mechanism in MECHANISMS:
                for name, client in self.clients():
                    with self.subTest("%s %s %s" % (name, mechanism, user["name"])):
                        self.assertIn(mechanism, client.esmtp_features["auth"].split())
                        code, text = MECHANISMS[mechanism](client, user["name"], user["password"], user["token"])
                        self.assertEqual(code, 235, text)

    def test_every_mechanism_refuses_what_is_wrong_at_once(self):
        for mechanism in MECHANISMS:
            for name, client in self.clients(["submission"]):
                with self.subTest("%s %s" % (name, mechanism)):
                    started = time.monotonic()
                    code, text = MECHANISMS[mechanism](client, "alice", "wrong", self.users["alice"]["expired_token"])
                    self.assertEqual(code, 535, text)
                    self.assertLess(time.monotonic() - started, 1.5)

    def test_a_certificate_is_enough_for_dovecot(self):
        port = self.dovecot["ports"]["submission"]
        client = self.connect(port, tls=self.with_client_certificate())
        self.assertEqual(client.docmd("AUTH", "EXTERNAL =")[0], 235)
        self.assertEqual(self.connect(port).docmd("AUTH", "EXTERNAL =")[0], 535)

    def test_no_server_binds_channels(self):
        for name, client in self.clients():
            self.assertNotIn("-PLUS", client.esmtp_features["auth"], name)

    def test_dovecot_hands_on_to_postfix(self):
        for role in ("submission", "submissions"):
            message = make_message()
            client = self.connect(self.dovecot["ports"][role], role == "submissions")
            client.login("alice", self.users["alice"]["password"])
            client.sendmail("alice@example.test", ["bob@example.test"], message)
            wait_for(self.postfix["mailboxes"]["bob@example.test"], message, hops=2)


class Lmtp(OfServers):
    def test_each_recipient_gets_its_reply(self):
        for host, port in [(self.dovecot["sockets"]["lmtp"], 0), ("127.0.0.1", self.dovecot["ports"]["lmtp"])]:
            with self.subTest(host):
                message = make_message()
                client = smtplib.LMTP(host, port)
                self.addCleanup(client.close)
                client.ehlo()
                self.assertTrue(client.has_extn("pipelining") and client.has_extn("chunking"))
                client.mail("alice@example.test")
                codes = [
                    client.rcpt(name + "@example.test")[0]
                    for name in ("alice", "nobody", "full", "full-for-now", "bob")
                ]
                self.assertEqual(codes, [250, 550, 250, 250, 250])
                # Of the replies after the content, `data` reads the first.
                codes = [client.data(message)[0]] + [client.getreply()[0] for _ in range(3)]
                self.assertEqual(codes, [250, 552, 452, 250])
                for name in ("alice", "bob"):
                    wait_for(self.dovecot["mailboxes"][name + "@example.test"], message)


class Pop3(OfServers):
    def test_logins(self):
        ports, password = self.dovecot["ports"], self.users["alice"]["password"]
        for login in ("user", "apop"):
            client = poplib.POP3("localhost", ports["pop3"], timeout=PATIENCE)
            client.stls(self.tls)
            self.log_in(client, login, password)
            client = poplib.POP3_SSL("localhost", ports["pop3s"], timeout=PATIENCE, context=self.tls)
            self.log_in(client, login, password)

    def log_in(self, client, login, password):
        self.addCleanup(client.close)
        if login == "apop":
            client.apop("alice", password)
        else:
            client.user("alice")
            client.pass_(password)
        self.assertGreaterEqual(client.stat()[0], 0)


class Knot(unittest.TestCase):
    MX = 15

    def test_answers(self):
        servers = Servers("knot")
        self.addCleanup(servers.stop)
        port = servers.told["knot"]["ports"]["dns"]
        # RFC 1035: no error with records, without, no such name, failure.
        for name, status, count in [("two.test", 0, 2), ("implicit.test", 0, 0), ("no.test", 3, 0), ("broken", 2, 0)]:
            with self.subTest(name=name), socket.socket(type=socket.SOCK_DGRAM) as client:
                client.settimeout(PATIENCE)
                labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
                question = labels + b"\0" + struct.pack(">HH", self.MX, 1)
                client.sendto(struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + question, ("127.0.0.1", port))
                number, flags, _, answers, _, _ = struct.unpack(">6H", client.recv(512)[:12])
                self.assertEqual((number, flags & 15, answers), (7, status, count))


class Stopping(unittest.TestCase):
    def test_nothing_is_left(self):
        for what, end in [
            ("stdin closes", lambda servers: servers.process.stdin.close()),
            ("SIGTERM", lambda servers: servers.process.terminate()),
            ("SIGINT", lambda servers: servers.process.send_signal(signal.SIGINT)),
            ("SIGKILL", lambda servers: servers.process.kill()),
        ]:
            with self.subTest(what):
                servers = Servers("postfix", "dovecot")
                ports = [*servers.told["postfix"]["ports"].values(), *servers.told["dovecot"]["ports"].values()]
                # A client that goes on must not hold anything up.
                client = smtplib.SMTP("127.0.0.1", servers.told["postfix"]["ports"]["mx"])
                end(servers)
                servers.process.wait(PATIENCE)
                if what == "SIGKILL":
                    self.wait_until_gone(servers.told["folder"])
                self.assertFalse(os.path.exists(servers.told["folder"]))
                self.assertEqual(processes_that_mention(servers.told["folder"]), [])
                for port in ports:
                    with self.assertRaises(ConnectionRefusedError):
                        socket.create_connection(("127.0.0.1", port)).close()
                client.close()
                servers.stop()

    def test_nothing_is_left_when_the_parent_dies(self):
        """Even if someone else still holds the other end of its stdin."""
        read_end, write_end = os.pipe()
        script = "import subprocess, sys; run = subprocess.Popen(sys.argv[1:], stdin=%d, stdout=1);" % read_end
        script += "sys.stdout.close(); run.wait()"
        parent = subprocess.Popen(
            [sys.executable, "-c", script, sys.executable, RUN, "dovecot"],
            stdout=subprocess.PIPE,
            pass_fds=[read_end],
        )
        folder = json.loads(parent.stdout.readline())["folder"]
        parent.kill()
        parent.wait()
        self.wait_until_gone(folder)
        self.assertEqual(processes_that_mention(folder), [])
        parent.stdout.close()
        os.close(read_end)
        os.close(write_end)

    def test_the_end_of_a_server_ends_all(self):
        servers = Servers("dovecot")
        master = [
            int(pid)
            for pid, command in processes_that_mention(servers.told["folder"])
            if command.startswith("/usr/sbin/dovecot")
        ]
        os.kill(master[0], signal.SIGKILL)
        self.assertEqual(servers.process.wait(PATIENCE), 1)
        said = servers.process.stderr.read().decode()
        self.assertIn("/usr/sbin/dovecot ended", said)
        self.assertIn("the end of dovecot.log", said)
        self.assertFalse(os.path.exists(servers.told["folder"]))
        servers.stop()

    def test_several_at_once(self):
        several = [Servers("postfix"), Servers("dovecot"), Servers("postfix", "dovecot")]
        ports = [
            port
            for servers in several
            for name in ("postfix", "dovecot")
            for port in servers.told.get(name, {"ports": {}})["ports"].values()
        ]
        self.assertEqual(len(ports), len(set(ports)))
        self.assertNotIn("submission", several[1].told["dovecot"]["ports"], "it has nowhere to hand mail on to")
        self.assertEqual([servers.stop() for servers in several], [0, 0, 0])

    def wait_until_gone(self, folder):
        deadline = time.monotonic() + PATIENCE
        while os.path.exists(folder) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertFalse(os.path.exists(folder))


def processes_that_mention(folder):
    """The processes that have a file below the folder open, or its name among their arguments."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                mentioned = [os.fsdecode(file.read())]
            mentioned += [os.readlink("/proc/%s/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%s/fd" % pid)]
            mentioned.append(os.readlink("/proc/%s/cwd" % pid))
        except OSError:
            continue
        if any(folder in text for text in mentioned):
            found.append((pid, mentioned[0]))
    return found


if __name__ == "__main__":
    unittest.main()
