"""One module a benchmark; its `run` measures and returns what it found."""
