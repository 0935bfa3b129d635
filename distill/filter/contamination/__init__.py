"""Rows that hold what is evaluated on."""
