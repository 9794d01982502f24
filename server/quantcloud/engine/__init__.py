"""Where circuits run: inline, in local workers, or on a Ray cluster."""
