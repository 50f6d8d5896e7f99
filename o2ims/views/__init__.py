"""The views, one noun each: they parse, ask the inventory and answer."""
