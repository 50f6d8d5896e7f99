"""An issuer of JWTs: keys of its own, their public halves served over HTTPS, and whatever tokens a test asks
for."""

import base64
import json
import time
from functools import cache
from pathlib import Path
from typing import Any, Self

import jwt
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.contract.hostile import Answer, Handler, HostileServer

AUDIENCE = "https://o2.netweave.example"
ALGORITHMS = {"rsa": "RS256", "ec": "ES256", "ed": "EdDSA"}


@cache
def private(kid: str) -> Any:
    """The private key of this id, always the same one in a run: its kind is what the id begins with."""
    if kid.startswith("ec"):
        return ec.generate_private_key(ec.SECP256R1())
    if kid.startswith("ed"):
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, 1024 if "short" in kid else 2048)


def algorithm(kid: str) -> str:
    """What a key of this id signs with."""
    return ALGORITHMS.get(kid[:2], "RS256")


def public(kid: str, **more: Any) -> dict[str, Any]:
    """The JWK of its public half."""
    name = algorithm(kid)
    made = jwt.get_algorithm_by_name(name).to_jwk(private(kid).public_key(), as_dict=True)
    return {**made, "kid": kid, "use": "sig", "alg": name, **more}


class Issuer:
    """`listed` are the ids (or whole JWKs) of what it shows; `answer` may be set to answer otherwise; `seen`
    counts questions."""

    def __init__(self) -> None:
        self.listed: list[str | dict[str, Any]] = ["rsa-1", "ec-1", "ed-1"]
        self.answer: Answer = self.shows_its_keys
        self.server = HostileServer(self._answer)
        self.name = f"{self.server.url}/acme"

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.__exit__(*error)

    @property
    def asked(self) -> int:
        return len(self.server.seen)

    def _answer(self, handler: Handler) -> None:
        self.answer(handler)

    def shows_its_keys(self, handler: Handler) -> None:
        handler.json({"keys": [public(one) if isinstance(one, str) else one for one in self.listed]})

    def configured(self, folder: Path, **more: Any) -> Path:
        """The file for JWT_ISSUERS."""
        path = folder / "issuers.yaml"
        one = {
            "issuer": self.name,
            "audience": AUDIENCE,
            "algorithms": ["RS256", "ES256", "EdDSA"],
            "jwks": f"{self.server.url}/keys",
            "ca": str(self.server.ca_file),
        }
        path.write_text(yaml.safe_dump([{**one, **more}]))
        return path

    def claims(self, **more: Any) -> dict[str, Any]:
        """Alice's, good for an hour; a claim that is given as None is not there."""
        now = int(time.time())
        made = {
            "iss": self.name,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 3600,
            "sub": "alice",
            "tenant": "acme",
            **more,
        }
        return {name: value for name, value in made.items() if value is not None}

    def token(self, kid: str = "rsa-1", *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Signed with the key of this id; `header` may say otherwise."""
        headers = {"kid": kid} if header is None else header
        return jwt.encode(self.claims(**claims), private(kid), algorithm(kid), headers=headers)

    def forged(self, header: dict[str, Any], signature: bytes = b"", **claims: Any) -> str:
        """Put together by hand."""
        parts = [json.dumps(header).encode(), json.dumps(self.claims(**claims)).encode(), signature]
        return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
