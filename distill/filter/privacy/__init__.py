"""Personal data and secrets: found, dropped or redacted."""
