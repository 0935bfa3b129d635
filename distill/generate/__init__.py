"""The teacher writes rows: one file per method, and the stage that drives them."""
