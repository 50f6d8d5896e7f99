"""What a caller may see: an argument without default from the first query to the mirror. Never empty, never
implied."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TenantScope:
    """Either everything (`tenant` is None: platform roles), or one tenant's objects and what is shared with
    it.

    Made only by `everything` and `of`; an empty tenant is an error, never "no filter".
    """

    tenant: str | None

    def __post_init__(self) -> None:
        if self.tenant == "":
            raise ValueError("a tenant scope needs a tenant")

    @property
    def all(self) -> bool:
        """Whether every tenant's objects are in scope."""
        return self.tenant is None

    @classmethod
    def everything(cls) -> "TenantScope":
        """The scope `all` of platform roles."""
        return cls(None)

    @classmethod
    def of(cls, tenant: str) -> "TenantScope":
        """The objects of `tenant` (its id), and what is shared with it."""
        return cls(tenant)
