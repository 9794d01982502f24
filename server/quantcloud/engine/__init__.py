"""Where executors run: worker processes beside the server."""
