"""Arms of several runs side by side."""
