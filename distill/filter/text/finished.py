"""A filter that drops what the teacher did not finish: answers cut off, left open or empty.

    truncated           the engine says that the tokens ran out
    empty               nothing but spaces and control characters
    unclosed_thinking   a thought was begun and not ended: a server gave half a thought where the answer should be
    open_code           a code block was opened and not closed
    mid_sentence        prose that stops after a comma or a word that no English sentence ends with

The last is believed only after a whole sentence: fragments, titles and lists end as they like. In other languages than
English only the comma is seen. Of a preference both answers count: a student is shown the one as much as the other.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from distill.filter.bindings import RowFilter, shorten
from distill.filter.text.turns import taught
from distill.protocols import KEEP, Verdict
from distill.rows import Row

_FENCE = re.compile(r"^ {0,3}(?:[-*+>] |\d+[.)] )? *(`{3,}|~{3,})([^`\n]*)$", re.M)
# None of them ends a sentence, nor is it another language's word that does (German "an", French "or" and "but").
_OPEN_WORDS = tuple(
    f" {word}" for word in "and because including into of our than the their whereas whose your".split()
)
_SENTENCE = re.compile(r"[.!?][\"')\]]*\s")
_PROSE = re.compile(r"[^\W\d_][\w ,;:'’\"()–-]*$")
_WORDS = 8
"""Words of the last line, before its end is believed to be the middle of a sentence."""


class Finished(RowFilter):
    """Drops answers and texts of the teacher that stop in the middle or say nothing."""

    kind: Literal["finished"] = "finished"

    def verdict(self, row: Row) -> Verdict:
        """Score is the length in characters."""
        if row.provenance.source != "teacher":
            return KEEP
        if row.provenance.sampling.get("finish") == "length":
            return Verdict(False, "truncated", float(len(row.answer)), "… " + row.answer[-80:])
        for answer in taught(row):
            reason = _unfinished(answer)
            if reason:
                shown = shorten(answer) if reason == "unclosed_thinking" else "… " + answer.rstrip()[-80:]
                return Verdict(False, reason, float(len(answer)), ascii(answer[:80]) if reason == "empty" else shown)
        return KEEP


def _unfinished(answer: str) -> str | None:
    if not answer[:1].isalnum() and all(unicodedata.category(char)[0] in "CZ" for char in answer):
        return "empty"
    if "<think>" in answer and answer.lstrip().startswith("<think>") and "</think>" not in answer:
        return "unclosed_thinking"
    if ("```" in answer or "~~~" in answer) and _open_fence(answer):
        return "open_code"
    return "mid_sentence" if _mid_sentence(answer.rstrip()) else None


def _open_fence(text: str) -> bool:
    """Whether code is in a block that is open at the end. As CommonMark has it, a block ends with a fence of the same
    character that is at least as long and says nothing more."""
    opened, begins = "", 0
    for match in _FENCE.finditer(text):
        fence, info = match.groups()
        if not opened:
            opened, begins = fence, match.end()
        elif fence.startswith(opened) and not info.strip():
            opened = ""
    return bool(opened and text[begins:].strip())


def _mid_sentence(text: str) -> bool:
    if not text.endswith((",", *_OPEN_WORDS)):
        return False
    line = text[text.rfind("\n") + 1 :]
    last = _SENTENCE.split(line)[-1]
    return bool(_SENTENCE.search(text) and len(line.split()) >= _WORDS and _PROSE.match(last))
