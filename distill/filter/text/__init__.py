"""What a text alone shows: its length, its end, its form, its language, its damage."""
