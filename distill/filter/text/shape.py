"""answer -> how it is built: words, sentences, paragraphs, list items, JSON. Counts that can be argued about are given as
the fewest and the most that a reader may find.
"""

from __future__ import annotations

import json
import re
from typing import Any

from distill.words import words

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.S)
_FENCED = re.compile(r"```[^\n`]*\n(.*?)```", re.S)
_PLAIN_END = re.compile(r"[a-z]{4}[\"')\]]*[.!?]+[\"')\]]*\s+[\"'(]*[A-Z]")
"""The end of a sentence that nobody can take for an abbreviation's, and the beginning of another."""
_ANY_END = re.compile(r"[.!?。！？।…:;]+|\n+")
_ITEM = re.compile(r"^([ \t]*)(?:(\d{1,3})[.)]|[-*•+–])[ \t]+\S", re.M)


def without_code(text: str) -> str:
    """The text without blocks and pieces of code."""
    return _CODE.sub(" ", text)


def blank(text: str) -> str:
    """Letters and digits with single spaces: quotation marks and stars around a phrase are no matter."""
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def word_counts(text: str) -> tuple[int, int]:
    """Words as runs of letters and digits or as what stands between spaces ("e-mail" is two of the one kind), with the
    code or without."""
    prose = without_code(text)
    counts = len(prose.split()), len(words(prose)), len(text.split()), len(words(text))
    return min(counts), max(counts)


def sentences(text: str) -> tuple[int, int]:
    """Sentences that certainly end, with the last; and all that may."""
    said = text.strip()
    return bool(said) + len(_PLAIN_END.findall(said)), sum(bool(part.strip()) for part in _ANY_END.split(said))


def paragraphs(text: str) -> tuple[int, int]:
    """Blocks of prose with an empty line between, without headings and lists; and all lines."""
    blocks = [block for block in re.split(r"\n\s*\n", text) if block.strip()]
    prose = [block for block in blocks if len(block.split()) >= 15 and not _ITEM.match(block.lstrip("\n"))]
    lines = sum(bool(line.strip()) for line in text.split("\n"))
    return len(prose), max(lines, len(blocks))


def has_items(text: str) -> bool:
    """Whether a line begins as a list's do."""
    return bool(_ITEM.search(text))


def items(text: str) -> int | None:
    """Items of the one list in a text, sublists aside; None where there is no list of two or more, or there may be
    several."""
    found = list(_ITEM.finditer(without_code(text)))
    if not found:
        return None
    outermost = min(len(match[1]) for match in found)
    top = [match for match in found if len(match[1]) == outermost]
    numbers = [int(match[2]) for match in top if match[2]]
    if numbers:
        whole = numbers == list(range(1, len(numbers) + 1))
        return len(numbers) if whole and len(numbers) > 1 else None
    body = without_code(text)[top[0].start() : top[-1].end()]
    apart = re.search(r"\n[ \t]*\n(?![ \t]*[-*•+–])", body)
    return len(top) if len(top) > 1 and not apart else None


def is_json(text: str) -> bool:
    """Whether a text holds an object or array of JSON: alone, in a code block or between other words. What is nested too
    deep to be read counts as such."""
    said = text.strip()
    tried = [said, *_FENCED.findall(said)]
    for opens, closes in ("{}", "[]"):
        start, end = said.find(opens), said.rfind(closes)
        if 0 <= start < end:
            tried.append(said[start : end + 1])
    return any(_parses(one) for one in tried)


def _parses(text: str) -> bool:
    try:
        found: Any = json.loads(text)
    except RecursionError:
        return True
    except ValueError:
        return False
    return found is not None or text.strip() == "null"
