"""lm-evaluation-harness at work on our models: its tasks, prompts, filters and scores, item by item."""
