"""The limit that the Cirq backend uses for predictions and that its executor enforces."""

MOST_GATES_KEPT = 20_000
"""How many translated gates, with their noise, are kept for all trajectories of a run. Most gate
sequences that shots share are short, and a sequence of only one shot need not be kept."""
