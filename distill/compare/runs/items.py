"""arms asked alike + Comparison -> what the page knows of single items: questions, references, every arm's answers and scores.

A text is held once however often it is said: items name texts by their place in `texts`. Of very many items those are
taken in which the first two chosen arms differ most; very long texts are cut where all together would make the page
too large to open. Both are told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from distill.compare.arms import Key, texts
from distill.compare.chosen import fair
from distill.compare.runs.asked import Together
from distill.compare.runs.comparison import Comparison

MOST = 20_000
"""Items on a page."""
ROOM = 40_000_000
"""Characters of all texts on a page."""
NONE = -1
"""Place of a text that is not there."""


class Items(NamedTuple):
    data: dict[str, Any]
    shown: int
    total: int
    cut: int
    """Texts that are not whole."""


class _Texts:
    """Texts, each once."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}

    def place(self, text: str | None) -> int:
        return NONE if text is None else self.places.setdefault(text, len(self.places))

    def fitting(self) -> tuple[list[str], int]:
        """All of them, the longest cut to one length where they are more than a page has room for; and how many are."""
        level = fair({text: len(text) for text in self.places}, ROOM)
        cut = [text for text in self.places if len(text) > level]
        return [_cut(text, level) for text in self.places], len(cut)


def read(found: Together, comparison: Comparison) -> Items:
    """The items of every suite that is compared, with the texts of all arms that were asked it."""
    suites = list(comparison.suites)
    total = sum(len(found.shared(suite)) for suite in suites)
    keys = [key for suite in suites for key in _picked(suite, found, comparison)]
    said = _Texts()
    items = {key: _item(key, suites.index(key[0]), found, comparison) for key in keys}
    for place, entry in enumerate(found.entries):
        wanted = {key for key in keys if entry.label in found.suites[key[0]]}
        for key, line in texts(entry.arm, wanted).items():
            _say(items[key], place, line, said)
    whole, cut = said.fitting()
    data = {
        "arms": [
            {"label": label, "role": column.role, "origin": column.origin} for label, column in comparison.arms.items()
        ],
        "suites": suites,
        "metrics": [
            {"suite": suites.index(suite), "name": short, **metric.model_dump(include={"direction", "unit", "right"})}
            for suite, metrics in comparison.suites.items()
            for short, metric in metrics.items()
        ],
        "texts": whole,
        "items": list(items.values()),
    }
    return Items(data, len(keys), total, cut)


def _picked(suite: str, found: Together, comparison: Comparison) -> list[Key]:
    """All items of a suite in the order of the first arm, or so many as are its share of the page."""
    shared = found.shared(suite)
    asked = [entry.arm for entry in found.chosen if entry.label in found.suites[suite]]
    own = [key for key in asked[0].items if key in shared]
    most = fair({name: len(found.shared(name)) for name in comparison.suites}, MOST)
    if len(own) <= most:
        return own
    metric = next(iter(comparison.suites[suite]))

    def apart(key: Key) -> float:
        values = [arm.items[key].metrics.get(metric, (0.0, 0.0))[0] for arm in asked[:2]]
        return -abs(values[0] - values[-1])

    kept = set(sorted(own, key=apart)[:most])
    return [key for key in own if key in kept]


def _item(key: Key, suite: int, found: Together, comparison: Comparison) -> dict[str, Any]:
    """Scores by metric and arm, and room for what was said."""
    asked = found.suites[key[0]]
    scored = [entry.arm.items[key].metrics if entry.label in asked else {} for entry in found.entries]
    nothing = [NONE] * len(scored)
    return {
        "suite": suite,
        "id": key[1],
        "question": NONE,
        "reference": NONE,
        "answers": list(nothing),
        "found": list(nothing),
        "errors": list(nothing),
        "whys": list(nothing),
        "more": [0] * len(scored),
        "values": [[_value(own.get(metric)) for own in scored] for metric in comparison.suites[key[0]]],
    }


def _value(score: tuple[float, float] | None) -> float | None:
    return None if score is None else float(f"{score[0]:.6g}")


def _say(item: dict[str, Any], place: int, line: Mapping[str, Any], said: _Texts) -> None:
    """What one arm made of an item. `more` counts its further answers."""
    if item["question"] == NONE:
        item["question"], item["reference"] = said.place(str(line["question"])), said.place(str(line["reference"]))
    item["answers"][place] = said.place(line["answer"])
    item["found"][place] = said.place(line["found"])
    item["errors"][place] = said.place(line["error"])
    item["whys"][place] = said.place(line.get("why"))
    item["more"][place] = len(line["answers"] or ())


def _cut(text: str, level: int) -> str:
    return text if len(text) <= level else f"{text[:level]} … ({len(text) - level:,} more characters)"
