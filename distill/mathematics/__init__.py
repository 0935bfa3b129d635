"""Reading the final answer of a worked solution, and telling whether two of them are the same."""
