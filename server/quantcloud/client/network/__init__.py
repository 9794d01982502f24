"""How calls reach a server."""
