"""Somebody who signs in to the admin site of a running gateway, by HTTP and without a browser."""

import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.gateway import Gateway

LOGIN = "/admin/login/"
PASSWORD = "long enough for anybody"


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: `cookies` are its Set-Cookie headers, whole, `headers` the others."""

    status: int
    cookies: list[str]
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def refusal(self) -> str:
        """What the login page says was wrong, without its tags."""
        found = re.search(r'<p class="errornote">(.*?)</p>', self.text, re.DOTALL)
        return " ".join(found[1].split()) if found else ""


class Person:
    """Keeps cookies, as a browser does. `port` is another process's than the gateway's first."""

    def __init__(self, gateway: Gateway, *, port: int = 0, **headers: str) -> None:
        self._port = port or gateway.port
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.jar: dict[str, str] = {}

    def ask(self, method: str, path: str, **form: str) -> Page:
        """One request; a form's fields make a body."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        headers = {**self._headers, "Cookie": "; ".join(f"{k}={v}" for k, v in self.jar.items())}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, path, body=urlencode(form) if form else None, headers=headers)
            answer = connection.getresponse()
            others = {k.lower(): v for k, v in answer.headers.items() if k.lower() != "set-cookie"}
            cookies = answer.headers.get_all("Set-Cookie") or []
            page = Page(answer.status, cookies, answer.read().decode(), others)
        finally:
            connection.close()
        for cookie in page.cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.jar[name] = value
        return page

    def sign_in(self, name: str, password: str = PASSWORD, **more: str) -> Page:
        """Sends the login page's form; 302 where it lets one in."""
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.ask("GET", LOGIN).text)
        assert found is not None
        form = {"username": name, "password": password, "next": "/admin/", "csrfmiddlewaretoken": found[1]}
        return self.ask("POST", LOGIN, **form, **more)
