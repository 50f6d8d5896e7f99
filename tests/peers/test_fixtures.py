"""A missing peer is a loud skip at a desk and a failure in CI; the run's end counts tests per peer."""

import os
import subprocess
import sys
from pathlib import Path

ONE_PER_PEER = [
    "tests/peers/test_kubernetes_peer.py::TestKubernetes::test_it_is_the_version_that_go_mod_pins",
    "tests/peers/test_peers.py::TestRedis::test_kill_9_and_start_gives_an_empty_server_on_the_same_port",
]


def run_without_kubernetes(folder: Path, *arguments: str, ci: bool) -> str:
    """What pytest says at the end of a run on a machine where nobody has built the Kubernetes peers."""
    environment = {**os.environ, "NETWEAVE_PEERS": str(folder), "CI": "1" if ci else ""}
    for name in [name for name in environment if name.startswith("PYTEST_")]:
        del environment[name]
    command = [sys.executable, "-m", "pytest", "-q", *arguments, *ONE_PER_PEER]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout


def test_at_a_desk_a_missing_peer_skips_and_the_summary_says_why(tmp_path: Path) -> None:
    said = run_without_kubernetes(tmp_path, "-n", "1", ci=False)
    reason = "etcd is not built: python -m tests.peers.build"
    assert "1 passed, 1 skipped" in said
    assert f"tests with real peers: redis 1, kubernetes 1 SKIPPED ({reason})" in said


def test_in_ci_a_missing_peer_fails(tmp_path: Path) -> None:
    said = run_without_kubernetes(tmp_path, ci=True)
    assert "in CI every peer must be there" in said
    assert "1 passed, 1 error" in said
