"""Tokens of other issuers: who they are believed about, and all that is not believed; the keys come from a
real server."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pytest_django.fixtures import Settings

from tenancy import jwks, jwt_issuers
from tenancy.jwks import Keys
from tenancy.jwts import believed
from tenancy.models import Tenant, User
from tenancy.principals import Principals, Suspended, Unidentified, principals
from tests.certificates import Authority
from tests.contract.hostile import Answer, Handler
from tests.tenancy.issuer import AUDIENCE, Issuer, private, public
from tests.world import Cast

Call = Callable[..., Any]
ME = "/admin/v1/me"


@pytest.fixture
def issuer(settings: Settings, tmp_path: Path) -> Iterator[Issuer]:
    with Issuer() as found:
        settings.JWT_ISSUERS = jwt_issuers.read(found.configured(tmp_path))
        yield found


def who(token: str, certificate: bytes | None = None) -> str:
    return principals.of_token(token, certificate).name


def keys() -> Keys:
    (found,) = believed._keys.values()
    return found


def later(seconds: float) -> None:
    """Time goes by since the issuer was asked."""
    one = keys()
    one._asked = (one._asked or 0) - seconds
    one._heard = None if one._heard is None else one._heard - seconds


class TestABelievedToken:
    @pytest.mark.parametrize("kid", ["rsa-1", "ec-1", "ed-1"])
    def test_is_its_users(self, issuer: Issuer, cast: Cast, call: Call, kid: str) -> None:
        answer = call("", ME, headers={"Authorization": f"Bearer {issuer.token(kid)}"})
        assert answer.status_code == 200
        body = answer.json()
        assert [body[key] for key in ("name", "tenantId", "authentication")] == ["alice@acme", "acme", "jwt"]
        assert [role["name"] for role in body["roles"]] == ["Owner"]
        assert body["expiresAt"] is not None

    def test_may_be_for_several_audiences(self, issuer: Issuer, cast: Cast) -> None:
        assert who(issuer.token(aud=["https://other.example", AUDIENCE])) == "alice@acme"

    def test_is_remembered_until_it_ends_or_something_is_taken_away(
        self, issuer: Issuer, cast: Cast, django_assert_num_queries: Any
    ) -> None:
        token = issuer.token(sub="bob")
        principals.follow()
        who(token)
        with django_assert_num_queries(0):
            assert who(token) == "bob@acme"
        assert issuer.asked == 1
        bob = User.objects.get(username="bob@acme")
        bob.is_active = False
        bob.save()
        principals.follow()
        with pytest.raises(Unidentified):
            who(token)

    def test_ends_when_it_says_also_where_it_is_remembered(self, issuer: Issuer, cast: Cast) -> None:
        token = issuer.token(exp=int(time.time()) + 2)
        assert who(token) == "alice@acme"
        time.sleep(2.1)
        with pytest.raises(Unidentified):
            who(token)

    def test_may_be_a_little_late_or_early_where_the_clocks_differ(
        self, issuer: Issuer, cast: Cast, settings: Settings, tmp_path: Path
    ) -> None:
        settings.JWT_ISSUERS = jwt_issuers.read(issuer.configured(tmp_path, clockSkew=60))
        now = int(time.time())
        assert who(issuer.token(exp=now - 5)) == "alice@acme"
        assert who(issuer.token(nbf=now + 30, iat=now + 30)) == "alice@acme"
        with pytest.raises(Unidentified):
            who(issuer.token(exp=now - 90))

    def test_of_the_platform_needs_an_issuer_that_may_speak_for_it(
        self, issuer: Issuer, cast: Cast, settings: Settings, tmp_path: Path
    ) -> None:
        token = issuer.token(sub="root", tenant=None)
        with pytest.raises(Unidentified):
            who(token)
        settings.JWT_ISSUERS = jwt_issuers.read(issuer.configured(tmp_path, platform=True))
        assert who(token) == "root"

    def test_says_user_and_tenant_under_the_names_that_are_configured(
        self, issuer: Issuer, cast: Cast, settings: Settings, tmp_path: Path
    ) -> None:
        file = issuer.configured(tmp_path, userClaim="client", tenantClaim="org", tenants=["globex"])
        settings.JWT_ISSUERS = jwt_issuers.read(file)
        assert who(issuer.token(client="charlie", org="globex")) == "charlie@globex"
        others: list[dict[str, Any]] = [
            {"client": "alice", "org": "acme"}, {"client": "charlie"}, {"org": "globex"}
        ]  # fmt: skip
        for claims in others:
            with pytest.raises(Unidentified):
                who(issuer.token(**claims))

    def test_makes_nobody(self, issuer: Issuer, cast: Cast) -> None:
        before = User.objects.count()
        with pytest.raises(Unidentified):
            who(issuer.token(sub="stranger"))
        assert User.objects.count() == before


def hs256_with_the_public_key(issuer: Issuer) -> str:
    key = private("rsa-1").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = issuer.forged({"alg": "HS256", "kid": "rsa-1"}).rpartition(".")[0]
    mac = base64.urlsafe_b64encode(hmac.digest(key, signed.encode(), "sha256")).rstrip(b"=")
    return f"{signed}.{mac.decode()}"


NOW = int(time.time())
UNBELIEVED: dict[str, Callable[[Issuer], str]] = {
    "no algorithm": lambda i: i.forged({"alg": "none", "kid": "rsa-1"}),
    "no algorithm, in capitals": lambda i: i.forged({"alg": "NONE", "kid": "rsa-1"}),
    "the public key as a secret": hs256_with_the_public_key,
    "no signature": lambda i: i.token().rpartition(".")[0] + ".",
    "an algorithm that is not the issuer's": lambda i: i.forged({"alg": "RS512", "kid": "rsa-1"}, b"x" * 256),
    "a key of another kind": lambda i: i.token("rsa-1", header={"kid": "ec-1"}),
    "another issuer": lambda i: i.token(iss="https://evil.example"),
    "another audience": lambda i: i.token(aud="https://other.example"),
    "no issuer": lambda i: i.token(iss=None),
    "no audience": lambda i: i.token(aud=None),
    "no end": lambda i: i.token(exp=None),
    "no beginning": lambda i: i.token(iat=None),
    "an end that is no time": lambda i: i.token(exp="soon"),
    "an end beyond all time": lambda i: i.token(exp=10**18),
    "an end that is infinite": lambda i: i.token(exp=float("inf")),
    "ended": lambda i: i.token(exp=NOW - 10),
    "not yet": lambda i: i.token(nbf=NOW + 3600),
    "made in the future": lambda i: i.token(iat=NOW + 3600),
    "a key nobody knows": lambda i: i.token("rsa-unlisted"),
    "no key named": lambda i: i.token(header={}),
    "another issuer's key under a known name": lambda i: i.token("rsa-2", header={"kid": "rsa-1"}),
    "a user of another tenant": lambda i: i.token(tenant="globex"),
    "a tenant that is not there": lambda i: i.token(tenant="nowhere"),
    "a user that is not there": lambda i: i.token(sub="stranger"),
    "a user with the tenant in the name": lambda i: i.token(sub="alice@acme", tenant=None),
    "a user that is a list": lambda i: i.token(tenant=["acme"]),
    "the platform's people": lambda i: i.token(sub="root", tenant=None),
    "what nobody understands": lambda i: i.token(header={"kid": "rsa-1", "crit": ["exp"], "exp": 1}),
    "bound to another thing": lambda i: i.token(cnf={"jkt": "x"}),
    "bound to nothing": lambda i: i.token(cnf={"x5t#S256": ""}),
    "bound to a certificate that is not shown": lambda i: i.token(cnf={"x5t#S256": "A" * 43}),
    "huge": lambda i: i.token(more="x" * 20_000),
    "deep": lambda _: "e30." + base64.urlsafe_b64encode(b"[" * 5000).decode().rstrip("=") + ".",
    "garbage": lambda _: "a.b.c",
    "nothing at all": lambda _: "..",
}


@pytest.mark.parametrize("kind", UNBELIEVED)
def test_what_is_not_believed_gets_one_and_the_same_answer(
    issuer: Issuer, cast: Cast, call: Call, kind: str
) -> None:
    shown = {"X-Request-Id": "same"}
    refused = call("", ME, headers={**shown, "Authorization": f"Bearer {UNBELIEVED[kind](issuer)}"})
    unknown = call("", ME, headers={**shown, "Authorization": "Bearer nwt_unknown"})
    assert refused.status_code == 401
    assert refused.content == unknown.content
    assert refused["WWW-Authenticate"] == unknown["WWW-Authenticate"]


def test_a_good_signature_of_an_algorithm_that_is_not_allowed_is_none(
    issuer: Issuer, cast: Cast, settings: Settings, tmp_path: Path
) -> None:
    settings.JWT_ISSUERS = jwt_issuers.read(issuer.configured(tmp_path, algorithms=["ES256"]))
    assert who(issuer.token("ec-1")) == "alice@acme"
    with pytest.raises(Unidentified):
        who(issuer.token("rsa-1"))


def test_a_suspended_tenants_people_are_told_so(issuer: Issuer, cast: Cast) -> None:
    tenant = Tenant.objects.get(pk="acme")
    tenant.status = Tenant.Status.SUSPENDED
    tenant.save()
    with pytest.raises(Suspended):
        who(issuer.token())


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize(
    "key",
    [
        public("rsa-short"),
        public("rsa-1", alg="RS512"),
        public("rsa-1", use="enc"),
        public("rsa-1", key_ops=["sign"]),
        public("rsa-1", key_ops=7),
        public("rsa-1", kty=["RSA"]),
        public("rsa-1", d="AQAB"),
        {"kid": "rsa-1", "kty": "RSA"},
        {"kid": "rsa-1", "kty": "oct", "k": "c2VjcmV0"},
        "no key",
    ],
)
def test_a_key_that_is_not_for_this_verifies_nothing(issuer: Issuer, cast: Cast, key: Any) -> None:
    issuer.answer = lambda handler: handler.json({"keys": [key]})
    kid = key["kid"] if isinstance(key, dict) else "rsa-1"
    with pytest.raises(Unidentified):
        who(issuer.token(kid))
    assert issuer.asked == 1


class TestABoundToken:
    def test_needs_the_certificate_it_is_bound_to(self, issuer: Issuer, cast: Cast, tmp_path: Path) -> None:
        authority = Authority(tmp_path)
        hers, other = (authority.issue(names=["x"]) for _ in range(2))
        digest = hashlib.sha256(hers.x509.public_bytes(Encoding.DER)).digest()
        thumbprint = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        token = issuer.token(cnf={"x5t#S256": thumbprint})
        for _ in range(2):  # the second time it is remembered
            with pytest.raises(Unidentified):
                who(token)
            with pytest.raises(Unidentified):
                who(token, other.certificate.read_bytes())
            with pytest.raises(Unidentified):
                who(token, b"no certificate")
            assert who(token, hers.certificate.read_bytes()) == "alice@acme"
            assert who(token, hers.x509.public_bytes(Encoding.DER)) == "alice@acme"


def drips(handler: Handler) -> None:
    """The right answer, byte by byte: each comes soon, and all of it too late."""
    body = json.dumps({"keys": [public("rsa-1")]}).encode()
    handler.begin({"Content-Length": str(len(body) + 20)})
    for _ in range(20):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        if handler.server.over.wait(0.1):
            return
    handler.wfile.write(body)


def leads_elsewhere(issuer: Issuer) -> Answer:
    def answer(handler: Handler) -> None:
        if handler.path == "/keys":
            keys = {"keys": [public("rsa-1")]}
            handler.json(keys, 302, {"Location": f"{issuer.server.url}/others"})
        else:
            issuer.shows_its_keys(handler)

    return answer


TROUBLES: dict[str, Callable[[Issuer], Answer]] = {
    "an error": lambda _: lambda handler: handler.json({"keys": [public("rsa-1")]}, 500),
    "a redirection": leads_elsewhere,
    "a huge answer": lambda _: lambda handler: handler.json({"keys": [public("rsa-1")], "x": "x" * 300_000}),
    "an end of the connection": lambda _: lambda handler: handler.json({}, 503, {"Connection": "close"}),
    "no JSON": lambda _: lambda handler: handler.send(b"<html>"),
    "no keys": lambda _: lambda handler: handler.json(["keys"]),
    "no answer": lambda _: lambda handler: handler.wait(),
    "an answer that drips": lambda _: drips,
}


class TestAnIssuerIn:
    @pytest.mark.parametrize("trouble", TROUBLES)
    def test_trouble_is_believed_about_nobody_and_asked_again_later(
        self, issuer: Issuer, cast: Cast, monkeypatch: pytest.MonkeyPatch, trouble: str
    ) -> None:
        monkeypatch.setattr(jwks, "ANSWER_SECONDS", 0.5)
        issuer.answer = TROUBLES[trouble](issuer)
        for _ in range(3):
            with pytest.raises(Unidentified):
                who(issuer.token())
        assert issuer.server.seen == ["/keys"]  # asked once, and led nowhere
        issuer.answer = issuer.shows_its_keys
        later(31)
        assert who(issuer.token()) == "alice@acme"

    @pytest.mark.parametrize("trouble", TROUBLES)
    def test_trouble_is_believed_by_the_keys_it_had(
        self, issuer: Issuer, cast: Cast, monkeypatch: pytest.MonkeyPatch, trouble: str
    ) -> None:
        monkeypatch.setattr(jwks, "ANSWER_SECONDS", 0.5)
        who(issuer.token())
        issuer.answer = TROUBLES[trouble](issuer)
        later(601)
        assert who(issuer.token(more="another")) == "alice@acme"
        assert issuer.server.seen == ["/keys", "/keys"]

    def test_strangers_hands_is_not_asked(
        self, issuer: Issuer, cast: Cast, settings: Settings, tmp_path: Path
    ) -> None:
        other = Authority(tmp_path)
        settings.JWT_ISSUERS = jwt_issuers.read(issuer.configured(tmp_path, ca=str(other.file)))
        with pytest.raises(Unidentified):
            who(issuer.token())
        assert issuer.asked == 0


class TestKeys:
    def test_that_are_new_are_fetched_when_a_token_names_one(self, issuer: Issuer, cast: Cast) -> None:
        who(issuer.token("rsa-1"))
        issuer.listed = ["rsa-2"]
        with pytest.raises(Unidentified):
            who(issuer.token("rsa-2"))  # it was asked a moment ago
        assert issuer.asked == 1
        later(31)
        assert who(issuer.token("rsa-2")) == "alice@acme"
        with pytest.raises(Unidentified):
            who(issuer.token("rsa-1", more="another"))  # withdrawn
        assert issuer.asked == 2

    def test_that_are_withdrawn_are_forgotten_with_age(self, issuer: Issuer, cast: Cast) -> None:
        who(issuer.token("rsa-1"))
        issuer.listed = ["rsa-2"]
        later(601)
        with pytest.raises(Unidentified):
            who(issuer.token("rsa-1", more="another"))

    def test_may_lie_in_a_file(self, issuer: Issuer, cast: Cast, settings: Settings, tmp_path: Path) -> None:
        (tmp_path / "keys.json").write_bytes(json.dumps({"keys": [public("ec-1")]}).encode())
        settings.JWT_ISSUERS = jwt_issuers.read(issuer.configured(tmp_path, jwks="keys.json"))
        assert who(issuer.token("ec-1")) == "alice@acme"
        assert issuer.asked == 0


def test_tokens_that_have_ended_make_room_for_others(
    issuer: Issuer, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenancy.principals.MOST_KNOWN", 3)
    known = Principals()
    known.follow()
    known.of_token(cast.tokens["alice"])
    for number in range(2):
        known.of_token(issuer.token(exp=int(time.time()) + 1, n=number))
    time.sleep(1.1)
    known.of_token(issuer.token())
    assert len(known._by_digest) == 2  # alice's own, and the new one
    for number in range(5):
        known.of_token(issuer.token(n=number))
    assert len(known._by_digest) <= 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"algorithms": ["HS256"]}, "HS256"),
        ({"algorithms": ["none"]}, "none"),
        ({"algorithms": []}, "algorithms"),
        ({"algorithms": "RS256"}, "algorithms"),
        ({"jwks": "http://idp.example/keys"}, "https"),
        ({"jwks": "https://me:secret@idp.example/keys"}, "https"),
        ({"jwks": "none.json"}, "no file"),
        ({"ca": "none.pem"}, "ca"),
        ({"issuer": ""}, "issuer"),
        ({"audience": None}, "audience"),
        ({"platform": "yes"}, "platform"),
        ({"clockSkew": 3600}, "clockSkew"),
        ({"clockSkew": True}, "clockSkew"),
        ({"tenants": "acme"}, "tenants"),
        ({"audiences": ["x"]}, "audiences is not known"),
    ],
)
def test_a_wrong_issuer_is_named(issuer: Issuer, tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=rf"issuer 1 of .*{said}"):
        jwt_issuers.read(issuer.configured(tmp_path, **change))


@pytest.mark.parametrize("text", ["{}", "[1]", "a: [", "- issuer: x"])
def test_a_file_that_lists_no_issuers_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "issuers.yaml").write_text(text)
    with pytest.raises(ValueError, match="issuers"):
        jwt_issuers.read(tmp_path / "issuers.yaml")
