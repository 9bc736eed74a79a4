"""Look-ups for direct delivery, by dnspython: ``pip install okuru[dns]``."""

from __future__ import annotations

from typing import Any, Optional

from okuru._errors import error

#: How long one look-up may take, in seconds. The core makes others of what has not been answered.
LIFETIME = 10.0


def look_up(name: str, kind: str, server: Optional[str] = None) -> dict[str, Any]:
    """What the DNS says, as `Mailer.dns_answer` takes it. ``server`` is another name server: ``192.0.2.53:5300``."""
    dns = _dnspython()
    resolver = dns.resolver.Resolver(configure=server is None)
    if server is not None:
        host, _, port = server.partition(":")
        resolver.nameservers, resolver.port = [host], int(port or 53)
    try:
        answer = resolver.resolve(name.rstrip(".") + ".", kind, lifetime=LIFETIME, search=False)
    except dns.resolver.NXDOMAIN:
        return {"none": "no_such_name"}
    except dns.resolver.NoAnswer:
        return {"none": "no_data"}
    except dns.exception.DNSException:
        return {"none": "failed"}
    canonical = answer.canonical_name.to_text()
    known: dict[str, Any] = {"canonical_name": canonical if canonical.lower() != answer.qname.to_text().lower() else None}
    if kind == "MX":
        known["exchanges"] = [(record.preference, record.exchange.to_text()) for record in answer]
    else:
        known["addresses"] = [record.address for record in answer]
    return known


def _dnspython() -> Any:
    try:
        import dns.exception
        import dns.resolver
    except ImportError as missing:
        raise error("usage", "direct delivery needs dnspython: pip install okuru[dns]") from missing
    return dns
