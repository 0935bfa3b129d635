"""What a recipe says of terms: nothing here changes a result, only what may be said of it."""

from __future__ import annotations

from distill.rows import Frozen


class Terms(Frozen):
    """Terms that the recipe's owner has read, and entries of a registry of his own."""

    name: str | None = None
    """Of the student where it is published; the recipe's name when not given. Some licences ask for its first letters."""
    accept: dict[str, str] = {}
    """What was to be reviewed and has been: id of an entry or licence, or a reference, to the reason, which lands in the
    report."""
    registry: str | None = None
    """Folder of YAML files with entries (`- id:`) that are added to the registry or take the place of its own, and with
    written permissions (`- permission_of:`)."""
