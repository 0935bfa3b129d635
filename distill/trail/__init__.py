"""From a row to all that it came from, from a source to all that came of it, and whether the files are as they were written."""
