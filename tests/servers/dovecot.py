"""Dovecot 2.3: LMTP, submission and POP3, and the SASL server behind Postfix."""

import base64
import grp
import os
import pwd
import subprocess

from accounts import DOMAIN, PASSWORDS
from stage import HOST, Failure

PROGRAM = "/usr/sbin/dovecot"
MECHANISMS = "scram-sha-256 scram-sha-1 cram-md5 plain login oauthbearer xoauth2"

# Recipients without room: mail to them is refused after the content, for good and for now.
FULL = "full"
FULL_FOR_NOW = "full-for-now"


class Dovecot:
    """Without `serve` it is only the SASL server that Postfix asks."""

    def __init__(self, stage, certificates, accounts, serve, relay_port):
        self.stage = stage
        self.certificates = certificates
        self.accounts = accounts
        self.log = stage.path("dovecot.log")
        self.auth_socket = stage.path("dovecot", "auth-for-postfix")
        self.lmtp_socket = stage.path("dovecot", "lmtp-for-tests")
        self.relay_port = relay_port
        roles = ["lmtp", "pop3", "pop3s"] if serve else []
        if serve and relay_port:
            roles += ["submission", "submissions"]
        self.ports = {role: stage.take_port() for role in roles}
        self.mailboxes = {}
        if serve:
            self.mailboxes = {
                "%s@%s" % (name, DOMAIN): stage.make_maildir("dovecot", name)
                for name in (*PASSWORDS, FULL, FULL_FOR_NOW)
            }

    def start(self):
        self.version = _check_version()
        self.stage.write(self._users(), "dovecot-users")
        # The name says: no `azp` in the token, this algorithm, no `kid`.
        self.stage.write(base64.b64encode(self.accounts.key), "oauth-keys", "default", "HS256", "default")
        self.stage.write(self._oauth(), "dovecot-oauth2.conf")
        configuration = self.stage.write(self._configuration(), "dovecot.conf")
        os.mkdir(self.stage.path("dovecot"))
        self.stage.launch([PROGRAM, "-F", "-c", configuration], self.log)

    def wait(self):
        for role, greeting in [("lmtp", b"220 "), ("pop3", b"+OK"), ("submission", b"220 ")]:
            if role in self.ports:
                self.stage.wait_until_it_greets(HOST, self.ports[role], greeting)
        self.stage.wait_until(lambda: os.path.exists(self.auth_socket), "Dovecot has not opened its socket")

    def describe(self):
        return {
            "version": self.version,
            "ports": self.ports,
            "sockets": {"lmtp": self.lmtp_socket},
            "mailboxes": self.mailboxes,
            "log": self.log,
        }

    def _users(self):
        """The file of users (`name:password:uid:gid::home::extra`); a user without password can only get mail."""
        passwords = {**PASSWORDS, FULL: None, FULL_FOR_NOW: None}
        extras = {
            FULL: "userdb_quota_rule=*:bytes=1",
            FULL_FOR_NOW: "userdb_quota_rule=*:bytes=1 userdb_quota_full_tempfail=yes",
        }
        lines = []
        for name, password in passwords.items():
            # As base64, since a password may hold a colon.
            stored = "{PLAIN.b64}" + base64.b64encode(password.encode()).decode() if password is not None else "*"
            owner = "%d:%d" % (self.stage.mail_owner, self.stage.mail_group)
            home = self.stage.path("mail", "dovecot", name)
            lines.append("%s:%s:%s::%s::%s\n" % (name, stored, owner, home, extras.get(name, "")))
        return "".join(lines)

    def _oauth(self):
        return """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=%s/
username_attribute = sub
""" % self.stage.path("oauth-keys")

    def _configuration(self):
        folder = self.stage.folder
        return f"""
base_dir = {folder}/dovecot
state_dir = {folder}/dovecot
log_path = {self.log}
instance_name = okuru-tests
auth_verbose = yes
hostname = mail.test
postmaster_address = postmaster@{DOMAIN}
protocols = {"lmtp pop3" if self.ports else ""} {"submission" if "submission" in self.ports else ""}
listen = 127.0.0.1

ssl = required
ssl_cert = <{self.certificates["server"]}
ssl_key = <{self.certificates["server_key"]}
ssl_ca = <{self.certificates["ca"]}
ssl_verify_client_cert = yes
ssl_require_crl = no
auth_ssl_username_from_cert = yes

auth_mechanisms = {MECHANISMS} {"external apop" if self.ports else ""}
auth_username_chars =
auth_username_format = %Ln
# A wrong password costs half a second at most, and with `nodelay` most mechanisms nothing.
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  default_fields = nodelay=yes
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = {folder}/dovecot-oauth2.conf
}}
# The certificate, which TLS has verified, is proof enough.
passdb {{
  default_fields = nodelay=yes
  driver = static
  mechanisms = external
  args = nopassword=y
}}
passdb {{
  default_fields = nodelay=yes
  driver = passwd-file
  mechanisms = scram-sha-256 scram-sha-1 cram-md5 plain login apop
  args = {folder}/dovecot-users
}}
userdb {{
  driver = passwd-file
  args = {folder}/dovecot-users
}}

first_valid_uid = {self.stage.mail_owner}
first_valid_gid = {self.stage.mail_group}
mail_location = maildir:~
mail_max_userip_connections = 0
mail_plugins = quota
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_grace = 0
}}
submission_relay_host = 127.0.0.1
submission_relay_port = {self.relay_port or 0}

service auth {{
  unix_listener auth-for-postfix {{
    mode = 0666
  }}
}}
{self._services()}
{_without_root() if os.geteuid() != 0 else ""}
"""

    def _services(self):
        """Every service with its listeners; a port of 0 closes one that Dovecot would open by itself."""
        ports = {role: self.ports.get(role, 0) for role in ("lmtp", "pop3", "pop3s", "submission", "submissions")}
        return f"""
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {ports["lmtp"]}
  }}
  unix_listener lmtp-for-tests {{
    mode = 0666
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {ports["pop3"]}
  }}
  inet_listener pop3s {{
    port = {ports["pop3s"]}
    ssl = yes
  }}
}}
service submission-login {{
  inet_listener submission {{
    port = {ports["submission"]}
  }}
  inet_listener submissions {{
    port = {ports["submissions"]}
    ssl = yes
  }}
}}
"""


def _check_version():
    if not os.path.exists(PROGRAM):
        raise Failure("Dovecot is not there; tests/servers/install brings it")
    version = subprocess.run([PROGRAM, "--version"], stdout=subprocess.PIPE, text=True).stdout.split()[0]
    if not version.startswith("2.3."):
        raise Failure("Dovecot %s can't read this configuration, which is that of 2.3" % version)
    return version


def _without_root():
    """Everything runs as whoever starts it, outside any chroot."""
    user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    lines = [f"default_internal_user = {user}", f"default_login_user = {user}", f"default_internal_group = {group}"]
    for service in ("anvil", "ipc", "stats", "pop3-login", "submission-login"):
        lines.append(f"service {service} {{\n  chroot =\n}}")
    return "\n".join(lines)
