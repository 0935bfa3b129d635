"""What is worked out once: kept, tried again where it failed, shared by ranks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from distill.context import Ranks
from distill.engines.batches import share
from distill.engines.journal import Journal
from distill.engines.once import Record, once
from tests.beside import together


def test_each_item_is_made_once_and_a_failure_is_tried_again(tmp_path: Path) -> None:
    made: list[str] = []

    def make(missing: dict[str, int]) -> Iterator[Record]:
        for key, value in missing.items():
            made.append(key)
            yield {"key": key, "value": value} if value >= 0 else {"key": key, "error": "negative"}

    items = {"b": 2, "a": 1, "c": -1}
    first = once(Journal(tmp_path), Ranks(), items, make)
    assert list(first) == ["b", "a", "c"] and first["b"]["value"] == 2 and first["c"]["error"] == "negative"
    assert once(Journal(tmp_path), Ranks(), items, make) == first
    assert made == ["a", "b", "c", "c"]


def test_ranks_make_their_shares_and_get_all_though_one_knows_less(tmp_path: Path) -> None:
    known = Journal(tmp_path / "0")
    known.write({"key": "a", "value": 0})
    made: list[list[str]] = [[], []]

    def rank(ranks: Ranks) -> dict[str, Record]:
        def make(missing: dict[str, int]) -> Iterator[Record]:
            for key in share(list(missing), ranks.rank, ranks.world):
                made[ranks.rank].append(key)
                yield {"key": key, "value": missing[key]}

        return once(Journal(tmp_path / str(ranks.rank)), ranks, {"a": 0, "b": 1, "c": 2}, make)

    one, two = together(2, rank)
    assert one == two and {key: record["value"] for key, record in one.items()} == {"a": 0, "b": 1, "c": 2}
    assert made == [["a", "c"], ["b"]]
