"""The confinement of worker processes."""
