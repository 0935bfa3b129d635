"""References to models and data followed, files read, records turned into rows."""
