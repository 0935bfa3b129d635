"""Benchmark items, their prompts and their scores: what evaluation asks and contamination looks for."""
