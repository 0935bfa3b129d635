"""Rows become tokens: once, by one process, before any training process starts."""
