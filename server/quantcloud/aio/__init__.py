"""Helpers for any asyncio code: cooperative yielding, retry, deadlines."""
