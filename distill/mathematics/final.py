r"""a worked solution -> its final answer, as an expression that can be compared.

Looked for in this order: the last `\boxed{}`, the last line after `####`, what follows the last "answer is" or
"answer:", a text that is nothing but an expression, and last the number that the last line with one ends on. It knows
nothing of what is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 400
"""Most characters of a formula: no final answer is longer."""
BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
HASHES = re.compile(r"^#{4}[ \t]*(\S.*)$", re.M)
EMPHASIS = re.compile(r"(?<![\w)])(?:\*\*|__)(?=\S)|(?<=\S)(?:\*\*|__)(?![\w(])|`")
"""Markdown's marks; `2**3` is a power."""
STATED = re.compile(
    r"\banswers?\b(?:(?: (?:to|for|of) [^.:=\n]{0,80}?)?\s*(?:[:=]|\n)|[^.:=\n]{0,80}?\b(?:is|are|be|equals)\b:?)", re.I
)
"""The words that announce an answer."""
GROUP = r"(?:[,\u00a0\u2009\u202f ]\d{3}(?!\d))"
"""Three digits set apart, as in 1,234 or 1 234."""
NUMBER = rf"(?:\d{{1,3}}{GROUP}+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
EXPRESSION = re.compile(
    rf"""(?<![\w.,])                                      # not inside a word, a number or a date
    (?P<sign>[-\u2212\u2013](?=[$€£¥\d.]))?               # a dash with space after it is none
    [$€£¥]?[ ]?
    (?P<whole>{NUMBER})
    (?:[ ]?(?P<over>/)[ ]?(?P<under>{NUMBER})|[ ](?P<part>\d+/\d+))?
    (?P<power>[ ]?[x×][ ]?10\^\{{?-?\d+\}}?)?
    (?P<percent>[ ]?\\?%|[ ]per[ ]?cent)?
    """,
    re.X | re.I,
)
WORD = re.compile(r"(?<![\\a-z])(?:[a-z]{3,}|(?:i[fnst]|o[fnr]|to|at|so|[hmw]e|by|an|as|no|up|[ap]m)(?![a-z]))", re.I)
"""A word of prose, not a LaTeX command."""
FUNCTIONS = re.compile(r"(?<![\\a-z])(?:sqrt|sin|cos|tan|log|exp|pi)(?![a-z])", re.I)
INLINE = re.compile(
    r"\\\((.{1,400}?)\\\)|\\\[(.{1,400}?)\\\]|\$\$(.{1,400}?)\$\$|(?<![\w\\$])\$(?!\s)([^$\n]{0,400}?[^$\s])\$(?![\d$])",
    re.S,
)
"""LaTeX's marks around a formula. Two dollar signs are some only if nothing tells that they are two sums of money."""
SENTENCE_END = re.compile(r"(?<=[^\s.])[.!?](?=\s|$)|;|\n")


def final(text: str) -> str | None:
    """The final answer that a text comes to, or None where it says none.

    >>> final("She has 3 * 6 = 18 eggs.\\n\\nThe answer is **$1,234.00** a year, because 1,200 + 34 = 1,234.")
    '1234.00'
    """
    text = EMPHASIS.sub("", text)
    for found in (_boxed(text), _hashes(text), _stated(text), _alone(text), _last(text)):
        if found is not None:
            return found
    return None


def _boxed(text: str) -> str | None:
    """What the last box holds, to the brace that closes it."""
    places = [match.end() for match in BOXED.finditer(text)]
    for start in reversed(places):
        depth = 1
        for place in range(start, min(start + LONGEST, len(text))):
            depth += {"{": 1, "}": -1}.get(text[place], 0)
            if not depth:
                return pick(text[start:place]) or None
    return None


def _hashes(text: str) -> str | None:
    lines = HASHES.findall(text)
    return pick(lines[-1]) if lines else None


def _stated(text: str) -> str | None:
    """What comes after the last words that announce an answer, on that line or the next that says something."""
    for match in reversed(list(STATED.finditer(text))):
        # Not all that follows: of a text that goes round in circles that would be the square of its length.
        after = text[match.end() : match.end() + 2 * LONGEST].lstrip(" \t:=\n*")
        if found := pick(after.split("\n\n")[0]):
            return found
    return None


def _alone(text: str) -> str | None:
    text = text.strip()
    return clean(text) if text and "\n" not in text and _formula(text) and re.search(r"[\dA-Za-z]", text) else None


def _last(text: str) -> str | None:
    for line in reversed(text.splitlines()):
        if formulas := list(_inline(line)):
            return formulas[-1]
        left, equals, right = line.rpartition("=")
        if found := list(EXPRESSION.finditer(right)) or list(EXPRESSION.finditer(left)):
            return shown(found[0 if equals else -1])
    return None


def pick(text: str) -> str | None:
    """The expression in a statement of the answer: a formula, what the last `=` comes to, or the first number."""
    text = text.strip()
    if _formula(text.rstrip(".")):
        return clean(text.rstrip("."))
    inline = next(_inline(text), None)
    sentence = SENTENCE_END.split(text, maxsplit=1)[0]
    if inline is not None:
        return inline
    match = EXPRESSION.search(sentence.rpartition("=")[2]) or EXPRESSION.search(sentence)
    return shown(match) if match else None


def _inline(text: str) -> Iterator[str]:
    """Formulas between LaTeX's marks; the last side of an equation."""
    for match in INLINE.finditer(text):
        inner = next(group for group in match.groups() if group)
        if _formula(inner):
            yield clean(inner)


def _formula(text: str) -> bool:
    """There is no prose in it."""
    bare = re.sub(r"\\(?:text|mathrm|mbox|operatorname)\s*\{[^{}]*\}", "", text)
    return not WORD.search(FUNCTIONS.sub("", bare)) and "\n" not in bare.strip()


def shown(match: re.Match[str]) -> str:
    """A number that was found, in the form that is compared."""
    number = _digits(match["whole"])
    if match["over"]:
        number = rf"\frac{{{number}}}{{{_digits(match['under'])}}}"
    elif match["part"]:
        top, _, bottom = match["part"].partition("/")
        number = rf"{number}\frac{{{top}}}{{{bottom}}}"
    power = re.sub(r"[x×]", r"\\times ", match["power"] or "", flags=re.I)
    return f"{'-' if match['sign'] else ''}{number}{power}{'%' if match['percent'] else ''}"


def _digits(number: str) -> str:
    return re.sub(r"[^\d.]", "", number)


def clean(text: str) -> str:
    """A formula without marks of currency, thousands and text around it."""
    text = re.sub(r"^(?:\\\(|\\\[|\$+)|(?:\\\)|\\\]|\$+)$", "", text.strip()).strip()
    text = text.replace("\u2212", "-").replace("**", "^").replace("{,}", ",").replace(r"\!", "").replace(r"\,", " ")
    if match := EXPRESSION.fullmatch(text.replace(r"\$", "$")):
        return shown(match)
    text = re.sub(r"\\?[$€£¥]", "", text)
    return re.sub(rf"(?<!\d)(\d{{1,3}})({GROUP}+)", lambda found: found[1] + _digits(found[2]), text).strip()
