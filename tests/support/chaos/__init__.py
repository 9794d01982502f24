"""Kills the parts of a service, and checks what its clients saw."""
