"""Envoy: its process and its configuration."""
