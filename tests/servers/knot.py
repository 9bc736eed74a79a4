"""Knot: the DNS of the tests, with domains of every shape that a sender of mail can meet."""

import os
import subprocess

from stage import HOST, Failure

PROGRAM = "/usr/sbin/knotd"

# Where the servers of a domain are: all on loopback, on whatever port a test chooses.
ZONE = """
$ORIGIN test.
$TTL 60
@         SOA   ns hostmaster 1 3600 600 86400 60
@         NS    ns
ns        A     127.0.0.1

; The domain of Postfix.
example   MX    10 mail
mail      A     127.0.0.1

; The best server is down.
two       MX    10 down
two       MX    20 mx.two
down      A     127.0.0.9
mx.two    A     127.0.0.3

; No MX at all.
implicit  A     127.0.0.4

; Takes no mail (RFC 7505).
null      MX    0 .

; Domains of further Postfixes, and one that has two equal servers.
third     MX    10 mx.third
mx.third  A     127.0.0.7
fourth    MX    10 mx.fourth
mx.fourth A     127.0.0.8
both      MX    10 mx.third
both      MX    10 mx.fourth

; A server that defers whom it does not know.
grey      MX    10 mx.grey
mx.grey   A     127.0.0.5

; All servers are down.
dead      MX    10 down

; An alias of a domain, and one of a server.
alias     CNAME two
named     MX    10 other.two
other.two CNAME mx.two

; We are the better one of both, and the only one.
second    MX    10 us
second    MX    20 mx.two
us        A     127.0.0.10
first     MX    5  mx.grey
first     MX    10 us

; Its server has no address.
vain      MX    10 nobody

; SPF: who may send from where.
mailer    TXT   "v=spf1 a:mail.test include:_spf.mailer.test " "exists:%{ir}.%{l}._list.mailer.test ~ip4:127.0.0.64/26 -all exp=why.mailer.test"
_spf.mailer TXT "v=spf1 ip4:127.0.0.16/28 ip6:2001:db8::/32 mx:two.test ?all"
why.mailer TXT  "%{i} may not send for %{d}, says %{r}"
7.0.0.127.ann._list.mailer A 127.0.0.2
careless  TXT   "v=spf1 a:nobody.test a:nowhere.test mx:nobody.test ptr ip4:0.0.0.0/0 +all ?moo"
careless  TXT   "something else"
round     TXT   "v=spf1 include:about.test -all"
about     TXT   "v=spf1 redirect=round.test"
broken-spf TXT  "v=spf1 include:x.broken -all"

; DKIM: the public key of RFC 8463 A.2.
brisbane._domainkey.mailer TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

; Many servers, more than one packet holds by UDP.
many      MX    10 mx.two
"""

# A zone whose file is missing: every question about it fails for now.
BROKEN = "broken"


class Knot:
    def __init__(self, stage):
        self.stage = stage
        self.log = stage.path("knot.log")
        self.port = stage.take_port()

    def start(self):
        if not os.path.exists(PROGRAM):
            raise Failure("Knot is not there; tests/servers/install brings it")
        zone = ZONE + "".join("many MX 20 a-server-with-quite-a-long-name-%d\n" % number for number in range(60))
        self.stage.write(zone, "knot", "test.zone")
        configuration = self.stage.write(self._configuration(), "knot", "knot.conf")
        self.stage.launch([PROGRAM, "-c", configuration], self.log)

    def wait(self):
        def answers():
            with open(self.log) as log:
                return "server started" in log.read()

        self.stage.wait_until(answers, "Knot has not started")

    def describe(self):
        version = subprocess.run([PROGRAM, "--version"], stdout=subprocess.PIPE, text=True).stdout.split()[-1]
        return {"version": version, "ports": {"dns": self.port}, "log": self.log}

    def _configuration(self):
        folder = self.stage.path("knot")
        return f"""
server:
    rundir: {folder}
    listen: {HOST}@{self.port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: info
database:
    storage: {folder}
template:
  - id: default
    storage: {folder}
    file: "%s.zone"
    journal-content: none
    zonefile-sync: -1
    zonefile-load: whole
zone:
  - domain: test
  - domain: {BROKEN}
"""
