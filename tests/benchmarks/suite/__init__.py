"""One module per benchmark. Its `run` measures and returns findings."""
