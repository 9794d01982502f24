"""Worker processes: the server's side, the workers', and what goes between."""
