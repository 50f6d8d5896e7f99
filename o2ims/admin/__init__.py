"""The admin pages of the inventory, in the order of the menu: where it comes from, what is there, what
happened, what was wanted."""

from o2ims.admin.sources import SourceAdmin  # isort: split

from o2ims.admin.items import ItemAdmin  # isort: split

from o2ims.admin.changes import ChangeAdmin  # isort: split

from o2ims.admin.operations import OperationAdmin

__all__ = ["ChangeAdmin", "ItemAdmin", "OperationAdmin", "SourceAdmin"]
