"""One module per API flavour: how an inventory object looks on the wire."""
