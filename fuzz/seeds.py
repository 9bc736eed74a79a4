#!/usr/bin/env python3
"""Writes seeds for the targets into the folder that is named, made of the dialogues of tests/vectors.

    fuzz/seeds.py fuzz/corpus && cargo fuzz cmin reply

What the bytes mean is said by the target's own reading of them, in src/.
"""

import hashlib
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def dialogues():
    for path in sorted((ROOT / "tests/vectors").rglob("*.smtp")):
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


def main():
    folder = pathlib.Path(sys.argv[1])
    for target in (reply, syntax, content, sasl):
        (folder / target.__name__).mkdir(parents=True, exist_ok=True)
        for seed in target():
            (folder / target.__name__ / hashlib.sha1(seed).hexdigest()).write_bytes(seed)


main()
