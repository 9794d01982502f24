"""Backends: what runs circuits. Each implements one protocol and is found by entry point."""
