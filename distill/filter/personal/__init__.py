"""Personal data and secrets in a text: detectors, one idea a file, and what takes their finds out."""
