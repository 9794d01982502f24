"""What confines a worker process."""
