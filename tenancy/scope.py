"""What a caller may see: an argument without default from the first query to the mirror. Never empty, never
implied."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TenantScope:
    """Either everything (`tenant` is None: platform roles), or one tenant's objects (`own`), what is shared
    with it (`shared`), or both.

    Made only by `everything` and `of`; an empty scope is an error, never "no filter".
    """

    tenant: str | None
    own: bool = True
    shared: bool = True

    def __post_init__(self) -> None:
        if self.tenant == "":
            raise ValueError("a tenant scope needs a tenant")
        if not (self.own or self.shared):
            raise ValueError("a tenant scope needs something in it")

    @property
    def all(self) -> bool:
        """Whether every tenant's objects are in scope."""
        return self.tenant is None

    @classmethod
    def everything(cls) -> "TenantScope":
        """The scope `all` of platform roles."""
        return cls(None)

    @classmethod
    def of(cls, tenant: str, *, own: bool = True, shared: bool = True) -> "TenantScope":
        """The objects of `tenant` (its id), and what is shared with it; or one of the two alone."""
        return cls(tenant, own, shared)

    def with_what_is_read(self, read: "TenantScope | None") -> "TenantScope":
        """This scope of a change, wide enough to find what the caller may `read`: which of it is theirs to
        change is decided there."""
        if read is None or self.all or read.all:
            return self
        return TenantScope(self.tenant, self.own or read.own, self.shared or read.shared)
