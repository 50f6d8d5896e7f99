"""What stops a start: settings with which callers' passwords, tokens or sessions would be anybody's.

The same settings, with less to lose, are what `check --deploy` looks at; a start that is merely unwise is its
matter, one that is open is ours.
"""

import ipaddress
import re
from collections.abc import Iterator

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError

KEY_LENGTH, KEY_VARIETY = 50, 5  # what Django's own check asks for
#: What keys say that were copied from somewhere, so that others have them too.
_KNOWN = re.compile(r"django.insecure|change.?(me|this)|secret.?key|example|password", re.IGNORECASE)


def refuse(host: str, *, plain: bool) -> None:
    """Raises `CommandError`, a line for each reason, where nobody should be served on `host` like this;
    `plain`: without TLS."""
    if reasons := [*_of_the_key(), *_of_debugging(host), *(_of_plain_http(host) if plain else ())]:
        raise CommandError("\n".join(reasons), returncode=2)


def _of_the_key() -> Iterator[str]:
    try:
        key = settings.SECRET_KEY
    except ImproperlyConfigured:
        key = ""
    if len(key) < KEY_LENGTH or len(set(key)) < KEY_VARIETY or _KNOWN.search(key):
        yield (
            f"SECRET_KEY can be guessed: it signs sessions, and must be at least {KEY_LENGTH} random"
            ' characters (python -c "import secrets; print(secrets.token_urlsafe(48))")'
        )


def _of_debugging(host: str) -> Iterator[str]:
    if settings.DEBUG and not (_is_local(host) and all(map(_is_local, settings.ALLOWED_HOSTS))):
        yield "DEBUG shows settings and source to callers: it is for localhost, in --host and ALLOWED_HOSTS"


def _of_plain_http(host: str) -> Iterator[str]:
    if not (settings.PLAIN_HTTP or _is_local(host) or settings.EXTERNAL_URL.startswith("https://")):
        yield (
            f"plain HTTP on {host} would show passwords and tokens to the network: serve with --tls-only, or"
            " say what callers see of the TLS proxy in front (EXTERNAL_URL=https://…), or ALLOW_PLAIN_HTTP=1"
        )


def _is_local(host: str) -> bool:
    """Whether only this machine reaches `host`, an address or a name."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
