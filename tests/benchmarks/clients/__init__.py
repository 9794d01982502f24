"""HTTP clients that take little of the machine."""
