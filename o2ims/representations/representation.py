"""A flavour of the API: for each kind of object its attributes, and how stored bodies become bytes on the
wire."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from adapters.types import Kind
from o2ims.entry import Entry
from o2ims.representations.attribute import Attribute, Shape

_EMPTY: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """`shapes` describe the kinds, `o_cloud` the O-Cloud itself; `components` names each in the OpenAPI
    document.

    `envelope`: a list is `{"items": [...]}` rather than a bare array. `page` is the default page size.
    `version` is the version of the O-RAN API, or '' where the root is none.
    """

    name: str
    shapes: Mapping[Kind, Shape]
    o_cloud: Shape
    components: Mapping[Kind, str]
    o_cloud_component: str
    envelope: bool
    page: int
    version: str = ""

    def full(self, entry: Entry) -> bytes:
        """The bytes of one object with everything in it, made once."""
        found = entry.encoded.get(self.name)
        if found is None:
            found = entry.encoded[self.name] = _kept(self.wire(entry.kind, entry.body))
        return found

    def listed(self, entry: Entry) -> bytes:
        """The bytes of one object as lists show it: without what is left out by default, made once."""
        name = sys.intern(f"{self.name} listed")  # one text, not one for each object that keeps it
        found = entry.encoded.get(name)
        if found is None:
            excluded = {attribute.name for attribute in self.shapes[entry.kind] if attribute.default_excluded}
            shown = {name: v for name, v in self.wire(entry.kind, entry.body).items() if name not in excluded}
            found = entry.encoded[name] = _kept(shown) if excluded else self.full(entry)
        return found

    def wire(self, kind: Kind, body: Mapping[str, Any]) -> dict[str, Any]:
        """One stored body under the names of the wire."""
        return on_the_wire(self.shapes[kind], body)

    def join(self, objects: list[bytes]) -> bytes:
        """The bytes of a list."""
        array = b"[" + b",".join(objects) + b"]"
        return b'{"items":' + array + b"}" if self.envelope else array


def _kept(shown: Mapping[str, Any]) -> bytes:
    """The JSON of what is kept for as long as it is true. A copy: orjson writes into a buffer of some KB,
    and cutting that down leaves a hole behind each object into which the next buffer does not fit."""
    return bytes(memoryview(orjson.dumps(shown)))


def on_the_wire(shape: Shape, body: Mapping[str, Any]) -> dict[str, Any]:
    """`body` under the names of `shape`; optional attributes without a value are left out."""
    return {
        attribute.name: value
        for attribute in shape
        if (value := body.get(attribute.key)) not in _EMPTY or attribute.required
    }


def schema(shape: Shape) -> dict[str, Any]:
    """The JSON schema of objects of this shape, for the OpenAPI document."""
    return {
        "type": "object",
        "properties": {attribute.name: _schema(attribute) for attribute in shape},
        "required": [
            attribute.name for attribute in shape if attribute.required and not attribute.default_excluded
        ],
        "additionalProperties": False,
    }


def example(shape: Shape) -> dict[str, Any]:
    """An object of this shape as documentation shows it."""
    return {attribute.name: attribute.example for attribute in shape if attribute.example is not None}


_TYPES: dict[str, dict[str, Any]] = {
    "uuid": {"type": "string", "format": "uuid"},
    "uri": {"type": "string", "format": "uri"},
    "date-time": {"type": "string", "format": "date-time"},
    "map": {"type": "object", "additionalProperties": True},
}


def _schema(attribute: Attribute) -> dict[str, Any]:
    one = dict(_TYPES.get(attribute.type, {"type": attribute.type}))
    if attribute.parts:
        one = schema(attribute.parts)
    if attribute.enum:
        one["enum"] = list(attribute.enum)
    found = {"type": "array", "items": one} if attribute.array else one
    if attribute.description:
        found["description"] = attribute.description
    if attribute.example is not None:
        found["examples"] = [attribute.example]
    return found
