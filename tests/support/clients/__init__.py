"""Clients with a single purpose, such as raw HTTP/2."""
