"""Which instruction a new one is like: the same as by a look at all of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from distill.generate.instructions import overlap
from distill.generate.known import Known

TEXTS = st.lists(st.lists(st.sampled_from("a b c d e f g h".split()), max_size=7).map(" ".join), max_size=12)


@given(TEXTS, TEXTS, st.sampled_from([0.3, 0.5, 0.7, 1.0]))
def test_the_first_that_is_alike(seeds: list[str], added: list[str], alike: float) -> None:
    known = Known(seeds, alike)
    there = list(seeds)
    for text in added:
        place = next((place for place, other in enumerate(there) if overlap(text, other) >= alike), None)
        assert known.like(text) == (None if place is None else (there[place], place < len(seeds)))
        known.add(text)
        there.append(text)
