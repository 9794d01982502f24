"""What is read of jobs, and of their events."""
