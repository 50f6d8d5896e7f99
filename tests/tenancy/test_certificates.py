"""Whom a certificate names: what is written exactly as it must be, and nobody for all else."""

from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tenancy import certificates
from tenancy.certificates import Grammar, Named, Unmapped
from tests.certificates import Authority

SUFFIX, DOMAIN = "o2ims.example.com", "netweave.test"
GRAMMAR = Grammar(SUFFIX, DOMAIN)
ALICE = f"alice.acme.{SUFFIX}"
URI = f"spiffe://{DOMAIN}/tenant/acme/user/alice"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def cn(value: str, type_: Any = None) -> x509.NameAttribute[str]:
    return x509.NameAttribute(NameOID.COMMON_NAME, value, type_)


@pytest.mark.parametrize(
    ("shape", "named"),
    [
        ({"names": [ALICE]}, Named("alice", "acme")),
        ({"names": [cn(ALICE, _ASN1Type.PrintableString)]}, Named("alice", "acme")),
        ({"names": [ALICE], "hosts": ["smo.acme.example"]}, Named("alice", "acme")),
        ({"uris": [URI]}, Named("alice", "acme")),
        ({"uris": [URI], "hosts": ["smo.acme.example", "smo2.acme.example"]}, Named("alice", "acme")),
        ({"names": ["bob.globex.o2ims.example.com"], "uris": [URI]}, Named("alice", "acme")),
        ({"uris": [f"spiffe://{DOMAIN}/platform/user/root"]}, Named("root", None)),
    ],
)
def test_who_is_named_as_it_must_be_is_that_one(
    authority: Authority, shape: dict[str, Any], named: Named
) -> None:
    assert GRAMMAR.named(authority.issue(**shape).x509) == named


ORGANISATION = x509.NameAttribute(NameOID.ORGANIZATION_NAME, ALICE)
ODD = {
    "nothing": {"names": []},
    "no common name": {"names": [ORGANISATION]},
    "two common names": {"names": [ALICE, ALICE]},
    "two different common names": {"names": [ALICE, f"bob.acme.{SUFFIX}"]},
    "a dot in the user": {"names": [f"al.ice.acme.{SUFFIX}"]},
    "no user": {"names": [f".acme.{SUFFIX}"]},
    "no tenant": {"names": [f"alice..{SUFFIX}"]},
    "only a tenant": {"names": [f"acme.{SUFFIX}"]},
    "another suffix": {"names": ["alice.acme.o2ims.example.org"]},
    "a longer suffix": {"names": [f"{ALICE}.evil.test"]},
    "the suffix with another character for its dot": {"names": ["alice.acme.o2imsxexample.com"]},
    "capital letters": {"names": [f"Alice.acme.{SUFFIX}"]},
    "a capital suffix": {"names": ["alice.acme.O2IMS.example.com"]},
    "a final dot": {"names": [f"{ALICE}."]},
    "a space before": {"names": [f" {ALICE}"]},
    "a space after": {"names": [f"{ALICE} "]},
    "a line feed after": {"names": [f"{ALICE}\n"]},
    "a NUL after": {"names": [f"{ALICE}\0"]},
    "a NUL inside": {"names": [f"alice\0.acme.{SUFFIX}"]},
    "a NUL and another suffix": {"names": [f"{ALICE}\0.evil.test"]},
    "an organisation inside the common name": {"names": [f"alice,O=acme.{SUFFIX}"]},
    "a slash inside": {"names": [f"alice/O=x.acme.{SUFFIX}"]},
    "a Cyrillic a": {"names": [f"аlice.acme.{SUFFIX}"]},
    "a full-width dot": {"names": [f"alice．acme.{SUFFIX}"]},
    "a combining accent": {"names": [f"alicé.acme.{SUFFIX}"]},
    "a right-to-left mark": {"names": [f"alice\u200f.acme.{SUFFIX}"]},
    "a wildcard for the user": {"names": [f"*.acme.{SUFFIX}"]},
    "a wildcard for the tenant": {"names": [f"alice.*.{SUFFIX}"]},
    "a user of 64": {"uris": [f"spiffe://{DOMAIN}/tenant/acme/user/{'a' * 64}"]},
    "digits of another script": {"names": [f"alice٣.acme.{SUFFIX}"]},
    "BMPString": {"names": [cn(ALICE, _ASN1Type.BMPString)]},
    "UniversalString": {"names": [cn(ALICE, _ASN1Type.UniversalString)]},
    "T61String": {"names": [cn(ALICE, _ASN1Type.T61String)]},
    "IA5String": {"names": [cn(ALICE, _ASN1Type.IA5String)]},
    "two URIs": {"uris": [URI, URI]},
    "two different URIs": {"uris": [URI, f"spiffe://{DOMAIN}/tenant/globex/user/charlie"]},
    "a URI of another domain, and a good name": {
        "names": [ALICE],
        "uris": ["spiffe://other.test/tenant/acme/user/alice"],
    },
    "another scheme": {"uris": [f"https://{DOMAIN}/tenant/acme/user/alice"]},
    "a scheme in capitals": {"uris": [f"SPIFFE://{DOMAIN}/tenant/acme/user/alice"]},
    "a longer path": {"uris": [f"{URI}/more"]},
    "a final slash": {"uris": [f"{URI}/"]},
    "a query": {"uris": [f"{URI}?x"]},
    "a fragment": {"uris": [f"{URI}#x"]},
    "an escape": {"uris": [f"spiffe://{DOMAIN}/tenant/acme/user/%61lice"]},
    "a port": {"uris": [f"spiffe://{DOMAIN}:443/tenant/acme/user/alice"]},
    "somebody's name in the authority": {"uris": [f"spiffe://x@{DOMAIN}/tenant/acme/user/alice"]},
    "an empty user": {"uris": [f"spiffe://{DOMAIN}/tenant/acme/user/"]},
    "dots in the path": {"uris": [f"spiffe://{DOMAIN}/tenant/globex/../acme/user/alice"]},
    "an e-mail address beside": {"names": [ALICE], "sans": [x509.RFC822Name("alice@acme.example")]},
    "a directory name beside": {
        "uris": [URI],
        "sans": [x509.DirectoryName(x509.Name([cn(ALICE)]))],
    },
    "another kind of name beside": {
        "uris": [URI],
        "sans": [x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4"))],
    },
    "a CA's": {"names": [ALICE], "extensions": [x509.BasicConstraints(ca=True, path_length=None)]},
    "a server's": {
        "names": [ALICE],
        "extensions": [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])],
    },
}


@pytest.mark.parametrize("shape", ODD.values(), ids=ODD)
def test_whatever_else_is_written_names_nobody(authority: Authority, shape: dict[str, Any]) -> None:
    found = authority.issue(**shape).x509
    with pytest.raises(Unmapped):
        GRAMMAR.named(found)


def test_a_form_that_is_not_taken_names_nobody(authority: Authority) -> None:
    for grammar, shape in (
        (Grammar("", DOMAIN), {"names": ["alice.acme."]}),
        (Grammar(SUFFIX, ""), {"uris": ["spiffe:///tenant/acme/user/alice"]}),
    ):
        with pytest.raises(Unmapped):
            grammar.named(authority.issue(**shape).x509)  # type: ignore[arg-type]


def test_only_the_one_who_signed_has_issued_it(authority: Authority, tmp_path: Path) -> None:
    leaf = authority.issue(names=[ALICE]).x509
    namesake = Authority(tmp_path, name="Test CA")
    assert certificates.issued_by(leaf, authority.certificate)
    assert not certificates.issued_by(leaf, namesake.certificate), "the same name is not the same key"
    assert not certificates.issued_by(leaf, leaf)


@pytest.mark.parametrize("junk", [b"", b"-----BEGIN CERTIFICATE-----\n", b"\x30\x82", b"x" * 10_000])
def test_what_is_no_certificate_is_nobodys(junk: bytes) -> None:
    with pytest.raises(Unmapped):
        certificates.read(junk)


def test_pem_and_der_are_the_same(authority: Authority) -> None:
    issued = authority.issue(names=[ALICE])
    pem = issued.certificate.read_bytes()
    assert certificates.read(certificates.der(certificates.read(pem))) == issued.x509
    assert issued.x509.fingerprint(hashes.SHA256()) == certificates.read(pem).fingerprint(hashes.SHA256())
