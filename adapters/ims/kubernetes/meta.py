"""Raw JSON, read with its types checked; and the metadata that every Kubernetes object has."""

from collections.abc import Mapping
from dataclasses import dataclass
from sys import intern
from typing import Any, Self

TENANT = "o2ims.oran.org/tenant"
TAGS = "o2ims.oran.org/tags"
#: The name that was asked for, where another owner's object has it in Kubernetes.
NAME = "o2ims.oran.org/name"
#: The name of the configuration's machine template that a set was made from.
TEMPLATE = "o2ims.oran.org/machine-template"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What every object has. `key` is `namespace/name`, or the name alone; `tags` as the annotation or label
    says; `called` is the name for callers, which need not be the one in Kubernetes."""

    key: str
    namespace: str
    name: str
    called: str
    uid: str
    deleting: bool
    created: str
    description: str
    tenant: str | None
    tags: tuple[str, ...]
    #: The controller or first owner: kind, name, uid.
    owner: tuple[str, str, str] | None

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """The metadata of a raw object."""
        meta = raw["metadata"]
        labels, annotations = mapping(meta, "labels"), mapping(meta, "annotations")
        name, namespace, uid = text(meta, "name"), text(meta, "namespace"), text(meta, "uid")
        if not name or not uid:
            raise ValueError("it has no name or uid")
        return cls(
            key=f"{namespace}/{name}" if namespace else name,
            namespace=intern(namespace),
            name=name,
            called=text(annotations, NAME) or name,
            uid=uid,
            deleting=bool(text(meta, "deletionTimestamp")),
            created=text(meta, "creationTimestamp"),
            description=text(annotations, "description"),
            tenant=text(labels, TENANT) or None,
            tags=tag_list(text(annotations, TAGS) or text(labels, TAGS)),
            owner=_owner(meta.get("ownerReferences")),
        )


def mapping(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object at `key`; {} if there is none."""
    found = raw.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise TypeError(f"{key} is no object")
    return found


def text(raw: Mapping[str, Any], key: str) -> str:
    """The text at `key`; '' if there is none."""
    found = raw.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise TypeError(f"{key} is no text")
    return found


def texts(raw: Mapping[str, Any], key: str) -> dict[str, str]:
    """The object of texts at `key`, its texts shared between the many objects that have the same."""
    return {intern(name): intern(value) for name, value in sorted(mapping(raw, key).items())}


def tag_list(value: str) -> tuple[str, ...]:
    """The parts of a comma list, sorted."""
    return tuple(sorted({tag.strip() for tag in value.split(",")} - {""}))


def deleting(*metas: Meta) -> dict[str, bool]:
    """The extension that says that an object is about to go, where it (or what else it is) is."""
    return {"k8s.deleting": True} if any(meta.deleting for meta in metas) else {}


def present(extensions: Mapping[str, Any]) -> dict[str, Any]:
    """Extensions without what is not known: an empty text, list or object says nothing."""
    return {key: value for key, value in extensions.items() if value not in ("", [], {}, ())}


def _owner(references: Any) -> tuple[str, str, str] | None:
    found = sorted(references or (), key=lambda reference: reference.get("controller") is not True)
    return (text(found[0], "kind"), text(found[0], "name"), text(found[0], "uid")) if found else None
