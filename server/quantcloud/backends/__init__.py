"""What runs circuits: one module a backend behind one protocol, found by entry point."""
