"""Which addresses may be called: the public ones, and what an operator has allowed besides. PURE.

A URL comes from outside. Who could have us call an address inside our network would read what only we may: metadata
of the cloud, databases, consoles. What a name stands for is looked up once for each call, and exactly what was looked
at is connected to; that is the server's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from credits import bounds

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# What `is_global` still lets through: addresses that carry another one within, whose router would unpack it.
_EMBEDDING = tuple(ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96"))
_SITE_LOCAL = ip_network("fec0::/10")


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that can be called, taken apart. `literal` is its host where that is an address."""

    scheme: str
    host: str
    port: int
    literal: Address | None


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """CIDRs, or single addresses. Raises `ValueError` with the one that is none."""
    return tuple(ip_network(text) for text in texts)


def is_allowed(address: Address, allowed: Sequence[Network]) -> bool:
    """True for one that the operator has allowed by name."""
    plain = _unmapped(address)
    return any(plain.version == network.version and plain in network for network in allowed)


def may_be_called(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """True for a public address, and for one that was allowed. Not for loopback, private, link-local, shared (CGNAT),
    multicast, reserved and unspecified ones, in whatever form they are written."""
    plain = _unmapped(address)
    if is_allowed(plain, allowed):
        return True
    if not plain.is_global or plain.is_multicast or plain.is_reserved or plain.is_unspecified or plain.is_loopback:
        return False
    return not (isinstance(plain, IPv6Address) and (plain in _SITE_LOCAL or any(plain in each for each in _EMBEDDING)))


def parse(url: str) -> Target | str:
    """The URL taken apart, or what is wrong with it in itself: what can be seen without looking up its name."""
    if not 0 < len(url) <= bounds.URL_MAX or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return f"must be 1 to {bounds.URL_MAX} visible ASCII characters"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in ("http", "https"):
        return "must begin with https://"
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        return "must carry no user name or password: the signature says who calls"
    if not parts.hostname:
        return "names no host"
    if parts.fragment:
        return "must carry no fragment"
    if port == 0:
        return "names no port that can be called"
    host = parts.hostname
    try:
        literal = ip_address(host.partition("%")[0])
    except ValueError:
        literal = None
        if _is_number(host):
            return "must write its address in the usual form"
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), literal)


def problem_of(target: Target, found: Sequence[Address], allowed: Sequence[Network]) -> str | None:
    """Why it cannot be called, once its name stands for `found`; None where it can."""
    if any(not may_be_called(address, allowed) for address in found):
        return "leads to an address that is not public"
    if target.scheme == "http" and not (found and all(is_allowed(address, allowed) for address in found)):
        return "must begin with https://"
    return None


def _unmapped(address: Address) -> Address:
    """`::ffff:10.0.0.1` is 10.0.0.1: that is where a packet goes."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _is_number(host: str) -> bool:
    """`2130706433`, `0x7f.1`, `0177.0.0.1`: what a resolver may take for an address, and nobody registers."""
    last = host.rstrip(".").rpartition(".")[2].lower()
    return last.isdigit() or last.startswith("0x")
