"""The demo: from nothing to ready, again with what it kept, away without a trace; and what it refuses."""

import json
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

import netweave
from tests.netweave.processes import listening, processes_in
from tests.peers.kubernetes import ControlPlane
from tests.peers.process import free_port

ROOT = Path(netweave.__file__).parent.parent
RELAXED = {
    "NETWEAVE_EMBEDDED": "1",
    "ALLOW_PLAIN_HTTP": "1",
    "ALLOW_LOOPBACK_CALLBACKS": "1",
    "REQUIRE_CLIENT_CERTIFICATE": "0",
    "REQUIRE_TOTP": "0",
    "DOCS_PUBLIC": "1",
    "LOG_LEVEL": "WARNING",
}
ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
MADE = pytest.mark.skipif(not (ROOT / ".venv/bin/python").exists(), reason="scripts/test makes .venv")


@pytest.fixture
def port() -> int:
    """P, where P + 2 is free too."""
    while True:
        port = free_port()
        with socket.socket() as probe:
            if all(probe.connect_ex(("127.0.0.1", port + above)) for above in (1, 2)):
                return port


@dataclass
class Demo:
    """A running demo, and what it has said."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


def manage(*arguments: object) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), "demo", *map(str, arguments)]


@contextmanager
def demo(command: list[str], **settings: Any) -> Iterator[Demo]:
    environment = {**ENVIRONMENT, **settings.pop("environment", RELAXED)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, **settings) as process:
        running = Demo(process)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                running.said.append(line.rstrip("\n"))
                if line.startswith("ready "):
                    break
            else:
                pytest.fail(f"it ended with {process.wait()}: {running.said}")
            yield running
        finally:
            if process.poll() is None:
                process.terminate()


def refused(command: list[str], **environment: str) -> str:
    """The one line on standard error with which it ends."""
    done = subprocess.run(
        command,
        env={**ENVIRONMENT, **RELAXED, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.stderr


def get(url: str, token: str = "") -> Any:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read() if url.endswith("/") else json.load(answer)


def shown(tls: dict[str, Any], name: str) -> Any:
    """The pools that somebody's certificate is shown."""
    context = ssl.create_default_context(cafile=tls["ca"])
    context.load_cert_chain(tls["clients"][name]["cert"], tls["clients"][name]["key"])
    url = f"{tls['base_url']}/o2ims/v1/resourcePools"
    with urllib.request.urlopen(url, context=context, timeout=10) as answer:
        return json.load(answer)


def names(items: dict[str, Any]) -> set[str]:
    return {item["name"] for item in items["items"]}


def test_it_serves_keeps_what_it_made_and_leaves_nothing_running(state: Path, port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    command = manage("--port", port, "--state", state, "--objects", 30)
    with demo(command) as first:
        assert first.said[-1] == f"ready {url}"
        assert get(f"{url}/readyz")["status"] == "ready"
        told = json.loads((state / "demo.json").read_text())
        assert told["base_url"] == url
        assert set(told["tokens"]) == {"root", "iris", "alice", "bob", "charlie"}
        assert told["admin"].keys() == told["auditor"].keys() == {"url", "username", "password"}
        pools = {
            name: names(get(f"{url}/o2ims/v1/resourcePools", token)) for name, token in told["tokens"].items()
        }
        assert pools["alice"] == pools["bob"]
        assert pools["alice"] != pools["charlie"]
        assert pools["alice"] | pools["charlie"] <= pools["root"]
        by_certificate = {name: names(shown(told["tls"], name)) for name in told["tls"]["clients"]}
        assert by_certificate == pools
        for page in ("docs/", "admin/login/"):
            assert get(f"{url}/{page}")
        said = "\n".join(first.said)
        assert f"{url}/docs/" in said
        assert f"{told['admin']['url']} as root, password {told['admin']['password']}" in said
        assert f"as an auditor: iris, password {told['auditor']['password']}" in said
        for line in first.said:
            if shutil.which("curl") and line.strip().startswith("curl "):
                answer = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
                assert json.loads(answer.stdout)["items"]
        for name in ("demo.json", "secret_key"):
            assert stat.S_IMODE((state / name).stat().st_mode) == 0o600
        assert first.end(signal.SIGTERM) == 0
    assert processes_in(state) == []
    assert not listening(url)
    with demo(command) as second:
        assert json.loads((state / "demo.json").read_text()) == told
        assert names(get(f"{url}/o2ims/v1/resourcePools", told["tokens"]["bob"])) == pools["bob"]
        assert second.end(signal.SIGINT) == 0
    assert processes_in(state) == []
    with demo([*command, "--reset"]) as third:
        anew = json.loads((state / "demo.json").read_text())
        assert anew["tokens"]["alice"] != told["tokens"]["alice"]
        third.end()


def test_what_a_subscriber_is_told_scrolls_by(state: Path, port: int) -> None:
    with demo(manage("--port", port, "--state", state)) as running:
        assert any("is told of every change" in line for line in running.said)
        assert running.process.stdout is not None
        event = next(line for line in running.process.stdout if line.startswith("event  "))
        assert "✓ signed" in event
        running.end()


@pytest.mark.parametrize("who", ["admin", "auditor"])
def test_the_passwords_it_prints_open_the_admin_site(state: Path, port: int, who: str) -> None:
    with demo(manage("--port", port, "--state", state)) as running:
        admin = json.loads((state / "demo.json").read_text())[who]
        jar = urllib.request.HTTPCookieProcessor()
        browser = urllib.request.build_opener(jar)
        browser.open(f"{admin['url']}login/", timeout=10).close()
        token = next(cookie.value for cookie in jar.cookiejar if "csrf" in cookie.name)
        form = {"username": admin["username"], "password": admin["password"], "csrfmiddlewaretoken": token}
        body = urllib.parse.urlencode({**form, "next": "/admin/"}).encode()
        with browser.open(f"{admin['url']}login/", body, timeout=10) as answer:
            assert b"Log out" in answer.read()
        running.end()


def test_a_busy_port_is_refused_before_anything_is_made(state: Path, port: int) -> None:
    for busy in (port, port + 1, port + 2):
        with socket.socket() as stranger:
            stranger.bind(("127.0.0.1", busy))
            stranger.listen()
            said = refused(manage("--port", port, "--state", state))
        assert f"port {busy} cannot be had: Address already in use" in said
    assert not state.exists()


CLUSTER = """
apiVersion: v1
kind: Config
current-context: {current}
clusters: [{{name: one, cluster: {{server: "https://127.0.0.1:{port}", certificate-authority: {ca}}}}}]
contexts: [{{name: admin@one, context: {{cluster: one, user: admin}}}}]
users: [{{name: admin, user: {{token: secret}}}}]
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "No such file or directory"),
        ("a: [", "line 1: this is no YAML"),
        ("just text", "this is no kubeconfig"),
        ("clusters: {}\ncontexts: []", "there is no context"),
        ("contexts: none", "contexts must be a list"),
        ("contexts: [{name: a, context: {cluster: c}}]", "context 'a' leads to no cluster of the file"),
        (
            CLUSTER.format(current="other", port=1, ca="x"),
            "there is no context 'other', which is current-context",
        ),
        (CLUSTER.format(current="admin@one", port=1, ca="/dev/null"), "context admin@one"),
    ],
)
def test_a_kubeconfig_that_cannot_work_is_refused(
    state: Path, place: Path, port: int, text: str | None, says: str
) -> None:
    path = place / "config"
    if text is not None:
        path.write_text(text)
    said = refused(manage("--port", port, "--state", state), KUBECONFIG=str(path))
    assert f"kubeconfig {path}" in said
    assert says in said
    assert "secret" not in said
    assert not state.exists()


def test_a_cluster_that_does_not_answer_is_refused_within_seconds(
    state: Path, place: Path, port: int
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        path = place / "config"
        ca = place / "ca.crt"
        trustme.CA().cert_pem.write_to_path(str(ca))
        path.write_text(CLUSTER.format(current="admin@one", port=silent.getsockname()[1], ca=ca))
        said = refused(manage("--port", port, "--state", state, "--kubeconfig", path))
    assert "context admin@one" in said
    assert not state.exists()


def test_the_clusters_of_a_kubeconfig_are_served_to_acme(
    cluster: ControlPlane, state: Path, port: int
) -> None:
    url = f"http://127.0.0.1:{port}"
    with demo(manage("--port", port, "--state", state, "--kubeconfig", cluster.kubeconfig())) as running:
        tokens = json.loads((state / "demo.json").read_text())["tokens"]
        managers = f"{url}/o2ims/v1/deploymentManagers"
        assert len(get(managers, tokens["alice"])["items"]) == 1
        assert get(managers, tokens["charlie"])["items"] == []
        assert running.end() == 0


def test_two_demos_do_not_share_a_state(state: Path, port: int) -> None:
    with demo(manage("--port", port, "--state", state)) as running:
        said = refused(manage("--port", port + 3, "--state", state))
        assert "is in use by another demo" in said
        assert "in use" in refused(manage("--port", port + 3, "--state", state, "--reset"))
        assert get(f"http://127.0.0.1:{port}/readyz")["status"] == "ready"
        running.end()


def test_without_what_the_script_sets_it_says_to_run_the_script(state: Path) -> None:
    assert "run scripts/demo" in refused(manage("--state", state), NETWEAVE_EMBEDDED="")
    assert not state.exists()


def test_a_python_that_is_too_old_is_refused(place: Path) -> None:
    """In a bare checkout: there is no .venv yet."""
    shutil.copytree(ROOT / "scripts", place / "scripts")
    shutil.copytree(ROOT / "requirements", place / "requirements")
    said = refused([str(place / "scripts/demo")], PYTHON="false")
    assert "Python 3.11 or newer is needed" in said
    assert not (place / ".venv").exists()


@MADE
def test_the_script_takes_paths_from_where_it_is_called(place: Path, port: int) -> None:
    settings = {
        "DATABASE_URL": "postgresql://x@127.0.0.1:1/x",
        "SECRET_KEY": "stranger",
        "EXTERNAL_URL": "https://x",
    }
    command = [str(ROOT / "scripts/demo"), "--port", str(port), "--state", "state"]
    with demo(command, cwd=place, environment=settings) as running:
        assert running.said[-1] == f"ready http://127.0.0.1:{port}"
        told = json.loads((place / "state/demo.json").read_text())
        cloud = get(f"{told['base_url']}/o2ims/v1/oCloudInfrastructure", told["tokens"]["alice"])
        assert cloud["serviceUri"] == told["base_url"]  # no setting from outside had a say
        assert "holds what the journal says" in commanded(place, settings, "subscriptions", "verify")
        assert running.end() == 0
    assert "sample" in commanded(place, settings, "check_backends")  # also when it does not run
    assert processes_in(place) == []


def commanded(place: Path, settings: dict[str, str], *words: str) -> str:
    """What a command says of the demo whose state is there."""
    command = [str(ROOT / "scripts/manage"), "--state", "state", *words]
    environment = {**ENVIRONMENT, **settings}
    done = subprocess.run(
        command, cwd=place, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@MADE
def test_commands_need_a_demo_to_be_of(place: Path) -> None:
    command = [str(ROOT / "scripts/manage"), "--state", str(place / "none"), "check"]
    assert f"no demo has run in {place / 'none'}" in refused(command)
    assert not (place / "none").exists()
