"""Converts between the contract's messages and domain objects; one module per service."""
