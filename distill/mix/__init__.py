"""Kept teacher rows and real rows become one training set."""
