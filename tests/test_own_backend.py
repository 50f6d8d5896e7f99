"""Whoever follows docs/backend-plugins.md, "Write your own in five steps", has a backend that works."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from adapters.configuration import parse
from tests.gateway import Gateway

ROOT = Path(__file__).parent.parent
SECTION = (ROOT / "docs/backend-plugins.md").read_text().partition("## Write your own in five steps")[2]


def block(step: int, language: str) -> str:
    """The one block of code of a step."""
    text = SECTION.partition(f"### {step}. ")[2].partition(f"### {step + 1}. ")[0]
    (found,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return str(found)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the project in which the steps were followed."""
    project = tmp_path / "project"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "bench", "node_modules")
    shutil.copytree(ROOT, project, ignore=ignored)
    (project / "adapters/ims/racks.py").write_text(block(1, "python"))
    registry = project / "adapters/registry.py"
    line = block(3, "python")
    text = registry.read_text().replace("IMS = {\n", "IMS = {\n" + line)
    assert line in text
    registry.write_text(text)
    (project / "tests/contract/test_racks.py").write_text(block(4, "python"))
    return project


def test_the_steps_lead_to_an_adapter_that_keeps_the_contract(copy: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    environment.pop("PYTEST_XDIST_WORKER", None)
    words = ["-m", "pytest", "-q", "-p", "no:xdist", "tests/contract/test_racks.py"]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert re.search(r"^\d\d passed in", done.stdout, re.MULTILINE), done.stdout[-500:]


def test_what_the_last_step_configures_is_served(
    copy: Path, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    (hall,) = parse(block(5, "yaml")).backends
    assert (hall.kind, hall.tenant, hall.poll.total_seconds()) == ("racks", "acme", 5.0)
    racks = gateway.den.path / "racks.json"
    racks.write_text(json.dumps({"racks": [{"name": "r1"}], "servers": []}))
    configured = yaml.safe_load(block(5, "yaml"))["adapters"][0]
    gateway.configure({**configured, "config": {"file": str(racks), "poll": "200ms"}})
    monkeypatch.setattr("tests.gateway.ROOT", copy)
    manage = str(ROOT / "manage.py")
    gateway.both.command = [word.replace(manage, str(copy / "manage.py")) for word in gateway.both.command]
    gateway.start(gateway.both)
    assert [pool["name"] for pool in gateway.get("alice", "/o2ims/v1/resourcePools").body["items"]] == ["r1"]
    racks.write_text(
        json.dumps({"racks": [{"name": "r1"}], "servers": [{"serial": "s", "rack": "r1", "model": "m"}]})
    )
    gateway.until(
        lambda: len(gateway.get("alice", "/o2ims/v1/resources").body["items"]) == 1,
        seconds=5,
        what="the new server",
    )
    made = gateway.send("alice", "POST", "/o2ims/v1/resourcePools", {"name": "r2"})
    assert (made.status, "resource-pool-create" in made.body["detail"]) == (501, True)
