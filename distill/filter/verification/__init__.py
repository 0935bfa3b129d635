"""Answers checked by what can be run or looked up."""
