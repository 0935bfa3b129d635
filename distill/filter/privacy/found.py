"""A find: where in a text something stands that should not be there. The text itself is not in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["key", "credentials", "card", "iban", "national_id", "email", "phone", "ip"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Worst first: a row with several is counted under the first of them."""
NAME = "name"
"""A person's name; found by a model, and therefore none of the kinds that are sure."""
PLACEHOLDER = re.compile(r"\[[A-Z_]+_[0-9]+\]")
"""What stands where a find stood."""


@dataclass(frozen=True, slots=True)
class Found:
    kind: str
    start: int
    end: int
    """First and last place, the last exclusive."""
    what: str = ""
    """Which of its kind, such as `es_dni`."""


Detector = Callable[[str], Iterator[Found]]
"""Every find of one kind in a text, in any order; they may overlap. Takes time in proportion to the text."""
