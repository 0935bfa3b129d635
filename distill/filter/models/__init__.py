"""What a model says of a row: marks, likelihood, likeness."""
