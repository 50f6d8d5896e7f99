"""Everything that can go wrong with a gateway full of secrets, one after another."""

import base64
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.netweave.planted import ECHOES, Planted, canary
from tests.netweave.signing_in import PASSWORD, Person
from tests.netweave.test_second_factor import App
from tests.sink import closed_port

POOLS, SUBSCRIPTIONS, TOKENS = "/o2ims/v1/resourcePools", "/o2ims/v1/subscriptions", "/admin/v1/tokens"


class Misfortunes(Planted):
    """What happens, and to whom: each adds to `secrets` what it uses, and to `said` what it is answered."""

    def everything(self) -> None:
        """All of it, one after another."""
        self.people()
        self.programs()
        self.subscribers()
        self.bodies()
        self.backends()
        self.files()
        with self.no_redis():
            self._all_over_again()
        with self.broken_tables():
            self._all_over_again()
        with self.no_database():
            self._page(self.paula.ask("GET", "/admin/"))
            self.call("GET", POOLS, Authorization=f"Bearer {self.secrets['an unknown token']}")
            self._send("POST", TOKENS, {"name": "canary-token"})

    def people(self) -> None:
        """Somebody signs in: with a wrong password, a wrong code, and what is right; and looks around."""
        manage = self.gateway.manage
        manage("add_user", "paula", "--admin", "--password-stdin", given=f"{PASSWORD}\n")
        shown = manage("enroll_totp", "paula")
        address = next(line for line in shown.splitlines() if line.startswith("otpauth://"))
        app, backup = App(address), re.findall(r"^  (\S+)$", shown, re.MULTILINE)[0]
        wrong = canary("wrong-password")
        self.secrets |= {"a password": PASSWORD, "a wrong password": wrong, "a backup code": backup}
        self.secrets["the key of an app"] = app.asked["secret"]
        self.paula = Person(self.gateway)
        self._page(self.paula.sign_in("paula", wrong, code=app.code()))
        page = self.paula.sign_in("paula", code=app.code())
        assert page.status == 302, page.refusal
        second = Person(self.gateway)
        assert second.sign_in("paula", code=backup).status == 302
        self.secrets |= {"a session": self.paula.jar["session"], "a form's cookie": self.paula.jar["csrf"]}
        self.secrets |= {"another session": second.jar["session"]}
        for path in ("/admin/", "/admin/o2ims/source/", "/admin/tenancy/token/", "/admin/tenancy/nothing/"):
            self._page(self.paula.ask("GET", path))
        self._page(self.paula.ask("POST", "/admin/tenancy/user/add/", username="x", password=PASSWORD))

    def programs(self) -> None:
        """Tokens that are good, revoked, unknown or of another issuer, and other ways to say who one is."""
        made = self._send("POST", TOKENS, {"name": "canary-token"}).body
        good, expired = self._issuer.token(), self._issuer.token(exp=1)
        unknown, basic = (
            f"nwt_{secrets.token_urlsafe(32)}",
            base64.b64encode(canary("basic").encode()).decode(),
        )
        self.secrets |= {
            "a new token": made["secret"],
            "an unknown token": unknown,
            "a JWT": good,
            "a JWT that has expired": expired,
            "a JWT that is forged": good[:-40] + "A" * 40,
            "what basic authentication says": basic,
        }
        names = ("a new token", "an unknown token", "a JWT", "a JWT that has expired", "a JWT that is forged")
        for name in names:
            self.call("GET", POOLS, Authorization=f"Bearer {self.secrets[name]}")
        self.call("GET", POOLS, Authorization=f"Basic {basic}", Cookie=f"session={self.secrets['a session']}")
        self.call("GET", f"{POOLS}?access_token={unknown}", Authorization=f"Bearer {good}")
        self._send("DELETE", f"{TOKENS}/{made['tokenId']}", If_Match="*")
        self.call("GET", POOLS, Authorization=f"Bearer {made['secret']}")

    def subscribers(self) -> None:
        """One who refuses and repeats all it was sent, one who is not there; secrets are made and changed."""
        self._sink.answer = lambda _: 500
        gone = f"http://127.0.0.1:{closed_port()}/?token="
        for number, url in enumerate((f"{self._sink.url}?token=", gone)):
            self.secrets[f"what a callback's address holds, {number}"] = word = canary("callback")
            made = self._send("POST", SUBSCRIPTIONS, {"callback": url + word}).body
            self.secrets[f"a subscription's secret, {number}"] = made["secret"]
            path = f"{SUBSCRIPTIONS}/{made['subscriptionId']}"
            self._send("POST", f"{path}/test")
            self.secrets[f"its next one, {number}"] = self._send("POST", f"{path}/rotate-secret").body[
                "secret"
            ]
            self._send("POST", f"{path}/test")
        self._send("POST", SUBSCRIPTIONS, {"callback": f"https://user:{canary('url')}@sub.example/"})
        self._send("POST", POOLS, {"name": "canary-pool"})
        self.gateway.until(lambda: len(self._sink.tried) > 3, what="what is sent")

    def bodies(self) -> None:
        """What is refused for what it holds."""
        self.secrets["a password in a body"] = word = canary("body")
        told = [{"name": 7, "password": word}, {"name": "x", "secret": word}, [word], word, None]
        bodies = [json.dumps(body) for body in told]
        bodies += [f'{{"name": "x", "password": "{word}"', f'{{"a": "{word}", "a": "{word}"}}', f"[{word}]"]
        for path in (POOLS, TOKENS, SUBSCRIPTIONS, "/admin/v1/tenants/acme/users"):
            for body in bodies:
                self.call("POST", path, body, Authorization=self._alice, Content_Type="application/json")
        self.call("GET", f"{POOLS}?filter=(eq,name", Authorization=self._alice)
        self.call("GET", "/o2ims/v1/%ff", Authorization=self._alice)
        self.call("POST", POOLS, "x" * 1_100_000, Authorization=self._alice, Content_Type="application/json")

    def backends(self) -> None:
        """Each that repeats our credential has been asked by the worker, by a page and at the shell."""
        self.said.append(("the shell", 1, self.gateway.manage("check_backends", status=1)))
        self.gateway.until(lambda: len(set(self._backend.seen)) >= len(ECHOES), what="questions to backends")
        for path in ("/admin/o2ims/source/", "/admin/", "/o2ims/v1/deploymentManagers"):
            self._page(self.paula.ask("GET", path))
        self.call("GET", "/o2ims/v1/deploymentManagers", Authorization=self._alice)
        self.call("GET", "/readyz")

    def files(self) -> None:
        """The key of TLS is half there for a while."""
        whole = self._server.key.read_text()
        self._server.key.write_text(whole[: len(whole) // 2])
        self.gateway.until(lambda: "tls_refused" in self.gateway.web.log.read_text(), what="a refusal")
        self._server.key.write_text(whole)

    @contextmanager
    def no_redis(self) -> Iterator[None]:
        """It is away; then it is there and knows no password."""
        self._redis.kill()
        yield
        self._redis.start()
        self._all_over_again()
        self._lock_redis()

    @contextmanager
    def broken_tables(self) -> Iterator[None]:
        """The database refuses rows, and tells them back; a table that pages read is not there."""
        tables = ("django_session", "tenancy_token", "tenancy_auditentry", "subscriptions_delivery")
        with self.gateway.database() as rows:
            for table in tables:
                rows.execute(f"ALTER TABLE {table} ADD CONSTRAINT canary CHECK (false) NOT VALID")
            rows.execute("ALTER TABLE tenancy_quota RENAME TO tenancy_quota_canary")
        yield
        with self.gateway.database() as rows:
            rows.execute("ALTER TABLE tenancy_quota_canary RENAME TO tenancy_quota")
            for table in tables:
                rows.execute(f"ALTER TABLE {table} DROP CONSTRAINT canary")

    @contextmanager
    def no_database(self) -> Iterator[None]:
        """It throws everybody out, and lets nobody in."""
        name = self.gateway.environment["DATABASE_URL"].rpartition("/")[2]
        with self._postgres.connect() as superuser:
            superuser.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            superuser.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            yield
            superuser.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        self.gateway.until(
            lambda: self.gateway.get("root", "/admin/v1/audit").status == 200, what="the database"
        )

    def _all_over_again(self) -> None:
        self._page(self.paula.ask("GET", "/admin/"))
        with suppress(AssertionError):  # there may be no page to sign in on
            self._page(Person(self.gateway).sign_in("paula", code="123456"))
        for name in ("a JWT", "an unknown token", "a JWT that has expired"):
            self.call("GET", POOLS, Authorization=f"Bearer {self.secrets[name]}")
        self._send("POST", TOKENS, {"name": "canary-token"})
        self._send("POST", SUBSCRIPTIONS, {"callback": self._sink.url})
        self._send("POST", POOLS, {"name": f"canary-pool-{len(self.said)}"})
