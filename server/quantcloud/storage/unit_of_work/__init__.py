"""Units of work, committed in groups."""
