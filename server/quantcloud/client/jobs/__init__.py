"""Jobs, their watches, and streams of runs."""
