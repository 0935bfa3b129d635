"""One arm (teacher, base, student, a checkpoint) on every suite, item by item."""
