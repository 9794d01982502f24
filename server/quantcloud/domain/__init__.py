"""What the service is about, with no I/O: jobs, circuits, backends, accounts, errors."""
