#!/usr/bin/env python3
"""Writes seeds for the targets into the folder that is named, made of the dialogues of tests/vectors.

    fuzz/seeds.py fuzz/corpus && cargo fuzz cmin reply

What the bytes mean is said by the target's own reading of them, in src/.
"""

import hashlib
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def dialogues(side="client"):
    """Those of the client; those of the receiver are in a folder of their own."""
    for path in sorted((ROOT / "tests/vectors").rglob("*.smtp")):
        if (path.parent.name == "receiver") == (side == "receiver"):
            yield path.read_text(encoding="utf-8").splitlines()


def said(lines, who):
    """What one side says, as text."""
    return [line[3:] for line in lines if line.startswith(who + ": ")]


def blob(data):
    return bytes([min(len(data), 255)]) + data[:255]


def reply():
    for lines in dialogues():
        replies = "".join(line + "\r\n" for line in said(lines, "S")).encode()
        if replies:
            yield bytes([0, 0, 0]) + blob(b"\x05\x01") + replies
            yield bytes([2, 2, 5]) + blob(b"\x02") + replies


# As src/syntax.rs numbers them.
KINDS = [
    (1, ["a@b", '"a b"@example.org', "jos\u00e9@ex\u00e4mple.test", "a@[192.0.2.1]", "a@[IPv6:2001:db8::1]", "a.b+c@d.e"]),
    (2, ["<>", "<a@b>", "<@r1.example,@r2.example:a@b>"]),
    (3, ["<Postmaster>", "<a@b>", "<postmaster@b>", "<@r.example:a@b>"]),
    (4, ["example.org", "ex\u00e4mple.test", "xn--exmple-cua.test", "[192.0.2.1]", "[IPv6:::1]", "[x:y]"]),
    (5, ["bar.com", "[192.0.2.1]"]),
    (6, ["Jones Smith", "<user@example.com> SMTPUTF8"]),
    (7, ["PLAIN dGVzdAB0ZXN0ADEyMzQ=", "LOGIN", "EXTERNAL ="]),
    (8, ["SIZE=100", "X-A=b", "XVERP", "ENVID=a+2Bb", "ORCPT=rfc822;a+3D", "AUTH=<>", "AUTH=e+3Dmc2@example.com"]),
    (9, ["SIZE=1 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a AUTH=<> REQUIRETLS BY=1;R HOLDFOR=1 MT-PRIORITY=1 X=y"
         " NOTIFY=SUCCESS,DELAY ORCPT=utf-8;jos\\x{E9}@x", "HOLDUNTIL=2030-01-31T12:00:00Z BODY=BINARYMIME"]),
    (10, ["QQ+20314159", "a b=c"]),
    (11, ["rfc822;a+b@c", "utf-8;jos\u00e9\\@x", "x400;/a=b/"]),
    (12, ["2030-01-31T12:00:00Z", "2030-12-31T23:59:60.5+01:00"]),
    (13, ["120;RT", "-30;N"]),
    (14, ["-9", "0", "9"]),
    (15, ["7bit", "8BITMIME", "BinaryMIME"]),
    (16, ["full", "HDRS"]),
    (17, ["never", "SUCCESS,FAILURE,DELAY"]),
    (18, ["86400", "999999999"]),
    (19, ["mail.example greets\nSIZE 1000\nAUTH PLAIN LOGIN\nAUTH=LOGIN\nLIMITS RCPTMAX=20 MAILMAX=5\nDELIVERBY 240\n"
          "FUTURERELEASE 1000 2030-01-31T12:00:00Z\nMT-PRIORITY STANAG4406\nPIPELINING\nchunking\nBINARYMIME"]),
]


def syntax():
    commands = {line for lines in dialogues() for line in said(lines, "C") if line[:1].isupper()}
    for command in sorted(commands):
        yield b"\x00" + command.encode() + b"\r\n"
    for kind, texts in KINDS:
        for text in texts:
            yield bytes([kind]) + text.encode()


def content():
    texts = [b"", b"a", b".", b".\r\n", b"a\r\n.\r\nb\r\n", b"a\n.\r\nb", b"a\r.\rb\r", b"\0\xff\n", b"\r\r\n\n..\r\n",
             "Subject: \u00e9\r\n\r\n.x".encode()]
    for text in texts:
        for framing in range(3):
            for before in (0, 4095, 4096):
                yield bytes([framing, before % 2, 4]) + blob(b"\x03\x01") + before.to_bytes(2, "little") + text


def sasl():
    mechanisms = 10
    for mechanism in range(mechanisms):
        any_of_them = bytes([1, mechanism]) + blob(b"mail.example")
        for credentials in (b"\x00", b"\x03" + blob(b"user"), b"\x05" + blob(b"other")):
            for binding in (b"\x00", b"\x01"):
                for falsehood in (0, 2, 3, 4, 5, 6, 130):
                    yield credentials + binding + any_of_them + b"\x00" + bytes([falsehood])
                challenges = blob(b"") + b"\x00" + blob(b"Password:") + b"\x00" + blob(b'{"status":"401"}') + b"\x01"
                yield credentials + binding + any_of_them + b"\x00\x01" + challenges
                yield credentials + binding + any_of_them + b"\x00\x00" + challenges
    offer = blob(b"SCRAM-SHA-256 SCRAM-SHA-256-PLUS PLAIN XOAUTH2 LOGIN CRAM-MD5")
    yield b"\x00\x01\x00" + offer + blob(b"h") + b"\x00\x00"


# As src/connection/script.rs numbers them.
TLS = ["none", "starttls", "implicit", "opportunistic"]
PIPELINING = ["session", "streaming", "message", "none"]
CHUNKING = ["auto", "prefer", "never"]
DECLARATION = ["auto", "binarymime", "8bitmime", "7bit"]
OFFER = ["PIPELINING", "CHUNKING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE", "STARTTLS", "AUTH", "BINARYMIME",
         "LIMITS RCPTMAX", "LIMITS MAILMAX", "LIMITS RCPTDOMAINMAX", "DELIVERBY", "FUTURERELEASE", "MT-PRIORITY",
         "REQUIRETLS"]
SUBMIT, ANSWER, ANSWER_ALL, WRITE_SOME, WRITE, RECEIVE, FEED, FEED_END, CHUNK, ABORT, COMMAND, QUIT, DEADLINE = (
    bytes([number]) for number in (0, 3, 10, 11, 12, 14, 15, 16, 18, 20, 21, 22, 24))
HANDSHAKE, TOKEN, FAILS, EOF, OFFERS = (bytes([number]) for number in (26, 27, 28, 29, 30))
QUERIES = ["NOOP", "RSET", "VRFY", "EXPN", "HELP"]


def word(lines, keyword, words):
    """Which of the words stands behind the keyword."""
    for line in lines:
        if line.startswith(keyword + " ") and line.split()[1] in words:
            return words.index(line.split()[1])
    return 0


def letters(lines):
    """The messages of a dialogue: how many recipients, and the other lines of each."""
    found = []
    for line in lines:
        if line.startswith("from "):
            found.append([])
        if found and not line.startswith(("S:", "C:", "=", "*", "#")):
            found[-1].append(line)
    for lines in found:
        body = b"".join(line[2:].encode() + b"\r\n" for line in lines if line.startswith("| ")) or b"hi\r\n"
        count = min(5, sum(line.startswith("to ") for line in lines))
        null = 2 if "from <>" in lines else 0
        yield (bytes([count, null]) + bytes(count) + b"\x00" + blob(body) + b"\x00"
               + bytes([2 if any(line.startswith("stream") for line in lines) else 0])
               + bytes([word(lines, "body", DECLARATION), word(lines, "smtputf8", ["auto", "require", "never"]),
                        word(lines, "newlines", ["fix", "refuse"]), "all-or-nothing" in lines, 0]))


def happenings(lines):
    """What happens in a dialogue, as steps."""
    if any(line.startswith("offer") for line in lines):
        yield ANSWER_ALL
    replies = b""
    for line in lines + [""]:
        if line.startswith("S: "):
            replies += line[3:].encode() + b"\r\n"
            continue
        if replies:
            yield WRITE + RECEIVE + blob(replies)
            replies = b""
        key, _, rest = line.partition(" ")
        if key == "offer":
            offered = [n for n, name in enumerate(OFFER) if any(it.strip().startswith(name) for it in rest.split(","))]
            yield OFFERS + sum(1 << n for n in offered).to_bytes(2, "little") + ANSWER_ALL
        elif key == "handshake":
            yield HANDSHAKE + bytes([7 if "unverified" in rest else 0])
        elif key == "written" and rest.isdigit():
            yield WRITE_SOME + int(rest).to_bytes(2, "little")
        elif key == "chunk":
            yield FEED + b"\x05\x00" + FEED_END
        elif key == "abort":
            yield WRITE + ABORT + bytes([int(rest) if rest.isdigit() else 0])
        elif key == "command" and rest.split()[0] in QUERIES:
            yield COMMAND + bytes([QUERIES.index(rest.split()[0])])
        elif key in ("wait", "deadline"):
            yield WRITE + DEADLINE
        elif key in ("quit", "eof", "fails"):
            yield WRITE + {"quit": QUIT, "eof": EOF, "fails": FAILS + b"\x00"}[key]
        elif key == "token" and rest != "later":
            yield TOKEN + b"\x00"


def connection():
    for lines in dialogues():
        config = bytes([any("protocol lmtp" in line for line in lines), word(lines, "tls", TLS),
                        word(lines, "pipelining", PIPELINING), word(lines, "chunking", CHUNKING), 0, 0,
                        any(line.startswith("in-flight") for line in lines)])
        keys = {line.split(" ")[0] for line in lines}
        config += (b"\x02\x04" if "password" in keys else b"\x04\x04" if "token later" in lines
                   else b"\x03\x04" if "token" in keys else b"\x00")
        held = CHUNK + b"\x00" if "stream held" in lines else b""
        yield config + held + b"".join(SUBMIT + letter for letter in letters(lines)) + b"".join(happenings(lines))
    for credentials in range(2, 6):
        for flags in range(16):
            for tls in range(4):
                for challenge in (11, 12):
                    config = bytes([0, tls, 0, 0, 0, 0, 0, credentials, flags])
                    answers = ANSWER + bytes([challenge]) + WRITE
                    opening = HANDSHAKE + b"\x00" + 2 * ANSWER_ALL + ANSWER_ALL + HANDSHAKE + b"\x00" + ANSWER_ALL
                    yield config + opening + TOKEN + b"\x00" + WRITE + 2 * answers + ANSWER_ALL
    letter = b"\x02\x00\x00\x04\x00" + blob(b"one\r\n.two\n") + b"\x02\x00\x00\x00\x00\x00\x00"
    for lmtp in range(2):
        for level in range(4):
            for chunking in range(3):
                for kind in (0, 4, 5, 6, 7, 8):
                    config = bytes([lmtp, 0, level, chunking, 0, 0, 0, 0])
                    steps = SUBMIT + letter + SUBMIT + letter + 2 * ANSWER_ALL
                    answers = 3 * (WRITE + ANSWER + b"\x00") + WRITE + ANSWER + bytes([kind]) + 5 * ANSWER_ALL
                    yield config + steps + answers + QUIT + ANSWER_ALL


# As src/receiver/script.rs numbers them.
SERVER_TLS = ["none", "offered", "required", "implicit"]
OFFERED = ["PIPELINING", "CHUNKING", "BINARYMIME", "8BITMIME", "SMTPUTF8", "SIZE", "DSN", "ENHANCEDSTATUSCODES",
           "REQUIRETLS", "LIMITS"]
ASKED = ["connect", "hello", "starttls", "mail", "rcpt", "data", "quit"]
SAYS, ANSWERS, POLICY, PASSES, TLS_THERE, ENDS = (bytes([number]) for number in (64, 68, 69, 71, 72, 76))


def bits(words, names):
    return sum(1 << n for n, name in enumerate(names) if name in words or words[:1] in (["all"], ["everywhere"]))


def settings(lines, keyword):
    return " ".join(line[len(keyword) + 1:] for line in lines if line.startswith(keyword + " ")).split()


def receiver():
    for lines in dialogues("receiver"):
        offered = bits(settings(lines, "offer") or ["PIPELINING", "ENHANCEDSTATUSCODES"], OFFERED)
        asks = bits(settings(lines, "asks"), ASKED) | ("allow-plaintext" in lines) << 7
        config = (bytes([word(lines, "protocol", ["smtp", "lmtp"]), word(lines, "role", ["mx", "submission"]),
                         word(lines, "tls", SERVER_TLS)]) + (~offered & 0xffff).to_bytes(2, "little")
                  + bytes([asks, 2 * any(line.startswith(("user ", "token ")) for line in lines),
                           any(line.startswith("bound ") for line in lines), "newlines fix" in lines, 0,
                           7 * ("for-anyone" in lines), 1]))
        steps, said = POLICY + bytes([0 if any(" later" in line for line in lines) else 1]), b""
        for line in lines + [""]:
            if line[:3] in ("C: ", "C! "):
                text = line[3:].replace("\\r", "\r").replace("\\n", "\n")
                said += text[:-1].encode() if text.endswith("\\") else text.encode() + b"\r\n"
                continue
            if said:
                steps, said = steps + SAYS + blob(said), b""
            key = line.split(" ")[0]
            steps += {"answer": ANSWERS + b"\x00\x00", "deadline": PASSES, "handshake": TLS_THERE + b"\x01",
                      "eof": ENDS}.get(key, b"")
        yield config + steps


# As src/pair.rs numbers them.
def pair():
    letters = bytes([2]) + b"".join(
        bytes([1]) + blob(body) + chunks + b"\x00"
        for body, chunks in [(b"hello\r\n.dots\r\n", b"\x00"), (b"a\nb", b"\x01\x02"), (b"\xe9\r\n", b"\x00")])
    for lmtp in range(2):
        for tls in range(4):
            for level in range(4):
                for chunking in range(3):
                    client = bytes([lmtp, tls]) + (b"\x01" if tls > 1 else b"") + bytes([level, chunking, 0, 0])
                    client += (b"\x00\x00" if tls > 1 else b"") + b"\x00"
                    server = (b"\x01" if 0 < tls < 3 else b"") + b"\x00\x00\x00\x00\x00\x00"
                    for ways in (b"\x01\x03" + b"\x0a\x00\x00\x00\x00", b"\x00\x05\x05\x00\x00\x00\x08\x0a\x01\x07\x02\x90\x01",
                                 b"\x00\x05\x00\x01\x09\x03\x70\x00\x01\x40\x00"):
                        yield client + server + letters + ways


# As src/pop3.rs reads them.
POP3_LINES = 12
POP3_BLOB, POP3_TLS, POP3_TOKEN, POP3_FAILED, POP3_EOF, POP3_DEADLINE = (bytes([n]) for n in (96, 160, 200, 220, 230, 240))


def pop3():
    for path in sorted((ROOT / "tests/vectors/pop3").glob("*.pop3")):
        lines = path.read_text(encoding="utf-8").splitlines()
        calls = b""
        said = b""
        for line in lines + [""]:
            if line.startswith(("S: ", "S! ")):
                said += line[3:].encode() + b"\r\n"
                continue
            if said:
                calls += POP3_BLOB + blob(said)
                said = b""
            key = line.split(" ")[0]
            calls += {"handshake": POP3_TLS + (b"\x01\x00" if line.endswith(" verified") else b"\x00\x00"),
                      "token": POP3_TOKEN if "later" not in line else b"", "fails": POP3_FAILED, "eof": POP3_EOF,
                      "deadline": POP3_DEADLINE}.get(key, b"")
        credentials = 3 if "token later" in lines else 0
        config = [credentials, "allow plaintext" in lines, "try all" in lines, word(lines, "tls", ["none", *TLS[1:]]),
                  word(lines, "login", ["auto", "sasl", "user", "apop"]), 0, 1]
        yield bytes(config) + b"\x00" + calls
    for credentials in range(5):
        for login in range(4):
            for capabilities in (3, 4, 9):
                config = bytes([credentials, 1, 1, 0, login, 0, 0])
                yield config + blob(b"\x01\x03") + bytes([0, capabilities, 200, 6, 1, 5, 7, 1, 1, 8, 1])


def route():
    names = [b"\x01" + bytes([n]) for n in range(8)]
    answers = {"mx": b"\x00\x03" + b"\x00\x00" + names[1] + b"\x01\x00" + names[2] + b"\x02\x00" + names[3],
               "null": b"\x00\x01\x00\x00" + names[4], "a": b"\x01\x02\x00\x05\x00\x09", "aaaa": b"\x01\x01\x01\x05\x00",
               "alias": b"\x02" + names[1], "none": b"\x03", "nx": b"\x04", "failed": b"\x05"}
    for first in answers.values():
        for second in answers.values():
            for own in (0, 1):
                config = bytes([0, 1, own, 0, 0, 0, 0, 0, own])
                yield config + b"\x00\x07" + b"\x00" + first + b"\x00\x01" + 6 * (b"\x00" + second + b"\x00\x00")
    for domain in range(6):
        for bound in range(1, 4):
            config = bytes([bound - 1, 1, 1, bound, bound, bound, bound, bound, 1, domain, 1])
            yield config + b"\x00" + answers["mx"] + b"\x00\x00" + 3 * (b"\x00" + answers["a"] + b"\x01" + names[5] + b"\x01")


def spf():
    config = bytes(7)
    client = b"\x00\x00\x00\x00"
    for terms in range(16):
        for kind in (4, 0, 2, 3):
            first = b"\x01\x04" + b"\x01\x03" + bytes([0, terms, 0, 1, (terms * 7 + kind) % 16, 0, 3, 0, 0])
            yield config + client + first + 12 * bytes([1, kind, 1, 0, 1, 1])
    for text in ("a:%{l1r+-}.%{d2}", "ip4:192.0.2.0/24 -all exp=%{o}", "include:a.test ~all", "mx/24//64 ptr:test.test ?all"):
        yield config + client + b"\x01\x04\x00" + blob(b"v=spf1 " + text.encode()) + 20 * b"\x02\x04\x01\x00"


def dkim():
    bodies = [b"\r\nHello \t there \r\n\r\n", b"To: b\r\n\r\n x\n\n", b"Subject:  a\r\n\tb\r\n\r\n", b"From: c\r\n"]
    tags = b"c=relaxed/relaxed; bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b=AAAA; i=@d.test; l=3; t=1; x=9"
    for body in bodies:
        for form in range(4):
            yield bytes([form, 1, 3, 1, 1, 0]) + body
        yield bytes([3, 0, 0, 0, 1, 2]) + blob(tags) + blob(b"v=1; " + tags) + body
        yield bytes([3, 0, 0, 0, 0]) + blob(b"v=DKIM1; k=rsa; h=sha256; t=s:y; p=AQID") + b"\x01" + blob(tags) + body


def dmarc():
    for author in range(6):
        for first in range(4):
            yield bytes([author, 2, 1, 1, 1, 2, 0]) + 12 * bytes([3, 1, first, 1, author, 0])


def main():
    folder = pathlib.Path(sys.argv[1])
    for target in (reply, syntax, content, sasl, connection, receiver, pair, pop3, route, spf, dkim, dmarc):
        (folder / target.__name__).mkdir(parents=True, exist_ok=True)
        for seed in target():
            (folder / target.__name__ / hashlib.sha1(seed).hexdigest()).write_bytes(seed)


main()
