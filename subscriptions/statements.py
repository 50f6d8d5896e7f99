"""Statements that a worker repeats many times a second: Postgres plans each of them once a connection.
Django's own cursor writes the values into the text, so that every one would be planned anew.
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connection


def rows(statement: str, values: Sequence[Any]) -> list[Any]:
    """What `statement` (with `%s` for each of `values`) gives. Raises `django.db.Error`."""
    connection.ensure_connection()
    raw = connection.connection
    raw.prepare_threshold = 0
    with connection.wrap_database_errors, psycopg.Cursor(raw) as cursor:
        cursor.execute(statement.encode(), values, prepare=True)
        return cursor.fetchall()
