"""How a connection gets its credentials, keeps them fresh and lets them go: against a real API server where
it matters that they are accepted."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters import kubeconfig as credentials
from adapters.errors import Misconfigured, TimedOut, Unauthorized, Unreachable
from adapters.kube import Connection
from tests.contract.hostile import Handler, HostileServer, kubeconfig, unused_port
from tests.peers.kubernetes import ControlPlane

Open = Callable[..., Connection]
VERSION = "read its version"


@pytest.fixture
def connect() -> Iterator[Open]:
    opened: list[Connection] = []

    def connect(**where: Any) -> Connection:
        texts: dict[str, Any] = {name: str(value) for name, value in where.items()}
        opened.append(Connection("lab", **texts))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a kubeconfig with one cluster and one user."""

    def write(cluster: dict[str, Any], user: dict[str, Any]) -> Path:
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(kubeconfig(cluster, user)))
        return path

    return write


def whoami(connection: Connection) -> str:
    """The name under which the API server knows us."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    return str(connection.post(path, review, what="read who we are")["status"]["userInfo"]["username"])


def reachable(kube: ControlPlane) -> dict[str, Any]:
    return {"server": kube.url, "certificate-authority": str(kube.ca_file)}


def plugin(tmp_path: Path, status: dict[str, Any], *, more: str = "") -> dict[str, Any]:
    """A user whose credential plugin counts its runs in a file and answers `status`."""
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    script = tmp_path / "plugin.py"
    script.write_text(
        f"open({str(tmp_path / 'runs')!r}, 'a').write('x')\n{more}\nprint({json.dumps(answer)!r})\n"
    )
    spec = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": [str(script)]}
    return {"exec": {**spec, "interactiveMode": "Never"}}


def runs(tmp_path: Path) -> int:
    return len((tmp_path / "runs").read_text())


def soon(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


class TestKubeconfig:
    @pytest.mark.parametrize("how", [{}, {"embed": True}, {"token": True}, {"token": True, "embed": True}])
    def test_every_way_to_say_who_we_are_works(
        self, kube: ControlPlane, connect: Open, how: dict[str, Any]
    ) -> None:
        assert whoami(connect(kubeconfig=kube.kubeconfig("admin", **how))) == "admin"

    def test_the_context_may_be_chosen(self, kube: ControlPlane, connect: Open, tmp_path: Path) -> None:
        content = kubeconfig(reachable(kube), {"token": kube.token("admin")})
        content["users"].append({"name": "other", "user": {"token": kube.token("reader")}})
        content["contexts"].append({"name": "second", "context": {"cluster": "lab-cluster", "user": "other"}})
        (tmp_path / "config").write_text(json.dumps(content))
        assert whoami(connect(kubeconfig=tmp_path / "config")) == "admin"
        assert whoami(connect(kubeconfig=tmp_path / "config", context="second")) == "reader"

    def test_paths_in_it_are_relative_to_it(self, kube: ControlPlane, connect: Open, tmp_path: Path) -> None:
        (tmp_path / "ca.pem").write_bytes(kube.ca_file.read_bytes())
        (tmp_path / "token").write_text(kube.token("reader") + "\n")
        content = kubeconfig({"server": kube.url, "certificate-authority": "ca.pem"}, {"tokenFile": "token"})
        (tmp_path / "config").write_text(json.dumps(content))
        assert whoami(connect(kubeconfig=tmp_path / "config")) == "reader"

    def test_a_token_file_that_changes_is_read_again_within_a_minute(
        self,
        kube: ControlPlane,
        connect: Open,
        tmp_path: Path,
        write: Callable[..., Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        (tmp_path / "token").write_text(kube.token("reader"))
        connection = connect(kubeconfig=write(reachable(kube), {"tokenFile": str(tmp_path / "token")}))
        assert whoami(connection) == "reader"
        (tmp_path / "token").write_text(kube.token("admin") + "\n")
        assert whoami(connection) == "reader", "the files are not looked at for every call"
        monkeypatch.setattr(credentials, "_FILES_SECONDS", 0.0)
        assert whoami(connection) == "admin"

    def test_credentials_that_are_refused_are_read_again_at_once(
        self, kube: ControlPlane, connect: Open, tmp_path: Path, write: Callable[..., Path]
    ) -> None:
        (tmp_path / "token").write_text(kube.token("nobody"))
        connection = connect(kubeconfig=write(reachable(kube), {"tokenFile": str(tmp_path / "token")}))
        with pytest.raises(Unauthorized):
            whoami(connection)
        (tmp_path / "token").write_text(kube.token("admin"))
        assert whoami(connection) == "admin"

    @pytest.mark.parametrize(
        ("cluster", "user", "says"),
        [
            ({"insecure-skip-tls-verify": True}, {}, "insecure-skip-tls-verify in .* is refused"),
            ({"server": "http://127.0.0.1:1"}, {}, "must be an https URL"),
            (
                {"certificate-authority": "/nonexistent/ca.pem"},
                {},
                "File does not exist: /nonexistent/ca.pem",
            ),
            ({"certificate-authority": __file__}, {}, f"cannot read the CA certificate {__file__}"),
            ({}, {"auth-provider": {"name": "oidc"}}, "auth-provider in .* is not supported"),
            (
                {},
                {"client-certificate": __file__, "client-key": __file__},
                "cannot use the client certificate",
            ),
            ({"proxy-url": "socks5://127.0.0.1:1"}, {}, "proxy .* must be an http://"),
        ],
    )
    def test_what_cannot_work_is_said_in_one_line(
        self,
        connect: Open,
        write: Callable[..., Path],
        cluster: dict[str, Any],
        user: dict[str, Any],
        says: str,
    ) -> None:
        path = write({"server": "https://127.0.0.1:1", **cluster}, {"token": "SECRET", **user})
        with pytest.raises(Misconfigured, match=f"^lab: .*{says}") as raised:
            connect(kubeconfig=path).get("/version", what=VERSION)
        assert "\n" not in str(raised.value)
        assert "SECRET" not in str(raised.value)

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (None, "there is no kubeconfig"),
            ("", "cannot be used|is empty|cannot be read"),
            ("- a\n- b", "cannot be read"),
            ("{", "cannot be read"),
            ("contexts: []", "Expected key current-context"),
            (json.dumps(kubeconfig({"server": "https://x"}, {}) | {"users": []}), "lab-user"),
        ],
    )
    def test_a_file_that_is_none_is_named(
        self, connect: Open, tmp_path: Path, content: str | None, says: str
    ) -> None:
        path = tmp_path / "config"
        if content is not None:
            path.write_text(content)
        with pytest.raises(Misconfigured, match=says):
            connect(kubeconfig=path).get("/version", what=VERSION)

    def test_a_context_that_is_not_there_is_named(self, kube: ControlPlane, connect: Open) -> None:
        with pytest.raises(Misconfigured, match="elsewhere"):
            connect(kubeconfig=kube.kubeconfig(), context="elsewhere").get("/version", what=VERSION)

    def test_nobody_there_is_unreachable_for_either_side(
        self, connect: Open, write: Callable[..., Path]
    ) -> None:
        path = write({"server": f"https://127.0.0.1:{unused_port()}"}, {"token": "SECRET"})
        with pytest.raises(Unreachable, match="connection refused"):
            connect(kubeconfig=path).get("/version", what=VERSION)

    def test_a_redirect_is_not_followed(self, connect: Open) -> None:
        def away(handler: Handler) -> None:
            handler.send(b"", 307, {"Location": f"{other.url}/stolen"})

        with HostileServer(lambda handler: handler.json({})) as other, HostileServer(away) as server:
            with pytest.raises(Exception, match="redirects"):
                connect(kubeconfig=server.kubeconfig()).get("/version", what=VERSION)
            assert (server.seen, other.seen) == (["/version"], [])

    def test_user_and_password_in_the_address_are_not_passed_on(self, connect: Open) -> None:
        with HostileServer(lambda handler: handler.json({})) as server:
            path = server.kubeconfig(url=f"https://me:SECRET@127.0.0.1:{server.port}")
            assert connect(kubeconfig=path).access().server == server.url


class TestCredentialPlugin:
    def test_its_token_is_used_until_it_ends(
        self, kube: ControlPlane, connect: Open, tmp_path: Path, write: Callable[..., Path]
    ) -> None:
        lasting = plugin(tmp_path, {"token": kube.token("reader"), "expirationTimestamp": soon(hours=1)})
        connection = connect(kubeconfig=write(reachable(kube), lasting))
        assert [whoami(connection), whoami(connection)] == ["reader", "reader"]
        assert runs(tmp_path) == 1

    def test_a_token_that_is_about_to_end_is_fetched_anew(
        self, kube: ControlPlane, connect: Open, tmp_path: Path, write: Callable[..., Path]
    ) -> None:
        ending = plugin(tmp_path, {"token": kube.token("reader"), "expirationTimestamp": soon(seconds=30)})
        connection = connect(kubeconfig=write(reachable(kube), ending))
        assert [whoami(connection), whoami(connection)] == ["reader", "reader"]
        assert runs(tmp_path) == 2

    def test_it_may_give_a_certificate(
        self, kube: ControlPlane, connect: Open, tmp_path: Path, write: Callable[..., Path]
    ) -> None:
        pair = {
            "clientCertificateData": kube.credentials.certificate("admin").read_text(),
            "clientKeyData": kube.credentials.key("admin").read_text(),
        }
        assert whoami(connect(kubeconfig=write(reachable(kube), plugin(tmp_path, pair)))) == "admin"

    @pytest.mark.parametrize(
        ("status", "more", "says"),
        [
            ({}, "", "gave no credential"),
            ({"token": "SECRET"}, "import sys; sys.exit('SECRET')", "ended with 1"),
            ({"token": "SECRET"}, "print('SECRET')", "did not answer with an ExecCredential"),
            ({"clientCertificateData": "SECRET"}, "", "did not answer with an ExecCredential"),
            (
                {"token": "SECRET", "expirationTimestamp": "SECRET"},
                "",
                "did not answer with an ExecCredential",
            ),
        ],
    )
    def test_one_that_fails_is_named_and_what_it_said_is_not(
        self,
        connect: Open,
        tmp_path: Path,
        write: Callable[..., Path],
        status: dict[str, Any],
        more: str,
        says: str,
    ) -> None:
        path = write({"server": "https://127.0.0.1:1"}, plugin(tmp_path, status, more=more))
        with pytest.raises(Misconfigured, match=f"credential plugin .*{says}") as raised:
            connect(kubeconfig=path).get("/version", what=VERSION)
        assert "SECRET" not in str(raised.value)

    def test_one_that_hangs_is_killed(
        self, connect: Open, tmp_path: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(credentials, "_PLUGIN_SECONDS", 0.5)
        more = (
            f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
        )
        path = write({"server": "https://127.0.0.1:1"}, plugin(tmp_path, {}, more=more))
        with pytest.raises(TimedOut, match="credential plugin"):
            connect(kubeconfig=path).get("/version", what=VERSION)
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)

    def test_one_that_is_not_there_is_named(self, connect: Open, write: Callable[..., Path]) -> None:
        user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin"}}
        with pytest.raises(Misconfigured, match="no-such-plugin cannot be run: No such file"):
            connect(kubeconfig=write({"server": "https://127.0.0.1:1"}, user)).get("/version", what=VERSION)


class TestInAPod:
    @pytest.fixture
    def folder(self, kube: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        host, _, port = kube.url.removeprefix("https://").partition(":")
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
        (tmp_path / "ca.crt").write_bytes(kube.ca_file.read_bytes())
        (tmp_path / "token").write_text(kube.token("reader"))
        return tmp_path

    def test_the_service_account_is_who_we_are(self, connect: Open, folder: Path) -> None:
        assert whoami(connect(service_account=folder)) == "reader"

    def test_its_token_is_read_again_within_a_minute(
        self, kube: ControlPlane, connect: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connection = connect(service_account=folder)
        assert whoami(connection) == "reader"
        (folder / "token").write_text(kube.token("admin"))
        monkeypatch.setattr(credentials, "_FILES_SECONDS", 0.0)
        assert whoami(connection) == "admin"

    @pytest.mark.parametrize("missing", ["token", "ca.crt"])
    def test_what_is_missing_is_misconfigured(self, connect: Open, folder: Path, missing: str) -> None:
        (folder / missing).unlink()
        with pytest.raises(Misconfigured, match="file does not exist"):
            connect(service_account=folder).get("/version", what=VERSION)

    def test_outside_a_pod_there_is_none(
        self, connect: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
        with pytest.raises(Misconfigured, match="Service host/port is not set"):
            connect(service_account=folder).get("/version", what=VERSION)


class TestCost:
    def test_the_library_is_not_imported_before_there_is_a_connection(self) -> None:
        say = "import sys, adapters.ims.kubernetes; sys.exit('kubernetes' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", say], check=False).returncode == 0

    def test_dripping_does_not_stretch_the_time_limit(self) -> None:
        def drip(handler: Handler) -> None:
            handler.begin({"Content-Type": "application/json", "Content-Length": "1000000"})
            while not handler.server.over.wait(0.05):
                handler.wfile.write(b" ")
                handler.wfile.flush()

        with HostileServer(drip) as server:
            connection = Connection("lab", kubeconfig=str(server.kubeconfig()), timeout=0.5)
            started = time.monotonic()
            with pytest.raises(TimedOut):
                connection.get("/version", what=VERSION)
            assert time.monotonic() - started < 5
            connection.close()
