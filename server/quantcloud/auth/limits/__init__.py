"""Limits of callers: requests per minute, open streams, and turns of those over a limit."""
