"""Servers that are not ours: PostgreSQL, Redis, Ray, an issuer of tokens."""
