"""The clusters of a kubeconfig, each asked whether it answers, before the demo begins."""

import re
import threading
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import yaml

from adapters.base import Options
from adapters.errors import BackendError
from adapters.registry import ims_adapter
from netweave.demo.refusal import RefusalError

ANSWER_SECONDS = 5
# A check asks several times; each answer has its own limit, all of them this one.
_ALL_SECONDS = 4.0 * ANSWER_SECONDS
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster, under a name that a configuration may have, and the first context that leads to it."""

    name: str
    context: str
    kubeconfig: Path

    def config(self) -> dict[str, Any]:
        """The adapter's options."""
        return {"kubeconfig": str(self.kubeconfig), "context": self.context}


def clusters(kubeconfig: Path) -> list[Cluster]:
    """The clusters that the file's contexts lead to; all of them answer. Raises `RefusalError`."""
    found = _read(kubeconfig.expanduser().absolute())
    _ask(found)
    return found


def _read(path: Path) -> list[Cluster]:
    document = _document(path)
    known = {entry.get("name") for entry in _entries(path, document, "clusters")}
    contexts = _entries(path, document, "contexts")
    if not contexts:
        raise RefusalError(f"kubeconfig {path}: there is no context")
    current = document.get("current-context")
    if current and current not in {entry.get("name") for entry in contexts}:
        raise RefusalError(f"kubeconfig {path}: there is no context {current!r}, which is current-context")
    found: dict[str, Cluster] = {}
    for entry in contexts:
        inner = entry.get("context")
        cluster = inner.get("cluster") if isinstance(inner, dict) else None
        if cluster not in known:
            raise RefusalError(
                f"kubeconfig {path}: context {entry.get('name')!r} leads to no cluster of the file"
            )
        name = _NO_NAME.sub("-", str(cluster)).strip("-._")[:50] or "cluster"
        if cluster not in found:
            if name in {other.name for other in found.values()}:
                name = f"{name}-{len(found) + 1}"
            found[str(cluster)] = Cluster(name, str(entry.get("name")), path)
    return list(found.values())


def _document(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise RefusalError(f"kubeconfig {path}: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise RefusalError(f"kubeconfig {path}{line}: this is no YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise RefusalError(f"kubeconfig {path}: this is no YAML") from error
    if not isinstance(document, dict):
        raise RefusalError(f"kubeconfig {path}: this is no kubeconfig")
    return document


def _entries(path: Path, document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = document.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise RefusalError(f"kubeconfig {path}: {key} must be a list of mappings")
    return entries


def _ask(found: list[Cluster]) -> None:
    """Ask all at once. The threads are daemons: one that hangs (in a credential plugin) does not keep us."""
    answers: SimpleQueue[tuple[Cluster, str]] = SimpleQueue()
    for cluster in found:
        threading.Thread(target=lambda each=cluster: answers.put((each, _fault(each))), daemon=True).start()
    silent = list(found)
    for _ in found:
        try:
            cluster, fault = answers.get(timeout=_ALL_SECONDS)
        except Empty:
            cluster, fault = silent[0], f"no answer within {ANSWER_SECONDS} s"
        if fault:
            where = f"kubeconfig {cluster.kubeconfig}, context {cluster.context}"
            raise RefusalError(f"{where}: {' '.join(fault.split())}")
        silent.remove(cluster)


def _fault(cluster: Cluster) -> str:
    """What is wrong with it, or ''."""
    config = {**cluster.config(), "timeout": f"{ANSWER_SECONDS}s"}
    try:
        adapter = ims_adapter("kubernetes", Options(name=cluster.name, key=cluster.name, config=config))
        try:
            adapter.check()
        finally:
            adapter.close()
    except BackendError as error:
        return error.detail
    except Exception as error:  # noqa: BLE001 - whatever a foreign file makes a library raise is the file's fault
        return f"{type(error).__name__}: {error}"
    return ""
