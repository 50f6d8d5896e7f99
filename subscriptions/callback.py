"""Where callbacks may not go: what guards the networks that this gateway can reach and its callers cannot.

    registration   check_url        what the URL says: its scheme, its host, an address in any spelling
                   check_resolved   what its name means now
    delivery       connector        what is dialled, whatever the URL and the DNS say by then

The last is the wall: aiohttp asks `socket_factory` for the socket of each address it is about to dial, so
there is no way around it: no odd spelling, no name whose answer changes, no redirect. The first two are there
to say early, and in words, what would not work. No error repeats an address or a name.
"""

import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypeAlias

import aiohttp

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

MAX_LENGTH = 2048

_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?]*)(?:[/?].*)?", re.IGNORECASE)
_CHARACTERS = re.compile(r"(?:[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*")
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]*)(?::(?P<port>[0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)
_LOCAL = frozenset({"localhost", "localdomain", "ip6-localhost", "ip6-loopback", "localhost4", "localhost6"})

_MAPPED = IPv6Network("::ffff:0:0/96")
_6TO4 = IPv6Network("2002::/16")
_NAT64 = IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_GLOBAL = IPv6Network("2000::/3")
_LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


_NEVER: tuple[tuple[str, tuple[Network, ...]], ...] = (
    ("unspecified", _networks("0.0.0.0/8", "::/128")),
    ("link-local", _networks("169.254.0.0/16", "fe80::/10", "fec0::/10")),
    # Alibaba, Azure, Oracle; Amazon and Google over IPv6. The others' metadata is link-local.
    (
        "a cloud's own",
        _networks(
            "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::/32", "fd20:ce::/64"
        ),
    ),
    ("multicast", _networks("224.0.0.0/4", "ff00::/8")),
    # With them 255.255.255.255, the relays of 6to4, and Teredo, which tunnels to what its address embeds.
    ("reserved", _networks("240.0.0.0/4", "192.0.0.0/24", "192.88.99.0/24", "2001::/23")),
)
_PRIVATE = _networks(
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "64:ff9b:1::/48"),
    # Documentation and benchmarks: laboratories do use them.
    *("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15", "2001:db8::/32", "3fff::/20"),
)


class Forbidden(OSError):
    """A callback may not go there; `reason` says why, in words for the subscriber.

    From a session it comes as the `os_error` of aiohttp's `ClientConnectorError`; `is_forbidden` tells.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the operator lets callbacks reach, beside the public networks over https.

    `loopback`: this machine itself (demo and tests). `plain_http`: http too. `allowed`: private networks,
    where SMOs live. `own`: the networks of our database, Redis and API servers, which nothing allows.
    """

    loopback: bool = False
    plain_http: bool = False
    allowed: tuple[Network, ...] = ()
    own: tuple[Network, ...] = ()


def check_url(url: str, policy: Policy) -> None:
    """Returns if `url` is an absolute http(s) URL whose host is a name or an address that callbacks may go
    to; raises `Forbidden`. Asks no DNS."""
    host, _ = _destination(url, policy)
    if host.startswith("["):
        check_address(_ipv6(host[1:-1]), policy)
        return
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        check_address(_ipv4(host), policy)
        return
    _check_name(labels)
    if labels[-1].lower() in _LOCAL and not policy.loopback:
        raise Forbidden("the host is loopback: callbacks may not go there")


Lookup: TypeAlias = Callable[..., list[tuple[Any, ...]]]


def check_resolved(url: str, policy: Policy, *, lookup: Lookup = socket.getaddrinfo) -> None:
    """As `check_url`, and none of the addresses that its host has now is one where callbacks may not go.

    `lookup` is called as `getaddrinfo` is, and may take as long as the DNS does. Raises `Forbidden`, or
    another `OSError` where the name has no address.
    """
    check_url(url, policy)
    host, port = _destination(url, policy)
    for *_, address in lookup(host.strip("[]"), port, type=socket.SOCK_STREAM):
        _check_dialled(address[0], policy)


def check_address(ip: Address, policy: Policy) -> None:
    """Returns if callbacks may go to `ip`; raises `Forbidden`. An IPv4 address inside an IPv6 one (mapped,
    6to4, NAT64) counts as what it is."""
    forms = list(_forms(ip))
    if any(form in network for form in (ip, *forms) for network in policy.own):
        raise Forbidden("the address is in a network of the gateway's own")
    for form in forms:
        reason = _reason(form, policy)
        if reason:
            raise Forbidden(f"the address is {reason}: callbacks may not go there")


def connector(policy: Policy, **options: Any) -> aiohttp.TCPConnector:
    """A connector that dials no address where callbacks may not go. `options` are aiohttp's. It guards what
    is dialled, which behind a proxy would be the proxy: a session of it has no `trust_env`."""

    def guarded(found: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = found
        try:
            _check_dialled(str(address[0]), policy)
        except Forbidden as error:
            # aiohttp joins errors of several addresses into a new one unless they all say the same.
            raise Forbidden("callbacks may not go there") from error
        return socket.socket(family=family, type=kind, proto=protocol)

    return aiohttp.TCPConnector(socket_factory=guarded, **options)


def is_forbidden(error: BaseException) -> bool:
    """Whether what a session raised is `Forbidden`: every address that was to be dialled was refused here."""
    return isinstance(error, Forbidden) or isinstance(getattr(error, "os_error", None), Forbidden)


def _destination(url: str, policy: Policy) -> tuple[str, int]:
    """Host (an IPv6 address in its brackets) and port of a URL that is well-formed; raises `Forbidden`."""
    if len(url) > MAX_LENGTH:
        raise Forbidden(f"the URL is longer than {MAX_LENGTH} characters")
    if "#" in url:
        raise Forbidden("the URL has a fragment, which is never sent")
    if not _CHARACTERS.fullmatch(url):
        raise Forbidden("the URL has characters that must be percent-encoded, or in a host in punycode")
    found = _URL.fullmatch(url)
    if found is None or found["scheme"].lower() not in {"http", "https"}:
        raise Forbidden("the URL is not an absolute one of https")
    if found["scheme"].lower() == "http" and not policy.plain_http:
        raise Forbidden("the URL must be https")
    if "@" in found["authority"]:
        raise Forbidden("the URL holds credentials")
    authority = _AUTHORITY.fullmatch(found["authority"])
    if authority is None:
        raise Forbidden("the host or the port of the URL is malformed")
    host, port = (
        authority["host"],
        authority["port"] or ("80" if found["scheme"].lower() == "http" else "443"),
    )
    if not 0 < int(port) < 65536:
        raise Forbidden("the port of the URL is out of range")
    if "%" in host:
        raise Forbidden("the host of the URL is percent-encoded, or has a zone")
    return host, int(port)


def _check_name(labels: list[str]) -> None:
    if sum(len(label) + 1 for label in labels) > 254 or not all(map(_LABEL.fullmatch, labels)):
        raise Forbidden("the host of the URL is no name of the DNS")
    for label in labels:
        if label.lower().startswith("xn--") and not _is_punycode(label[4:]):
            raise Forbidden("the host of the URL has a label that is no punycode")


def _is_punycode(text: str) -> bool:
    try:
        return not text.encode().decode("punycode").isascii()
    except (UnicodeError, OverflowError):
        return False


def _ipv4(host: str) -> IPv4Address:
    try:
        return IPv4Address(host)
    except ValueError:  # octal, hexadecimal, one number, too short, too large: some would take it for one
        raise Forbidden(
            "the host of the URL is an address in a spelling that not everybody reads alike"
        ) from None


def _ipv6(text: str) -> IPv6Address:
    try:
        return IPv6Address(text)
    except ValueError:
        raise Forbidden("the host of the URL is no IPv6 address") from None


def _check_dialled(host: str, policy: Policy) -> None:
    """The same for an address as the resolver gives it. What is no address, or one with a zone, might be
    resolved once more."""
    if "%" in host:
        raise Forbidden("the address has a zone")
    try:
        ip = ip_address(host)
    except ValueError:
        raise Forbidden("what the host means is no address") from None
    check_address(ip, policy)


def _forms(ip: Address) -> Iterator[Address]:
    """The addresses that dialling `ip` may end at."""
    if isinstance(ip, IPv4Address):
        yield ip
        return
    bits = int(ip)
    if ip in _MAPPED or ip in _NAT64:
        yield IPv4Address(bits & 0xFFFFFFFF)
        return
    if ip in _6TO4:
        yield IPv4Address(bits >> 80 & 0xFFFFFFFF)
        return
    yield IPv6Address(bits)  # without a zone
    if ip in _LOCAL_NAT64:
        yield from _translated(bits)


def _translated(bits: int) -> Iterator[IPv4Address]:
    """What an address of the local NAT64 prefix embeds, for each length of prefix that may be in use (RFC
    6052 2.2). Where the shorter ones have nothing but padding, they say nothing."""
    yield IPv4Address(bits & 0xFFFFFFFF)
    for number in (
        bits >> 24 & 0xFFFFFFFF,
        (bits >> 64 & 0xFF) << 24 | bits >> 32 & 0xFFFFFF,
        (bits >> 64 & 0xFFFF) << 16 | bits >> 40 & 0xFFFF,
    ):
        if number >> 24:
            yield IPv4Address(number)


def _reason(ip: Address, policy: Policy) -> str:
    """Why callbacks may not go to `ip`; '' if they may."""
    if any(ip in network for network in _LOOPBACK):
        return "" if policy.loopback else "loopback"
    for reason, networks in _NEVER:
        if any(ip in network for network in networks):
            return reason
    if any(ip in network for network in _PRIVATE):
        return (
            "" if any(ip in network for network in policy.allowed) else "private, and not on the allow-list"
        )
    # What is not given out yet, with IPv4 inside IPv6 in forms that nobody uses any more.
    return "reserved" if isinstance(ip, IPv6Address) and ip not in _GLOBAL else ""
