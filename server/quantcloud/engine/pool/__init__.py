"""Worker processes: the server's side, the worker's side, and the protocol between them."""
