"""Whoever follows docs/security.md has a certificate, calls the API with it, and can take it away again."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.gateway import ROOT, Gateway

DOCUMENT = (ROOT / "docs/security.md").read_text()


def blocks() -> list[str]:
    section = DOCUMENT.partition("### One of your own")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def shell(text: str, folder: Path) -> str:
    """What a block of commands prints; its failure is the test's. `python` is the project's, on this
    gateway."""
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", text],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_how_to_leads_to_an_answer_and_its_end_to_a_refusal(gateway: Gateway, tmp_path: Path) -> None:
    own, servers, trusted, call, end = blocks()
    (tmp_path / "bin").mkdir()
    settings = " ".join(shlex.quote(f"{name}={value}") for name, value in gateway.environment.items())
    python = tmp_path / "bin/python"
    python.write_text(f'#!/bin/bash\nshift\nexec env {settings} {sys.executable} {ROOT / "manage.py"} "$@"\n')
    python.chmod(0o755)
    shell(own, tmp_path)
    shell(servers, tmp_path)
    trust, exported, serve = trusted.splitlines()
    shell(trust, tmp_path)
    for name, value in (part.split("=", 1) for part in exported.removeprefix("export ").split()):
        gateway.environment[name] = value.replace("$PWD", str(tmp_path))
    gateway.configure({"name": "sample", "type": "mock", "shared": True, "config": {"live": 0}})
    words = (
        serve.removeprefix("python manage.py ").removesuffix(" &").replace("8080", str(gateway.port)).split()
    )
    process = gateway._process("secure", *words, "--with-worker")
    gateway.start(process)
    try:
        ours = call.replace("8081", str(gateway.port + 1))
        assert {pool["name"] for pool in json.loads(shell(ours, tmp_path))["items"]} >= {
            "Mock Compute Pool 1"
        }
        assert "revoked" in shell(end, tmp_path)
        gateway.until(
            lambda: json.loads(shell(ours, tmp_path)).get("status") == 401, seconds=5, what="its end"
        )
    finally:
        process.stop()
