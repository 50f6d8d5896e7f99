"""The public ids of objects: what they are made of, and that they never change."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from adapters.types import object_id

ONE = "5F6C1B1E-0f6c-4c0e-9a37-6e65747765a0"
SPACE = uuid.UUID("5f6c1b1e-0f6c-5c0e-9a37-6e65747765a0")


@given(st.text(), st.text())
def test_a_name_becomes_the_uuid_of_its_name_in_its_source(key: str, name: str) -> None:
    assert object_id(key, name) == str(uuid.uuid5(uuid.uuid5(SPACE, key), name))


def test_an_id_is_for_ever() -> None:
    """SMOs keep them: these were given out by the first release."""
    assert object_id("edge-1", "node-mock-001") == "c9ca674c-56d3-590d-9d9c-b3e323636db6"
    assert object_id("edge-2", "node-mock-001") == "88558965-92aa-5ad9-a58f-1fdebe4982a1"


@given(st.uuids())
def test_a_native_uuid_stays_what_it_is_whatever_its_source(native: uuid.UUID) -> None:
    assert object_id("one", str(native).upper()) == object_id("two", str(native)) == str(native)


def test_other_spellings_of_a_uuid_are_names() -> None:
    spellings = [ONE, f"{{{ONE}}}", f"urn:uuid:{ONE}", ONE.replace("-", ""), f"{ONE}\n", f" {ONE}", f"{ONE}0"]
    assert len({object_id("one", spelling) for spelling in spellings}) == len(spellings)
