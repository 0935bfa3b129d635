"""Whatever answers or scores: echo, transformers, server."""
