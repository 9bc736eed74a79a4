"""Postfix 3.7: a receiver of mail in several moods, and submission with SASL."""

import grp
import os
import pwd
import subprocess

from accounts import DOMAIN, IDN_DOMAIN, IDN_DOMAIN_ASCII
from stage import HOST, Failure

DAEMONS = "/usr/lib/postfix/sbin"
PROGRAM = "/usr/sbin/postfix"
NAME = "mail.test"
# What is for this domain is handed on, if there is a next hop.
RELAY_DOMAIN = "relayed.test"

MESSAGE_LIMIT = 64 * 1024 * 1024
SMALL_MESSAGE_LIMIT = 16 * 1024
FEW_RECIPIENTS = 3

# One port each: what differs from the receiver of mail, which takes mail for our domains from everyone.
_SASL = {
    "smtpd_sasl_auth_enable": "yes",
    "smtpd_recipient_restrictions": "$recipient_access, reject_unauth_destination, permit_sasl_authenticated, reject",
}
ROLES = {
    "mx": {},
    "submission": {"smtpd_tls_security_level": "encrypt", **_SASL},
    "submissions": {"smtpd_tls_wrappermode": "yes", **_SASL},
    # Offers AUTH in clear, as nobody should.
    "plaintext_auth": {"smtpd_tls_security_level": "none", **_SASL},
    # Refuses the handshake of a client without a certificate from our authority.
    "client_certificate": {"smtpd_tls_wrappermode": "yes", "smtpd_tls_req_ccert": "yes"},
    "few_recipients": {"smtpd_recipient_limit": str(FEW_RECIPIENTS)},
    # Says too late that a message is too large.
    "small": {"message_size_limit": str(SMALL_MESSAGE_LIMIT), "smtpd_discard_ehlo_keywords": "size"},
    "plain": {"smtpd_discard_ehlo_keywords": "pipelining, chunking"},
    "bare": {
        "smtpd_tls_security_level": "none",
        "smtpd_discard_ehlo_keywords": "pipelining, chunking, 8bitmime, smtputf8, dsn, size, starttls, vrfy, etrn, "
        "enhancedstatuscodes",
    },
}

# What happens to a sender or recipient of any domain, by the local part.
AT_MAIL = {
    "refused-sender": "550 5.7.1 sender refused",
    "deferred-sender": "450 4.7.1 sender deferred",
}
AT_RCPT = {
    "reject": "550 5.1.1 recipient refused",
    "defer": "450 4.2.1 recipient deferred",
    "hang-up": "421 4.3.2 closing at the recipient",
}
AT_DATA = {
    "refused-at-data": "550 5.7.1 refused at DATA",
    "deferred-at-data": "450 4.7.1 deferred at DATA",
    "hang-up-at-data": "421 4.3.2 closing at DATA",
}
AFTER_CONTENT = {
    "refused-content": "550 5.7.1 content refused",
    "deferred-content": "450 4.7.1 content deferred",
    "hang-up-after-content": "421 4.3.2 closing after the content",
}

QUEUES = ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "saved", "trace"]

MAILBOXES = ["alice", "bob", "jos\u00e9"]
CATCH_ALL = "everyone-else"
# Whose mail every further Postfix takes.
EXCHANGED_DOMAINS = ["third.test", "fourth.test", "both.test"]


class Postfix:
    """`domains` are those whose mail it takes, all into one mailbox but for `mailboxes` of the first."""

    def __init__(self, stage, certificates, next_hop=None):
        self.stage = stage
        self.name = "postfix"
        self.host = HOST
        self.domains = [DOMAIN, IDN_DOMAIN, IDN_DOMAIN_ASCII]
        self.next_hop = next_hop
        self.certificates = certificates
        self.auth_socket = None
        self.ports = {role: stage.take_port() for role in ROLES}
        self.mailboxes = {"%s@%s" % (name, DOMAIN): self._make_maildir(name) for name in MAILBOXES}
        self.mailboxes["*"] = self._make_maildir(CATCH_ALL)

    @classmethod
    def exchanger(cls, first, host):
        """One more for other domains, at the same port of another address, as the servers that MX records name are."""
        self = cls.__new__(cls)
        self.stage = first.stage
        self.name = "postfix-at-%s" % host
        self.host = host
        self.domains = EXCHANGED_DOMAINS
        self.next_hop = None
        self.certificates = first.certificates
        self.auth_socket = None
        self.ports = {"mx": first.ports["mx"]}
        self.mailboxes = {"*": self._make_maildir(CATCH_ALL)}
        return self

    @property
    def log(self):
        return self.stage.path("%s.log" % self.name)

    def _make_maildir(self, name):
        return self.stage.make_maildir(self.name, name)

    def start(self):
        if not os.path.exists(PROGRAM):
            raise Failure("Postfix is not there; tests/servers/install brings it")
        if os.geteuid() != 0:
            raise Failure("Postfix starts as root only; run it with sudo")
        self._make_queue()
        self._write_maps()
        self.stage.write(self._main(), self.name, "main.cf")
        self.stage.write(self._services(), self.name, "master.cf")
        self._launch()

    def wait(self):
        # It listens on every port before it answers on one.
        self.stage.wait_until_it_greets(self.host, self.ports["mx"], b"220 ")

    def kill(self):
        """All of it at once, by SIGKILL. What it has taken stays in its queue."""
        self.stage.kill(self._master, self.stage.path(self.name + "-queue"))

    def start_again(self):
        self._launch()
        self.wait()

    def _launch(self):
        command = [DAEMONS + "/master", "-c", self.stage.path(self.name), "-s"]
        self._master = self.stage.launch(command, self.log)

    def describe(self):
        version = subprocess.run(
            ["/usr/sbin/postconf", "-c", self.stage.path(self.name), "-h", "mail_version"],
            stdout=subprocess.PIPE,
            text=True,
        )
        return {
            "version": version.stdout.strip(),
            "name": self.name,
            "host": self.host,
            "ports": self.ports,
            "mailboxes": self.mailboxes,
            "limits": {
                "message": MESSAGE_LIMIT,
                "small_message": SMALL_MESSAGE_LIMIT,
                "few_recipients": FEW_RECIPIENTS,
            },
            "log": self.log,
        }

    def _make_queue(self):
        """Makes the folders that `postfix check` would make, which takes two seconds."""
        owner = pwd.getpwnam("postfix").pw_uid
        droppers = grp.getgrnam("postdrop").gr_gid
        os.makedirs(self.stage.path(self.name + "-queue", "pid"))
        for name, mode, group in [
            *((name, 0o700, -1) for name in QUEUES),
            ("private", 0o700, -1),
            ("public", 0o710, droppers),
            ("maildrop", 0o730, droppers),
        ]:
            folder = self.stage.path(self.name + "-queue", name)
            os.mkdir(folder)
            os.chown(folder, owner, group)
            os.chmod(folder, mode)
        os.mkdir(self.stage.path(self.name + "-data"), 0o700)
        os.chown(self.stage.path(self.name + "-data"), owner, -1)

    def _write_maps(self):
        for name, replies in [
            ("at-mail", AT_MAIL),
            ("at-rcpt", AT_RCPT),
            ("at-data", AT_DATA),
            ("after-content", AFTER_CONTENT),
        ]:
            lines = ["%s@ %s\n" % (local_part, reply) for local_part, reply in replies.items()]
            self.stage.write("".join(lines), self.name, name)
        mailboxes = ["%s@%s %s/%s/\n" % (name, DOMAIN, self.name, name) for name in MAILBOXES if DOMAIN in self.domains]
        mailboxes += ["@%s %s/%s/\n" % (domain, self.name, CATCH_ALL) for domain in self.domains]
        self.stage.write("".join(mailboxes), self.name, "mailboxes")
        transports = "discard@%s discard:\n" % DOMAIN
        if self.next_hop:
            transports += "%s smtp:[127.0.0.1]:%d\n" % (RELAY_DOMAIN, self.next_hop)
        self.stage.write(transports, self.name, "transports")
        self.stage.write("/^X-Refuse: yes$/ REJECT header refused\n", self.name, "headers")

    def _main(self):
        folder = self.stage.path(self.name)
        return f"""
compatibility_level = 3.6
config_directory = {folder}
queue_directory = {folder}-queue
data_directory = {folder}-data
maillog_file = {self.log}
maillog_file_prefixes = {self.stage.folder}
myhostname = {NAME}
mydomain = test
myorigin = {DOMAIN}
# Where it listens is in master.cf.
inet_interfaces = 127.0.0.1
inet_protocols = ipv4

# Mail for our domains goes into Maildirs, all other mail nowhere.
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
notify_classes =
virtual_mailbox_domains = {", ".join(self.domains)}
virtual_mailbox_base = {self.stage.path("mail")}
virtual_mailbox_maps = texthash:{folder}/mailboxes
virtual_uid_maps = static:{self.stage.mail_owner}
virtual_gid_maps = static:{self.stage.mail_group}
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
transport_maps = texthash:{folder}/transports
relay_domains = {RELAY_DOMAIN if self.next_hop else ""}
# A next hop that defers is tried again soon. Where it is sooner, the queue manager may meet a file that is still locked, and
# leaves that alone for good.
minimal_backoff_time = 3s
maximal_backoff_time = 3s
queue_run_delay = 1s
smtp_connection_cache_on_demand = no
smtp_tls_security_level = may
default_transport = error:5.4.4 these servers send nothing out
relay_transport = $default_transport
disable_dns_lookups = yes

# What is delivered is what was sent: no header is added, dropped, completed or cut.
local_header_rewrite_clients =
message_drop_headers =
header_size_limit = {MESSAGE_LIMIT}
message_size_limit = {MESSAGE_LIMIT}

recipient_access = check_recipient_access texthash:{folder}/at-rcpt
smtpd_delay_reject = no
smtpd_sender_restrictions = check_sender_access texthash:{folder}/at-mail
smtpd_relay_restrictions =
smtpd_recipient_restrictions = $recipient_access, reject_unauth_destination
smtpd_data_restrictions = check_sender_access texthash:{folder}/at-data
smtpd_end_of_data_restrictions = check_sender_access texthash:{folder}/after-content
header_checks = regexp:{folder}/headers

smtpd_tls_security_level = may
smtpd_tls_chain_files = {self.certificates["server_key"]}, {self.certificates["server"]}
smtpd_tls_CAfile = {self.certificates["ca"]}
smtpd_tls_ask_ccert = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {self.auth_socket}
smtpd_sasl_security_options = noanonymous

# Tests are many, quick, and wrong on purpose.
smtpd_peername_lookup = no
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000000
smtpd_hard_error_limit = 1000000
smtpd_junk_command_limit = 1000000
smtpd_recipient_limit = 10000
smtpd_recipient_overshoot_limit = 1000000
smtpd_client_connection_count_limit = 0
smtpd_client_event_limit_exceptions = 127.0.0.1
in_flow_delay = 0
# A process that was killed is replaced after a second, not after a minute.
service_throttle_time = 1s
"""

    def _services(self):
        lines = []
        for role, port in self.ports.items():
            lines.append("%s:%d inet n - n - 200 smtpd -o syslog_name=postfix/%s" % (self.host, port, role))
            lines += ["  -o { %s = %s }" % setting for setting in ROLES[role].items()]
        return "\n".join(lines) + """
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
