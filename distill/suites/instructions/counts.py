"""an answer -> how many words, sentences, paragraphs, … it has, held against a number. Each in linear time."""

from __future__ import annotations

import re
from typing import Literal

Relation = Literal["less than", "at least"]
"""How a count stands to the number that was asked for. IFEval has these two; "at most" is said as "less than" one more."""
_WORD = re.compile(r"\w+")
_CLOSING = r"\"'”’)\]"
_SENTENCE_END = re.compile(
    rf"(?<![.!?{_CLOSING}])[{_CLOSING}]*+(?P<end>[.!?][.!?{_CLOSING}]*+)(?=\s|$)|(?P<full>[。！？])"
)
"""A run of such signs is looked at once, from its beginning: models that have lost their way write thousands of them."""
_ABBREVIATION = re.compile(
    r"\b(?:(?i:mr|mrs|ms|dr|prof|st|jr|sr|vs|etc|e\.g|i\.e|no|fig|approx|dept|est)|[A-Z])\.$|(?:^|\n)[ \t]*\d{1,3}\.$"
)
"""Of English, with initials and the numbers of a list."""
_LOOK_BACK = 8
"""Characters before a full stop in which an abbreviation would begin."""
STARS = "***"
"""Between paragraphs."""


def holds(count: int, relation: Relation, number: int) -> bool:
    return count < number if relation == "less than" else count >= number


def number_words(answer: str, num_words: int, relation: Relation) -> bool:
    return holds(len(_WORD.findall(answer)), relation, num_words)


def number_sentences(answer: str, num_sentences: int, relation: Relation) -> bool:
    return holds(sentences(answer), relation, num_sentences)


def sentences(text: str) -> int:
    """By their last signs; of a text that goes on after the last of them the rest is one more."""
    found = end = 0
    for match in _SENTENCE_END.finditer(text):
        start = match.start(match.lastgroup or 0)
        short = text[start] == "." and _ABBREVIATION.search(text[max(0, start - _LOOK_BACK) : start + 1])
        # At the very end even an abbreviation ends a sentence.
        if not short or not text[match.end() : match.end() + 50].strip():
            found, end = found + bool(_WORD.search(text, end, match.end())), match.end()
    return found + bool(_WORD.search(text, end))


def number_paragraphs(answer: str, num_paragraphs: int) -> bool:
    """Paragraphs with three asterisks between them; only before the first and after the last may there be nothing."""
    parts = [part.strip() for part in answer.split(STARS)]
    inner = parts[1:-1]
    return all(inner) and len(list(filter(None, parts))) == num_paragraphs


def nth_paragraph_first_word(answer: str, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    """Paragraphs with an empty line between them, so many, and what one of them begins with; counted from 1."""
    parts = [part.strip() for part in answer.split("\n\n")]
    there = list(filter(None, parts))
    if len(there) != num_paragraphs or not 1 <= nth_paragraph <= len(there):
        return False
    begins = there[nth_paragraph - 1].split(maxsplit=1)[0].lstrip("'\"“‘")
    word = re.split(r"[.,?!'\"”’]", begins, maxsplit=1)[0]
    return word.casefold() == first_word.casefold()


def number_bullet_lists(answer: str, num_bullets: int) -> bool:
    """Lines that begin with an asterisk or a hyphen, exactly so many."""
    lines = (line.lstrip() for line in answer.splitlines())
    return (
        sum(line.startswith("-") or (line[:1] == "*" and line[1:2] not in ("", "*")) for line in lines) == num_bullets
    )


def number_placeholders(answer: str, num_placeholders: int) -> bool:
    """Words in square brackets, at least so many."""
    return len(re.findall(r"\[[^\[\]\n]*\]", answer)) >= num_placeholders


def number_highlighted_sections(answer: str, num_highlights: int) -> bool:
    """Words *between* one or **two** asterisks, at least so many."""
    found = sum(bool(text.strip()) for text in re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", answer))
    found += sum(bool(text.strip()) for text in re.findall(r"\*\*([^*\n]+)\*\*", answer))
    return found >= num_highlights


def multiple_sections(answer: str, section_spliter: str, num_sections: int) -> bool:
    """Sections that begin with a word and a number (`SECTION 1`), at least so many."""
    mark = re.escape(section_spliter.strip())
    return len(re.findall(rf"{mark}\s?\d+", answer)) >= num_sections
