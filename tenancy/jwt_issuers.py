"""The issuers whose JWTs are believed, as `JWT_ISSUERS` lists them: strictly read, because what is written
there decides who may come in."""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

#: Asymmetric ones only: nobody who can verify a token can make one.
ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
_NEEDED = frozenset({"issuer", "audience", "algorithms", "jwks"})
_KNOWN = _NEEDED | {"ca", "tenantClaim", "userClaim", "tenants", "platform", "clockSkew"}
_MOST_SKEW = 300
_TENANT = re.compile(r"[a-z0-9-]{1,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtIssuer:
    """One issuer: `issuer` and `audiences` are what `iss` and `aud` must say, `jwks` is the https URL or the
    file of its keys, `ca` whom its TLS is verified with (None: the machine's CAs). It speaks for `tenants`
    (None: for all), and for the platform's people only if `platform` says so. `clock_skew` in seconds."""

    issuer: str
    audiences: tuple[str, ...]
    algorithms: frozenset[str]
    jwks: str | Path
    ca: Path | None = None
    tenant_claim: str = "tenant"
    user_claim: str = "sub"
    tenants: frozenset[str] | None = None
    platform: bool = False
    clock_skew: int = 0

    def speaks_for(self, tenant: str | None) -> bool:
        """Whether it may say who somebody of `tenant` (None: of the platform) is."""
        if tenant is None:
            return self.platform
        return self.tenants is None or tenant in self.tenants


def read(file: Path) -> dict[str, JwtIssuer]:
    """The issuers of a YAML or JSON file, by `iss`. Paths in it are relative to it. Raises `ValueError` with
    what is wrong, or `OSError`."""
    try:
        listed = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is neither YAML nor JSON") from error
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise ValueError(f"{file} must hold a list of issuers")
    found: dict[str, JwtIssuer] = {}
    for number, one in enumerate(listed, 1):
        try:
            issuer = _issuer(one, file.parent)
        except ValueError as error:
            raise ValueError(f"issuer {number} of {file}: {error}") from error
        if issuer.issuer in found:
            raise ValueError(f"issuer {number} of {file}: {issuer.issuer} is there twice")
        found[issuer.issuer] = issuer
    return found


def _issuer(one: Mapping[str, Any], folder: Path) -> JwtIssuer:
    if missing := _NEEDED - one.keys():
        raise ValueError(f"{', '.join(sorted(missing))} is missing")
    if unknown := {str(key) for key in one.keys() - _KNOWN}:
        raise ValueError(f"{', '.join(sorted(unknown))} is not known")
    audiences = one["audience"] if isinstance(one["audience"], list) else [one["audience"]]
    algorithms = _texts("algorithms", one["algorithms"])
    if wrong := set(algorithms) - ALGORITHMS:
        raise ValueError(f"algorithms: {', '.join(sorted(wrong))} is none of {', '.join(sorted(ALGORITHMS))}")
    skew = one.get("clockSkew", 0)
    if isinstance(skew, bool) or not isinstance(skew, int) or not 0 <= skew <= _MOST_SKEW:
        raise ValueError(f"clockSkew must be seconds from 0 to {_MOST_SKEW}")
    if not isinstance(one.get("platform", False), bool):
        raise ValueError("platform must be true or false")  # noqa: TRY004 - the file is wrong
    return JwtIssuer(
        issuer=_text(one, "issuer"),
        audiences=tuple(_texts("audience", audiences)),
        algorithms=frozenset(algorithms),
        jwks=_jwks(_text(one, "jwks"), folder),
        ca=_ca(folder / _text(one, "ca")) if "ca" in one else None,
        tenant_claim=_text(one, "tenantClaim", "tenant"),
        user_claim=_text(one, "userClaim", "sub"),
        tenants=_tenants(one),
        platform=one.get("platform", False),
        clock_skew=skew,
    )


def _text(one: Mapping[str, Any], key: str, default: str = "") -> str:
    value = one.get(key, default)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} must be a text")
    return value


def _texts(key: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(part, str) and part for part in value):
        raise ValueError(f"{key} must be texts, and at least one")
    return value


def _tenants(one: Mapping[str, Any]) -> frozenset[str] | None:
    if "tenants" not in one:
        return None
    value = one["tenants"]
    if not isinstance(value, list) or not all(isinstance(t, str) and _TENANT.fullmatch(t) for t in value):
        raise ValueError("tenants must be a list of tenants")
    return frozenset(value)


def _jwks(text: str, folder: Path) -> str | Path:
    if "://" not in text:
        if not (folder / text).is_file():
            raise ValueError(f"jwks: there is no file {folder / text}")
        return folder / text
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.password:
        raise ValueError("jwks must be a file or an https URL without a password")
    return text


def _ca(file: Path) -> Path:
    try:
        ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"ca: {file} holds no certificates") from error
    return file
