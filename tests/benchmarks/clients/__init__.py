"""HTTP clients that use little processor time."""
