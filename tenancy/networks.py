"""The networks that one tenant's callbacks may go to, beside those that everybody's may
(`CALLBACK_NETWORKS`): private ones, in which its SMO lives. Nothing in such a list lifts what is never
allowed (`subscriptions/callback.py`); what could only be without effect is refused here, so that nobody
counts on it.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_interface
from typing import TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network

MOST = 64  # of one tenant
WIDEST = {4: 8, 6: 7}  # bits of the prefix: 10.0.0.0/8 and fc00::/7, the largest private networks there are

_WRITTEN = re.compile(r"[0-9A-Fa-f.:]{2,45}(?:/[0-9]{1,3})?")
#: IPv4 in IPv6: what is dialled there is compared as the IPv4 address that it is.
_EMBEDDED = tuple(map(IPv6Network, ("::ffff:0:0/96", "2002::/16", "64:ff9b::/96")))


def network(text: str) -> Network:
    """The network (or the address, as a network of one) that `text` is. Raises `ValueError`, whose words
    follow on what was written: "has bits set beyond its prefix"."""
    try:
        written = ip_interface(text if _WRITTEN.fullmatch(text) else "")
    except ValueError as error:
        raise ValueError("must be a network, such as 10.20.0.0/16 or fd00:20::/32") from error
    found = written.network
    if written.ip != found.network_address:
        raise ValueError(f"has bits set beyond its prefix; the network is {found}")
    if found.prefixlen < WIDEST[found.version]:
        widest = f"the largest private ones are a /{WIDEST[4]}, of IPv6 a /{WIDEST[6]}"
        raise ValueError(f"is too wide: name the networks in which the tenant's callbacks are; {widest}")
    if isinstance(found, IPv6Network) and any(found.subnet_of(one) for one in _EMBEDDED):
        raise ValueError("is IPv4 inside IPv6: name the IPv4 network")
    if found.is_loopback or found.is_link_local or found.is_multicast or found.is_unspecified:
        raise ValueError("is loopback, link-local or multicast: callbacks never go there")
    return found


def distinct(found: Iterable[Network]) -> list[str]:
    """These as they are kept and shown: each once, in the order they came."""
    return list(dict.fromkeys(map(str, found)))
