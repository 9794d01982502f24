"""Jobs, their events and their leases, in the database."""
