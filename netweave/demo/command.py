"""`manage.py demo`: checks, starts everything in one process, and says what to try."""

import argparse
import json
import os
import secrets
import shutil
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from netweave import embedded
from netweave.demo.authority import TRUST_DOMAIN, Authority
from netweave.demo.clusters import Cluster, clusters
from netweave.demo.refusal import RefusalError
from netweave.embedded.port import LOOPBACK
from netweave.embedded.state import write_private

_INVENTORY_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one state directory, beside those of the embedded servers."""

    directory: Path

    @property
    def told(self) -> Path:
        """What programs read: addresses, who signs in with which password, everyone's token."""
        return self.directory / "demo.json"

    @property
    def configuration(self) -> Path:
        return self.directory / "gateway.yaml"

    @property
    def secret(self) -> Path:
        return self.directory / "secret_key"

    @property
    def tls(self) -> Path:
        """Where certificates and their keys are."""
        return self.directory / "tls"

    def known(self) -> dict[str, Any]:
        """What the last start told; {} if there was none, or somebody has put something else there."""
        try:
            found = json.loads(self.told.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def forget(self) -> None:
        """Remove all of it. Raises `EmbeddedError` while a demo runs there."""
        embedded.Embedded(self.directory).erase()
        for path in (self.told, self.configuration, self.secret, *self.directory.glob("sample-*.sqlite3*")):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.tls, ignore_errors=True)


def main(arguments: Sequence[str]) -> int:
    """Run until Ctrl-C or SIGTERM; the exit status. 2: it could not start, and one line says why."""
    options = _options(arguments)
    try:
        return _run(options)
    except (RefusalError, embedded.EmbeddedError) as error:
        sys.stderr.write(f"demo: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/demo", description="A whole gateway to try, until Ctrl-C.")
    parser.add_argument("--port", type=int, default=8080, help="plain HTTP (8080); then TLS, then operations")
    parser.add_argument(
        "--state",
        type=Path,
        default=Path(os.environ.get("NETWEAVE_STATE", ".netweave")),
        metavar="DIR",
        help="where everything is kept (.netweave)",
    )
    parser.add_argument(
        "--kubeconfig",
        default=os.environ.get("KUBECONFIG", ""),
        metavar="FILE",
        help="serve the clusters of its contexts ($KUBECONFIG) instead of the sample in memory",
    )
    parser.add_argument("--objects", type=int, default=120, metavar="N", help="resources of the sample (120)")
    parser.add_argument(
        "--reset", action="store_true", help="forget what an earlier demo left there, then start"
    )
    parser.add_argument("--quiet", action="store_true", help="do not show what a subscriber is told")
    options = parser.parse_args(arguments)
    if not 1 <= options.port <= 65533:
        parser.error("--port must be from 1 to 65533")
    if not 1 <= options.objects <= 100_000:
        parser.error("--objects must be from 1 to 100000")
    return options


def _run(options: argparse.Namespace) -> int:
    if os.environ.get("NETWEAVE_EMBEDDED") != "1":
        raise RefusalError("it needs NETWEAVE_EMBEDDED=1 and what else scripts/demo sets: run scripts/demo")
    place = Place(options.state.absolute())
    sockets = [_bound(options.port + offset) for offset in range(3)]
    found = [cluster for path in _kubeconfigs(options.kubeconfig) for cluster in clusters(path)]
    if options.reset:
        place.forget()
    with embedded.environment(place.directory) as servers:
        if not servers.owner:
            raise RefusalError(
                f"{place.directory} is in use by another demo: stop it, or name another with --state"
            )
        _configure(place, found, options.objects)
        _serve(place, sockets, options.port, quiet=options.quiet)
    return 0


def _bound(port: int) -> socket.socket:
    """The port, taken but not listening yet: until then, connections are refused."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise RefusalError(
            f"port {port} cannot be had: {error.strerror}; choose another with --port"
        ) from error
    return listener


def _kubeconfigs(text: str) -> list[Path]:
    return [Path(part) for part in text.split(os.pathsep) if part]


def _configure(place: Place, found: list[Cluster], objects: int) -> None:
    """Write the configuration and the key, and say in the environment where they are."""
    sample = str(place.directory / f"sample-{objects}.sqlite3")
    backends: list[dict[str, Any]] = [
        {
            "name": each.name,
            "type": "kubernetes",
            "tenant": "acme",
            "default": index == 0,
            "config": each.config(),
        }
        for index, each in enumerate(found)
    ] or [
        {
            "name": "sample",
            "type": "mock",
            "default": True,
            "shared": True,
            "config": {"objects": objects, "path": sample},
        }
    ]
    o_cloud = {"id": "demo", "name": "netweave demo", "description": "The O-Cloud of scripts/demo"}
    text = yaml.safe_dump({"oCloud": o_cloud, "adapters": backends}, sort_keys=False)
    place.configuration.write_text(f"# Written by scripts/demo at each start.\n{text}", encoding="utf-8")
    if not place.secret.exists():
        handle = os.open(place.secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
    for name, path in (("GATEWAY_CONFIG", place.configuration), ("SECRET_KEY_FILE", place.secret)):
        os.environ[name] = str(path)
    os.environ.pop("GATEWAY_CONFIG_FILE", None)  # it would win over the variable
    authority = Authority(place.tls)
    server = authority.server()
    os.environ["TLS_CERTIFICATE"], os.environ["TLS_KEY"] = str(server.certificate), str(server.key)
    os.environ["TLS_CLIENT_CA"] = str(authority.file)
    os.environ["CERTIFICATE_TRUST_DOMAIN"] = TRUST_DOMAIN


def _serve(place: Place, sockets: list[socket.socket], port: int, *, quiet: bool) -> None:
    from netweave.loading import load  # noqa: PLC0415 - settings can be read only now

    load()
    from django.core.management import call_command  # noqa: PLC0415

    from netweave import serving  # noqa: PLC0415
    from netweave.demo.cast import PEOPLE, gather, trust  # noqa: PLC0415

    call_command("migrate", interactive=False, verbosity=0)
    people = gather(place.known())
    authority = Authority(place.tls)
    trust(authority.file)
    pairs = {name: authority.client(name, username) for name, (username, _) in PEOPLE.items()}
    url = f"http://{LOOPBACK}:{port}"
    told = {
        "base_url": url,
        "tls": {
            "base_url": f"https://localhost:{port + 1}",
            "ca": str(authority.file),
            "clients": {
                name: {"cert": str(pair.certificate), "key": str(pair.key)} for name, pair in pairs.items()
            },
        },
        **{
            key: {"url": f"{url}/admin/", "username": name, "password": people["passwords"][name]}
            for key, name in (("admin", "root"), ("auditor", "iris"))
        },
        "tokens": people["tokens"],
    }
    write_private(place.told, told)

    def ready() -> None:
        threading.Thread(target=_say, args=(place, told), kwargs={"quiet": quiet}, daemon=True).start()

    api, secure, operations = sockets
    serving.run(
        api=api,
        secure=(secure, serving.tls_files()),
        operations=operations,
        web=True,
        worker=True,
        ready=ready,
    )


def _say(place: Place, told: dict[str, Any], *, quiet: bool) -> None:
    """What to try, once there is something to see."""
    url, tokens, tls = told["base_url"], told["tokens"], told["tls"]
    admin, auditor = told["admin"], told["auditor"]
    alice, secure_pools = tls["clients"]["alice"], f"{tls['base_url']}/o2ims/v1/resourcePools"
    _await_inventory(f"{url}/o2ims/v1/resourcePools", tokens["root"])
    pools, resources = f"{url}/o2ims/v1/resourcePools", f"{url}/o2ims/v1/resources?filter=(neq,name,none)"
    lines = [
        "",
        "Alice's resource pools, and the resources that Charlie may see:",
        f"  curl -s -H 'Authorization: Bearer {tokens['alice']}' {pools}",
        f"  curl -s -H 'Authorization: Bearer {tokens['charlie']}' '{resources}'",
        "Alice's pools with nothing but her certificate:",
        f"  curl -s --cacert {tls['ca']} --cert {alice['cert']} --key {alice['key']} {secure_pools}",
        f"The API, to read and to try: {url}/docs/",
        f"The admin site: {admin['url']} as {admin['username']}, password {admin['password']}",
        f"  and, only to look, as an auditor: {auditor['username']}, password {auditor['password']}",
        f"Everybody's token: {place.told}",
        "Commands of manage.py: scripts/manage subscriptions verify",
        *([] if quiet else _subscribed(url, tokens["alice"])),
        f"ready {url}",
        "",
    ]
    sys.stdout.write("\n".join(lines))
    sys.stdout.flush()


def _subscribed(url: str, token: str) -> list[str]:
    from netweave.demo.listener import listen  # noqa: PLC0415 - it needs the settings

    try:
        return [f"A subscriber of Alice's, at {listen(url, token)}, is told of every change (--quiet: none):"]
    except OSError as error:
        return [f"Nobody is subscribed: {error}"]


def _await_inventory(url: str, token: str) -> None:
    """Wait for the first list of a backend: an empty answer is a poor welcome."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - ours, http
    end = time.monotonic() + _INVENTORY_SECONDS
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310 - as above
                if json.load(answer)["items"]:
                    return
        except (OSError, ValueError, KeyError):
            pass  # not listening yet, or a cluster without pools
        time.sleep(0.1)
