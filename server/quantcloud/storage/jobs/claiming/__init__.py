"""Which queued jobs a server takes, and in what order."""
