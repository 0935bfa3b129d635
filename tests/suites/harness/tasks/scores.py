"""What the tasks beside it call."""

from __future__ import annotations

from typing import Any


def f1(items: list[Any]) -> float:
    """Of pairs; no mean over items."""
    return sum(gold == said for gold, said in items) / len(items)


def letters(doc: dict[str, Any], results: list[str]) -> dict[str, Any]:
    """Has the answer these letters? Of questions with many words one more is looked for."""
    wanted = ["e", "a", "o"] if len(doc["question"].split()) > 6 else ["e", "a"]
    followed = [letter in results[0] for letter in wanted]
    return {
        "prompt_level_strict_acc": all(followed),
        "inst_level_strict_acc": followed,
        "texts": (doc["question"], results[0]),
    }


def pooled(items: list[list[bool]]) -> float:
    flat = [each for item in items for each in item]
    return sum(flat) / len(flat)
