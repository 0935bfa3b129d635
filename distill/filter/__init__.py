"""Rows are judged: one file per family, and the stage that keeps the books."""
