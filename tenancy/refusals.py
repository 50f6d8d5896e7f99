"""What is refused when people and roles are changed, whoever asks and however.

Refused
├── NotHeld       somebody would get what the giver does not hold
├── BuiltInRole   a role that every gateway has does not change
├── LastOwner     a tenant keeps somebody who answers for it
├── InUse         something still hangs on it
├── Taken         there is one of that name already
└── Unfit         the value cannot be there; `field` says which (of the model)
"""

from collections.abc import Sequence
from decimal import Decimal

from tenancy.permissions import Permission


class Refused(Exception):
    """The base; its text says why, for people."""


class NotHeld(Refused):
    """Nobody can grant what they do not hold; `lacking` is what was missing."""

    def __init__(self, lacking: Sequence[Permission]) -> None:
        self.lacking = lacking
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        shown = ", ".join(map(str, lacking[:3]))
        super().__init__(f"Nobody can grant what they do not hold: {shown}{more}.")


class BuiltInRole(Refused):
    """A built-in role was to be changed or deleted."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is a built-in role: it cannot be changed.")


class LastOwner(Refused):
    """The tenant would have no Owner left who is active and stays one."""

    def __init__(self, tenant: str) -> None:
        super().__init__(f"Tenant {tenant} would have no Owner left: make somebody else one first.")


class InUse(Refused):
    """It cannot go while something hangs on it."""


class Taken(Refused):
    """There is one like it already."""


class Exceeded(Exception):
    """There is not that much left of a tenant's quota."""

    def __init__(self, quota: str, *, limit: Decimal, used: Decimal, requested: Decimal) -> None:
        super().__init__(f"{quota} is {limit:f}, {used:f} of it is taken, and this needs {requested:f}")
        self.quota, self.limit, self.used, self.requested = quota, limit, used, requested


class Unsized(Exception):
    """A quota is set on what nobody can tell of a thing before it is there."""

    def __init__(self, quota: str) -> None:
        super().__init__(f"{quota} is set, and nobody can tell how much of it this would take")
        self.quota = quota


class Unfit(Refused):
    """A value that cannot be there."""

    def __init__(self, field: str, detail: str) -> None:
        self.field = field
        self.detail = detail
        super().__init__(f"{field}: {detail}")
