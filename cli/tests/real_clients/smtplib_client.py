"""Sends one message with Python's own library, as the command line says."""

import argparse
import smtplib
import ssl

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("mode", choices=["plain", "starttls", "ssl", "lmtp"])
parser.add_argument("port", type=int)
parser.add_argument("file")
parser.add_argument("--ca")
parser.add_argument("--login", nargs=2)
parser.add_argument("--option", action="append", default=[])
arguments = parser.parse_args()

context = ssl.create_default_context(cafile=arguments.ca) if arguments.ca else None
where = ("127.0.0.1", arguments.port)
if arguments.mode == "ssl":
    client = smtplib.SMTP_SSL(*where, context=context, timeout=60)
elif arguments.mode == "lmtp":
    client = smtplib.LMTP(*where)
else:
    client = smtplib.SMTP(*where, timeout=60)
with client, open(arguments.file, "rb") as file:
    if arguments.mode == "starttls":
        client.starttls(context=context)
    if arguments.login:
        client.login(*arguments.login)
    refused = client.sendmail("ann@example.com", ["bob@example.org"], file.read(), arguments.option)
    assert not refused, refused
