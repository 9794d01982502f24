"""The limit that the Cirq backend predicts with and its executor keeps."""

MOST_GATES_KEPT = 20_000
"""How many gates and their noise are kept translated for all trajectories of a run. Of sequences
that shots have in common few are long, and those that only one has need not be kept."""
