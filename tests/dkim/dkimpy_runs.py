"""Signs and verifies by dkimpy: a line of JSON for each task on stdin, a line with what came of it on stdout.

In:  {"message": TEXT, "records": {NAME: TEXT}}                        Out: [BOOL, ...], for each signature
In:  {"message": TEXT, "key": PEM or base64, "algorithm": NAME, "canonicalization": "a/b"}  Out: the field
"""

import json
import sys

import dkim


def verify(task):
    message = task["message"].encode("utf-8")
    records = {name.encode(): text.encode() for name, text in task["records"].items()}

    def look_up(name, timeout=5):
        return records.get(name.rstrip(b"."))

    count = sum(line.lower().startswith(b"dkim-signature:") for line in message.split(b"\r\n\r\n")[0].split(b"\r\n"))
    results = []
    for number in range(count):
        try:
            results.append(dkim.DKIM(message).verify(number, dnsfunc=look_up))
        except dkim.DKIMException as error:
            results.append(str(error))
    return results


def sign(task):
    header, body = task["canonicalization"].encode().split(b"/")
    field = dkim.sign(
        task["message"].encode("utf-8"), b"sel", b"example.org", task["key"].encode(), canonicalize=(header, body),
        signature_algorithm=task["algorithm"].encode(),
    )
    return field.decode()


for line in sys.stdin:
    task = json.loads(line)
    print(json.dumps(verify(task) if "records" in task else sign(task)), flush=True)
