"""Statevectors of many points at once, in NumPy."""
