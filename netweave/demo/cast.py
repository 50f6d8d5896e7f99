"""The people of the demo: Alice owns tenant acme, Bob looks at it, Charlie owns globex; root runs the
platform, Iris audits it.

Their tokens and passwords exist in plain text only in `demo.json`; what the database no longer takes is
issued anew.
"""

import secrets
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.utils import timezone

from tenancy.models import Token, User

TENANTS = ("acme", "globex")
PEOPLE: dict[str, tuple[str, dict[str, Any]]] = {
    "root": ("root", {"roles": ["PlatformAdmin"]}),
    "iris": ("iris", {"roles": ["Auditor"]}),
    "alice": ("alice@acme", {"roles": ["Owner"]}),
    "bob": ("bob@acme", {"roles": ["Viewer"]}),
    "charlie": ("charlie@globex", {"roles": ["Owner"]}),
}


def gather(known: dict[str, Any]) -> dict[str, Any]:
    """See to it that all exist; `known` is what the last start wrote. Gives the passwords of who signs in,
    and all tokens."""
    for tenant in TENANTS:
        call_command("add_tenant", tenant, name=tenant.title(), verbosity=0, stdout=_Silence())
    users = {name: _user(username, options) for name, (username, options) in PEOPLE.items()}
    tokens = known.get("tokens", {})
    return {
        "passwords": {
            name: _password(users[name], known.get(key, {}).get("password", ""))
            for name, key in (("root", "admin"), ("iris", "auditor"))
        },
        "tokens": {name: _token(user, tokens.get(name, "")) for name, user in users.items()},
    }


def trust(ca: Path) -> None:
    """The demo's CA speaks for everybody."""
    for whose in (*(["--tenant", tenant] for tenant in TENANTS), ["--platform"]):
        call_command("trust_issuer", str(ca), *whose, stdout=_Silence())


class _Silence:
    """An output that nobody reads: the demo says itself what there is."""

    def write(self, _text: str) -> None:
        """Nothing."""


def _user(username: str, options: dict[str, Any]) -> User:
    if not User.objects.filter(username=username).exists():
        call_command("add_user", username, stdout=_Silence(), **options)
    return User.objects.get(username=username)


def _password(user: User, known: str) -> str:
    if known and user.check_password(known):
        return known
    password = secrets.token_urlsafe(12)
    user.set_password(password)
    user.save()
    return password


def _token(user: User, known: str) -> str:
    row = Token.objects.filter(user=user, digest=Token.digest_of(known), revoked_at=None).first()
    if known and row is not None and (row.expires_at is None or row.expires_at > timezone.now()):
        return known
    _, secret = Token.issue(user, name="demo")
    return secret
