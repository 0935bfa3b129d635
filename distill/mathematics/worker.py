"""Run as a program: pairs of expressions as JSON lines -> for each whether math-verify finds them the same.

`parse` and `verify` have limits of time that rest on signals in the main thread and cannot end a computation inside C,
such as that of 9**9**9. Here the kernel ends the whole process when one pair has had its processor time. It imports
nothing of this package, so that it can be started by its path.
"""

from __future__ import annotations

import json
import logging
import resource
import signal
import sys
from typing import Any

MEMORY = 2 << 30
"""Most bytes of address space."""


def compare(reference: str, answer: str) -> bool | str:
    """Whether they are the same, or why that cannot be told."""
    from math_verify import LatexExtractionConfig, parse, verify

    def read(text: str) -> list[Any]:
        latex = (LatexExtractionConfig(),)
        return list(parse(f"${text}$", latex, fallback_mode="no_fallback", parsing_timeout=None, raise_on_error=True))

    try:
        gold, target = read(reference), read(answer)
        if not gold or not target:
            return "unreadable"
        return bool(verify(gold, target, timeout_seconds=None, raise_on_error=True))
    except Exception as error:  # whatever sympy raises on what models write
        return f"{type(error).__name__}: {error}"[:200]


def main(seconds: float) -> None:
    """Answer pairs until there are no more.

    Args:
        seconds: processor time of one pair.
    """
    import math_verify  # noqa: F401

    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends when nobody writes to it any more
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    compare("1", "1")  # the first builds the grammar
    print("ready", flush=True)
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        verdict = compare(*json.loads(line))
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(verdict), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
