"""A job's way from queued to its end."""
