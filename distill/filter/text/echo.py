"""A filter that drops answers which only say the prompt again, or the marks that a chat is rendered with.

    echoes_prompt   the answer is the question, the system message, the one more than once, or the question broken off
    leaks_template  marks of a chat template, outside code, where the question has none

An answer that quotes the question and then answers it, in one word even, is none; nor is one that leaves a sentence of
the question out: so do corrections ("Correct this: …") and quotations. Of a preference the chosen answer is read: an
echo is a good reason to reject one.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from distill.filter.bindings import RowFilter, shorten
from distill.filter.text.turns import Turn, turns
from distill.protocols import KEEP, Verdict
from distill.rows import Row
from distill.words import words

_FIRST = re.compile(r"[^\W_]+")
_SENTENCE_END = re.compile(r"[.!?。！？।:]\s|\n")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.S)
_MARKS = re.compile(
    r"<\|(?:im_start|im_end|endoftext|begin_of_text|end_of_text|start_header_id|end_header_id|eot_id|user|assistant|system"
    r"|end)\|>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|^### (?:Instruction|Response):",
    re.M,
)
_PARTS = ("|>", "INST]", "SYS>>", "_of_turn>", "### ")
"""One of them is in every mark."""


class Echo(RowFilter):
    """Drops an answer that repeats its prompt instead of answering, or spills the chat template."""

    kind: Literal["echo"] = "echo"
    min_words: int = Field(6, ge=1)
    """Words of a prompt, before its repetition counts: a greeting is answered with itself."""
    min_share: float = Field(0.9, gt=0, le=1)
    """Least of the prompt that an answer which breaks off must repeat."""

    def verdict(self, row: Row) -> Verdict:
        system = row.messages[0].content if row.messages[0].role == "system" else ""
        for turn in turns(row):
            found = self._echo(turn.asked, turn.said) or self._echo(system, turn.said) or _leak(turn)
            if found:
                return found
        return KEEP

    def _echo(self, prompt: str, answer: str) -> Verdict | None:
        """Score is the share of the prompt that is repeated."""
        # Most answers begin otherwise, and one half as long again cannot repeat so much of the prompt.
        if not prompt or 2 * len(answer) < self.min_share * len(prompt) or not _same_beginning(prompt, answer):
            return None
        asked, said = words(prompt), words(answer)
        left = len(asked) - len(said)
        if len(asked) < self.min_words or len(said) < self.min_share * len(asked):
            return None
        if any(word != asked[place % len(asked)] for place, word in enumerate(said)):
            return None
        if left > 0 and left >= len(words(_SENTENCE_END.split(prompt.rstrip())[-1])):
            return None
        return Verdict(False, "echoes_prompt", min(1.0, round(len(said) / len(asked), 4)), shorten(answer))


def _same_beginning(prompt: str, answer: str) -> bool:
    first, other = _FIRST.search(prompt), _FIRST.search(answer)
    return bool(first and other) and first[0].casefold() == other[0].casefold()  # type: ignore[index]


def _leak(turn: Turn) -> Verdict | None:
    """Score is the place of the mark."""
    if not any(part in turn.said for part in _PARTS):
        return None
    found = _MARKS.search(_CODE.sub(lambda code: " " * len(code[0]), turn.said))
    if not found or _MARKS.search(turn.asked):
        return None
    return Verdict(False, "leaks_template", float(found.start()), shorten(turn.said[max(0, found.start() - 40) :]))
