"""Answers of two arms side by side, judged by a third model, and how far that judge can be believed."""
