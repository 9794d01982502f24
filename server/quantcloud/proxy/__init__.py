"""Envoy: its process, its configuration, and its transcoder's descriptor."""
