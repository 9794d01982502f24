"""A job's way from submitted to its end."""
