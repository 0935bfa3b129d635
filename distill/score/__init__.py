"""The teacher reads the final rows, and what it would have said is kept."""
