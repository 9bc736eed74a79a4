"""A throw-away certificate authority, what it signed, and another one that nobody trusts."""

import os
import subprocess

from stage import Failure

NAMES = ["localhost", "mail.test", "127.0.0.1"]
CLIENT_NAME = "alice"

_CA = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"]
_SERVER = [
    "basicConstraints=CA:FALSE",
    "extendedKeyUsage=serverAuth",
    "subjectAltName=DNS:localhost,DNS:mail.test,IP:127.0.0.1",
]
_CLIENT = ["basicConstraints=CA:FALSE", "extendedKeyUsage=clientAuth"]


def make(folder):
    """Makes them all in `folder`; returns the path of each by its role."""
    os.mkdir(folder)
    made = {"names": NAMES}
    for role, common_name, extensions, issuer in [
        ("ca", "okuru test CA", _CA, None),
        ("untrusted_ca", "okuru untrusted CA", _CA, None),
        ("server", "mail.test", _SERVER, "ca"),
        ("client", CLIENT_NAME, _CLIENT, "ca"),
        ("untrusted_client", CLIENT_NAME, _CLIENT, "untrusted_ca"),
    ]:
        certificate = os.path.join(folder, role + ".pem")
        key = os.path.join(folder, role + ".key")
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-days", "3", "-subj", "/CN=" + common_name, "-out", certificate, "-keyout", key]
        # An empty configuration: that of the machine could add extensions of its own.
        command += ["-config", _empty_configuration(folder)]
        for extension in extensions:
            command += ["-addext", extension]
        if issuer:
            command += ["-CA", made[issuer], "-CAkey", made[issuer + "_key"]]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure("openssl could not make the certificate '%s':\n%s" % (role, done.stderr))
        # Tests may run as someone else. Nothing of worth is signed with these.
        os.chmod(key, 0o644)
        made[role], made[role + "_key"] = certificate, key
    return made


def _empty_configuration(folder):
    path = os.path.join(folder, "openssl.cnf")
    if not os.path.exists(path):
        with open(path, "w") as file:
            file.write("[req]\ndistinguished_name = name\n[name]\n")
    return path
