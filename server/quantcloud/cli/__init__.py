"""The `quantcloud` command."""
