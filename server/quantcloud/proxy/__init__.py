"""Envoy: its process, its configuration, and the descriptor that it reads."""
