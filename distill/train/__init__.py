"""The student learns: one file per objective."""
