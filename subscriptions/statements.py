"""Statements that a worker repeats many times a second: Postgres plans each of them once a connection.
Django's own cursor writes the values into the text, so that every one would be planned anew.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import psycopg
from django.db import connection

Ask: TypeAlias = Callable[[str, Sequence[Any]], psycopg.Cursor]


def rows(statement: str, values: Sequence[Any]) -> list[Any]:
    """What `statement` (with `%s` for each of `values`) gives. Raises `django.db.Error`."""
    with connection.wrap_database_errors:
        return _execute(statement, values).fetchall()


@contextmanager
def one_trip() -> Iterator[Ask]:
    """Statements asked within go to the database together, one after the other, each with what it sees by
    then; what they gave is there once the block has ended. Raises `django.db.Error`."""
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield _execute


def array(values: Iterable[object]) -> str:
    """Numbers or UUIDs (None: NULL) as the text of a Postgres array: several times faster than psycopg's own
    way, which has each of them looked at."""
    return f"{{{','.join('NULL' if value is None else str(value) for value in values)}}}"


def _execute(statement: str, values: Sequence[Any]) -> psycopg.Cursor:
    connection.ensure_connection()
    raw = connection.connection
    raw.prepare_threshold = 0
    return psycopg.Cursor(raw).execute(statement.encode(), values, prepare=True)
