"""Where callbacks may not go, as registration sees it: in the URL, and in what its name means."""

import socket
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.callback import Forbidden, Policy, check_address, check_resolved, check_url
from tests.subscriptions.spellings import AUTHORITIES, ELSEWHERE, GOOD, HOSTS, NUMBERS, URLS

STRICT = Policy()
LENIENT = Policy(loopback=True, plain_http=True, allowed=(ip_network("0.0.0.0/0"), ip_network("::/0")))


def refused(url: str, policy: Policy = STRICT) -> str:
    with pytest.raises(Forbidden) as caught:
        check_url(url, policy)
    return caught.value.reason


def answering(*addresses: str) -> Any:
    """A `getaddrinfo` whose answer is these."""
    return lambda _, port, **__: [(socket.AF_INET, 1, 6, "", (address, port)) for address in addresses]


def test_there_are_enough_spellings() -> None:
    assert len(set(HOSTS)) >= 120


@pytest.mark.parametrize("host", HOSTS, ids=ascii)
def test_no_spelling_of_a_forbidden_host_is_registered(host: str) -> None:
    for url in (f"https://{host}", f"https://{host}:8443/x", f"http://{host}/"):
        said = refused(url, Policy(plain_http=True))
        assert said.isascii()
        assert host.strip("[]") not in said or len(host) < 4  # an error repeats nothing


@pytest.mark.parametrize("authority", AUTHORITIES, ids=ascii)
def test_no_authority_that_two_readers_read_differently_is_registered(authority: str) -> None:
    refused(f"https://{authority.format(8080)}/x", LENIENT)


@pytest.mark.parametrize("url", URLS, ids=lambda url: ascii(url)[:40])
def test_what_is_no_absolute_url_of_https_is_not_registered(url: str) -> None:
    refused(url, LENIENT)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://u:p@good.example/", "credentials"),
        ("https://good.example/#x", "fragment"),
        ("https://good.example:0/", "port"),
        ("https://gööd.example/", "punycode"),
        ("https://xn--99999999/", "punycode"),
        ("http://good.example/", "https"),
        (f"https://good.example/{'x' * 2048}", "2048"),
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_the_error_says_what_is_wrong(url: str, why: str) -> None:
    assert why in refused(url)


@pytest.mark.parametrize("url", GOOD)
def test_public_places_are_registered_in_any_honest_spelling(url: str) -> None:
    check_url(url, STRICT)


def test_plain_http_and_loopback_need_to_be_allowed_each() -> None:
    assert "https" in refused("http://good.example/")
    check_url("http://good.example/", Policy(plain_http=True))
    for host in ("127.0.0.1", "[::1]", "localhost", "[::ffff:127.0.0.1]"):
        assert "loopback" in refused(f"https://{host}/")
        check_url(f"https://{host}/", Policy(loopback=True))


@pytest.mark.parametrize(
    "host", [host for host in NUMBERS if not host.startswith("127.") or host.count(".") < 3]
)
def test_even_where_loopback_is_allowed_it_has_one_spelling(host: str) -> None:
    assert "spelling" in refused(f"https://{host}/", LENIENT)


def test_private_networks_are_only_those_on_the_allow_list() -> None:
    policy = Policy(allowed=(ip_network("10.1.0.0/16"), ip_network("fd00:5::/32")))
    for host in ("10.1.2.3", "[::ffff:10.1.2.3]", "[64:ff9b::10.1.2.3]", "[fd00:5::1]"):
        check_url(f"https://{host}/", policy)
    for host in ("10.2.0.1", "[::ffff:10.2.0.1]", "192.168.1.1", "[fd00:6::1]"):
        assert "allow-list" in refused(f"https://{host}/", policy)


def test_an_allow_list_of_everything_opens_private_networks_and_nothing_else() -> None:
    opened = []
    for host in ELSEWHERE:
        try:
            check_url(f"https://{host}/", Policy(allowed=LENIENT.allowed))
        except Forbidden as error:
            assert "allow-list" not in error.reason, host
        else:
            opened.append(host)
    private = ("10.", "172.", "192.168.", "192.0.2.", "198.", "203.", "100.64.", "[fc", "[fd12", "[2001:db8")
    inside = ("[::ffff:10.", "[64:ff9b::10.", "[2002:a00:", "[64:ff9b:1::")
    assert all(host.startswith((*private, *inside)) for host in opened)


@pytest.mark.parametrize(
    "address",
    ["64:ff9b:1::127.0.0.1", "64:ff9b:1:7f00:0:100::", "64:ff9b:1:7f:0:1::", "64:ff9b:1:0:7f:0:100:0"],
)
def test_a_local_translator_that_is_allowed_leads_no_further_than_anything_else(address: str) -> None:
    policy = Policy(allowed=(ip_network("64:ff9b:1::/48"),))
    check_address(ip_address("64:ff9b:1::8.8.8.8"), policy)
    with pytest.raises(Forbidden):
        check_address(ip_address(address), policy)


def test_nothing_allows_the_networks_of_our_own() -> None:
    own = (
        ip_network("10.9.0.0/16"),
        ip_network("8.8.4.0/24"),
        ip_network("127.0.0.7/32"),
        ip_network("2a00::/32"),
    )
    policy = Policy(loopback=True, allowed=LENIENT.allowed, own=own)
    for host in ("10.9.1.1", "8.8.4.4", "127.0.0.7", "[2a00::1]", "[::ffff:10.9.1.1]", "[2002:a09:101::]"):
        assert "own" in refused(f"https://{host}/", policy)
    check_url("https://127.0.0.8/", policy)


@given(st.ip_addresses(v=6) | st.ip_addresses(v=4))
def test_what_is_mapped_into_ipv6_is_judged_as_what_it_is(address: Any) -> None:
    def allowed(text: str) -> bool:
        try:
            check_address(ip_address(text), STRICT)
        except Forbidden:
            return False
        return True

    if address.version == 6:
        allowed(str(address))  # nothing but Forbidden comes of any address
        return
    wrapped = [
        f"::ffff:{address}",
        f"64:ff9b::{address}",
        str(ip_address(0x2002 << 112 | int(address) << 80)),
    ]
    assert {allowed(text) for text in wrapped} == {allowed(str(address))}


@given(st.text(max_size=60) | st.from_regex(r"\Ahttps?://[\w\[\]:.%@-]*(/.*)?\Z"))
def test_whatever_is_given_the_answer_is_yes_or_forbidden(url: str) -> None:
    try:
        check_url(url, STRICT)
    except Forbidden as error:
        assert error.reason


def test_a_name_is_registered_if_everything_it_means_is_allowed() -> None:
    check_resolved("https://good.example/", STRICT, lookup=answering("8.8.8.8", "2606:4700::1"))
    for bad in ("127.0.0.1", "::1", "::ffff:169.254.169.254", "fe80::1%2", "10.0.0.1", "not-an-address"):
        with pytest.raises(Forbidden):
            check_resolved("https://good.example/", STRICT, lookup=answering("8.8.8.8", bad))


def test_the_name_and_the_port_are_what_is_looked_up() -> None:
    asked: list[tuple[str, int]] = []

    def lookup(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        asked.append((host, port))
        return []

    for url in ("https://a.example/", "http://a.example", "https://[2606:4700::1]:1/"):
        check_resolved(url, Policy(plain_http=True), lookup=lookup)
    assert asked == [("a.example", 443), ("a.example", 80), ("2606:4700::1", 1)]


def test_a_name_of_this_machine_is_caught_by_what_it_means() -> None:
    for host in ("127.0.0.1", "localhost"):
        check_resolved(f"https://{host}/", Policy(loopback=True))
        with pytest.raises(Forbidden):
            check_resolved(f"https://{host}/", STRICT)


def test_a_name_that_means_nothing_is_no_question_of_what_is_forbidden() -> None:
    def lookup(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(socket.gaierror):
        check_resolved("https://nowhere.example/", STRICT, lookup=lookup)
