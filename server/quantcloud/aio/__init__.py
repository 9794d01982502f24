"""What helps any asyncio code: cooperative yielding, retry, deadlines."""
