"""Programs that run in their own process."""
