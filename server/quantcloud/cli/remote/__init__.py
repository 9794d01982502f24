"""The commands for any server. They import no part of a server."""
