"""Servers that a stage starts itself: what each kind is told (commands), how one is kept (keeper), all of a stage (fleet)."""
