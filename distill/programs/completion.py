"""an answer to a problem -> the whole program in it: a block of code, bare code among words, or what goes on from the problem.

Where a problem is code itself (imports, helpers, the head of a function), that comes first. Nothing is run here.
"""

from __future__ import annotations

import ast
import re
import warnings

from distill.programs.reading import LONGEST, program

BEGINS = re.compile(r"^(?:(?:async def|def|class|import|from)\b|@)", re.M)
INDENT = "    "


def completed(answer: str, problem: str) -> str | None:
    """The program, or None where there is none.

    >>> completed("    return x + 1", "def more(x):")
    'def more(x):\\n    return x + 1'
    """
    return (
        program(answer, problem)
        # An engine's texts have no white space at their ends, and the first line of a body begins with some.
        or program(INDENT + answer.lstrip(), problem)
        or _among_words(answer, problem)
    )


def _among_words(answer: str, problem: str) -> str | None:
    """Code without a fence: from the line that begins it up to where it is code no more."""
    start = BEGINS.search(answer)
    if start is None or "```" in answer:
        return None
    return program(_longest(answer[start.start() : start.start() + LONGEST]), problem)


def _longest(text: str) -> str:
    """The first lines that are a program together."""
    lines = text.splitlines()
    while lines:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                ast.parse("\n".join(lines))
            except SyntaxError as error:
                # What is wrong lies at that line or before it, so that each step leaves fewer.
                lines = lines[: min(len(lines) - 1, max((error.lineno or 1) - 1, 0))]
            except (ValueError, RecursionError, MemoryError):
                return ""
            else:
                return "\n".join(lines)
    return ""
