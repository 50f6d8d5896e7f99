"""What the application's login may do with a table, said in the migration that makes the table.

The owner migrates (`MIGRATE_DATABASE_URL`); the application connects as the role of `DATABASE_URL` and has
only what is granted here. With one login for both there is nothing to grant.
"""

from typing import Any

from django.conf import settings
from django.db.migrations import RunPython, RunSQL

READ, APPEND, ALL = "SELECT", "SELECT, INSERT", "SELECT, INSERT, UPDATE, DELETE"


def grant(privileges: str, *tables: str) -> RunPython:
    """A migration step that gives the application's role `privileges` on `tables`, and nothing else."""

    def forwards(_apps: Any, schema_editor: Any) -> None:
        role = settings.DATABASES["default"]["USER"]
        if role == settings.DATABASES["owner"]["USER"]:
            return
        for table in tables:
            names = schema_editor.quote_name(table), schema_editor.quote_name(role)
            schema_editor.execute("REVOKE ALL ON TABLE {} FROM {}".format(*names))
            schema_editor.execute("GRANT {} ON TABLE {} TO {}".format(privileges, *names))

    return RunPython(forwards, RunPython.noop, elidable=False)


def only_rows(table: str, condition: str) -> RunSQL:
    """A migration step after which the application's role writes rows of `table` only where `condition` (SQL)
    holds, before and after; it reads all of them. The owner is not bound by it."""
    return RunSQL(
        [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"CREATE POLICY read_all ON {table} FOR SELECT USING (true)",
            f"CREATE POLICY write_some ON {table} USING ({condition}) WITH CHECK ({condition})",
        ],
        [
            f"DROP POLICY write_some ON {table}",
            f"DROP POLICY read_all ON {table}",
            f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
        ],
    )
