"""The second factor of the platform's people: what lets them in, once, and what does not."""

import base64
import hmac
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from itertools import cycle
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice
from playwright.async_api import expect

from tenancy import second_factor
from tenancy.trail import AuditEntry
from tests.gateway import Gateway
from tests.netweave.signing_in import LOGIN, PASSWORD, Page, Person
from tests.peers.chromium import Chromium
from tests.world import Cast

pytestmark = pytest.mark.usefixtures("counted")


class App:
    """An authenticator app, as RFC 6238 has it, that has scanned an `otpauth:` address."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
        self.asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self._key = base64.b32decode(self.asked["secret"])

    def code(self, later: int = 0) -> str:
        """Of now, or so many steps of 30 s later."""
        digest = hmac.digest(self._key, struct.pack(">Q", int(time.time()) // 30 + later), "sha1")
        offset = digest[-1] & 15
        return f"{(struct.unpack('>I', digest[offset : offset + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Stands still until it is moved."""
    with time_machine.travel(time.time(), tick=False) as traveller:
        yield traveller


@pytest.fixture
def people(cast: Cast, settings: Any) -> Cast:
    """Root and Iris have passwords, and a second factor is required."""
    settings.REQUIRE_TOTP = True
    for name in ("root", "iris", "alice"):
        cast.users[name].set_password(PASSWORD)
        cast.users[name].save()
    return cast


@pytest.fixture
def app(people: Cast) -> App:
    return App(second_factor.enrol(people.users["root"])[0])


_addresses = cycle(range(1, 255))  # from one, there are only a few guesses


def sign_in(code: str = "", *, name: str = "root", password: str = PASSWORD) -> Page:
    form = {"username": name, "password": password, "next": "/admin/", "code": code}
    answer = Client(REMOTE_ADDR=f"192.0.2.{next(_addresses)}").post(LOGIN, form)
    return Page(answer.status_code, [], answer.content.decode())


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def test_the_password_and_the_code_let_one_in_and_nothing_less(app: App, people: Cast) -> None:
    other = App(second_factor.enrol(people.users["iris"])[0])
    refused = sign_in(password="wrong", code=app.code())
    assert refused.status == 200
    for code in ("", other.code(), wrong(app.code()), "no code"):
        TOTPDevice.objects.update(throttling_failure_timestamp=None)
        page = sign_in(code)
        assert (page.status, page.refusal) == (200, refused.refusal), code
    TOTPDevice.objects.update(throttling_failure_timestamp=None)
    assert sign_in(f"{app.code()[:3]} {app.code()[3:]}").status == 302
    assert sign_in(other.code(), name="iris").status == 302


def test_a_code_is_good_once_and_not_for_long(app: App, clock: time_machine.Traveller) -> None:
    code = app.code()
    assert sign_in(code).status == 302
    assert sign_in(code).status == 200
    clock.shift(30)
    assert sign_in(code).status == 200
    clock.shift(30)
    code = app.code()
    clock.shift(90)
    assert sign_in(code).status == 200
    clock.shift(30)
    assert sign_in(app.code()).status == 302


def test_after_a_wrong_code_the_right_one_has_to_wait_longer_each_time(
    app: App, clock: time_machine.Traveller
) -> None:
    for wait in (1, 2, 4):
        assert sign_in(wrong(app.code(5))).status == 200
        clock.shift(wait - 0.1)
        assert sign_in(app.code()).status == 200
        clock.shift(0.2)
    assert sign_in(app.code()).status == 302


def test_a_backup_code_is_good_once_and_for_its_owner(people: Cast, clock: time_machine.Traveller) -> None:
    _, codes = second_factor.enrol(people.users["root"])
    second_factor.enrol(people.users["iris"])
    assert len(set(codes)) == second_factor.BACKUP_CODES
    assert sign_in(codes[0], name="iris").status == 200
    assert sign_in(codes[0].upper()).status == 302
    assert sign_in(codes[0]).status == 200
    clock.shift(2)
    assert sign_in(codes[1]).status == 302


def test_whoever_has_none_is_not_let_in_and_told_whom_to_ask(people: Cast) -> None:
    page = Client().get(LOGIN).content.decode()
    assert "enroll_totp" in page
    assert (sign_in().status, sign_in("123456").status) == (200, 200)


def test_where_none_is_required_nobody_is_asked(people: Cast, settings: Any) -> None:
    settings.REQUIRE_TOTP = False
    assert 'name="code"' not in Client().get(LOGIN).content.decode()
    assert sign_in().status == 302


def test_a_session_without_one_opens_nothing(people: Cast, settings: Any) -> None:
    settings.DOCS_PUBLIC = False
    client = Client()
    client.force_login(people.users["root"])
    for path in ("/admin/", "/admin/tenancy/user/", "/docs/"):
        assert client.get(path)["Location"].startswith(LOGIN), path
    assert client.get("/openapi.json").status_code == 403


def test_a_session_ends_with_the_key_that_it_began_with(app: App, people: Cast, settings: Any) -> None:
    settings.DOCS_PUBLIC = False
    client = Client()
    form = {"username": "root", "password": PASSWORD, "code": app.code(), "next": "/admin/"}
    assert client.post(LOGIN, form).status_code == 302
    assert (client.get("/admin/").status_code, client.get("/docs/").status_code) == (200, 200)
    second_factor.enrol(people.users["root"])
    assert (client.get("/admin/").status_code, client.get("/docs/").status_code) == (302, 302)


def test_keys_have_no_page_and_go_with_their_user(app: App, people: Cast, settings: Any) -> None:
    settings.REQUIRE_TOTP = False
    client = Client()
    client.force_login(people.users["root"])
    assert client.get("/admin/otp_totp/totpdevice/").status_code == 404
    assert client.get("/admin/otp_static/staticdevice/").status_code == 404
    iris = people.users["iris"]
    second_factor.enrol(iris)
    answer = client.post(reverse("admin:tenancy_user_delete", args=[iris.pk]), {"post": "yes"})
    assert answer.status_code == 302
    assert [device.user for device in TOTPDevice.objects.all()] == [people.users["root"]]


def enroll(*words: str) -> str:
    said = StringIO()
    call_command("enroll_totp", *words, stdout=said)
    return said.getvalue()


def test_the_command_shows_a_key_to_scan_and_backup_codes(people: Cast) -> None:
    said = enroll("root")
    address = next(line for line in said.splitlines() if line.startswith("otpauth:"))
    assert address.startswith("otpauth://totp/netweave%3Aroot?")
    picture = [line for line in said.splitlines() if set(line) & set("▀▄█")]
    assert len(picture) >= 20
    assert len({len(line) for line in picture}) == 1
    code = said.split()[-1]
    assert sign_in(App(address).code()).status == 302
    assert sign_in(code).status == 302


def test_the_command_is_in_the_audit_trail_without_the_key(people: Cast) -> None:
    said = StringIO()
    call_command("enroll_totp", "root", stdout=said)
    entry = AuditEntry.objects.get(path="enroll_totp")
    assert (entry.action, entry.kind, entry.label, entry.method) == ("update", "User", "root", "COMMAND")
    secret = TOTPDevice.objects.get(user=people.users["root"]).key
    assert secret not in "".join(map(str, entry.facts()))


def test_the_command_replaces_nothing_unasked(app: App, people: Cast) -> None:
    with pytest.raises(CommandError, match="--replace"):
        enroll("root")
    assert sign_in(app.code()).status == 302
    old = app.code(1)
    enroll("root", "--replace")
    assert sign_in(old).status == 200


@pytest.mark.parametrize(
    ("name", "said"), [("nobody", "there is no user nobody"), ("alice@acme", "only the platform's people")]
)
def test_the_command_is_for_the_platforms_people(people: Cast, name: str, said: str) -> None:
    with pytest.raises(CommandError, match=said) as refused:
        enroll(name)
    assert refused.value.returncode == 2


@pytest.fixture
def enrolled(gateway: Gateway) -> tuple[Gateway, App]:
    """A gateway as in production, and the app of its admin, boss."""
    gateway.environment["REQUIRE_TOTP"] = "1"
    gateway.web.command[:] = gateway._command("serve", "--port", str(gateway.port))
    gateway.configure({"name": "sample", "type": "mock", "config": {"live": 0}})
    gateway.start(gateway.web, ready=False)
    gateway.manage("add_user", "boss", "--admin", "--password-stdin", given=f"{PASSWORD}\n")
    said = gateway.manage("enroll_totp", "boss")
    gateway.until(lambda: gateway.get("", "/livez").status == 200, what="a start")
    return gateway, App(next(line for line in said.splitlines() if line.startswith("otpauth:")))


def test_of_all_who_send_one_code_at_once_one_is_let_in(enrolled: tuple[Gateway, App]) -> None:
    gateway, app = enrolled
    code = app.code()
    with ThreadPoolExecutor(4) as crowd:
        pages = list(crowd.map(lambda _: Person(gateway).sign_in("boss", code=code), range(4)))
    assert sorted(page.status for page in pages) == [200, 200, 200, 302]


async def test_a_person_signs_in_with_a_code(chromium: Chromium, enrolled: tuple[Gateway, App]) -> None:
    gateway, app = enrolled
    async with chromium.browser() as browser:
        page = await browser.new_page()
        await page.goto(f"{gateway.url}/admin/")
        await page.get_by_label("Username").fill("boss")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_label("Code").fill(app.code())
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
