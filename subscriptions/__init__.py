"""Who wants to hear of changes, and making sure that they do."""
