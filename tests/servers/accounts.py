"""Who can log in, and with what."""

import base64
import hashlib
import hmac
import json
import secrets
import time

DOMAIN = "example.test"
# The same domain with a letter beyond ASCII, as it is typed and as DNS has it.
IDN_DOMAIN = "ex\u00e4mple.test"
IDN_DOMAIN_ASCII = "xn--exmple-cua.test"

# Names and passwords that a mechanism can get wrong: what SCRAM has to escape, what PLAIN must send as UTF-8.
PASSWORDS = {
    "alice": "wonderland",
    "bob": 'p@ss "w\\ord" %s',
    "a=b,c": "=2C,=3D",
    "jos\u00e9": "contrase\u00f1a \u2603",
}


class Accounts:
    """The users, and tokens for them that are signed with a key made anew each time."""

    def __init__(self):
        self.key = secrets.token_bytes(32)

    def token(self, user, expires_in=24 * 3600):
        """A JSON Web Token (RFC 7519) as an OAuth server would give it."""
        now = int(time.time())
        header = {"alg": "HS256", "typ": "JWT"}
        claims = {"sub": user, "iat": now - 7200, "exp": now + expires_in}
        signed = b".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
        signature = hmac.new(self.key, signed, hashlib.sha256).digest()
        return (signed + b"." + _base64url(signature)).decode()

    def describe(self):
        return [
            {
                "name": name,
                "password": password,
                "token": self.token(name),
                "expired_token": self.token(name, expires_in=-3600),
            }
            for name, password in PASSWORDS.items()
        ]


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")
