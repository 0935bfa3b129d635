"""The faults: what each does to a real answer, how it is dealt, and what a request that it ends must say.

number of the request, attempt -> fault, or none
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

CLEAN = "clean"
BROKE, NOT, COUNT = "the connection broke", "not a chat completion", "a count that cannot be"
ENDED = "finish_reason"
DELAY = 0.3
"""Seconds that a delayed answer waits: any client should bear them."""
DELAYED = ("delayed", "uncounted")
"""No faults to give up over: the answer comes, late or with nothing counted."""


def _usage(**counts: Any) -> Callable[[dict[str, Any]], bytes]:
    return lambda reply: json.dumps({**reply, "usage": {**reply["usage"], **counts}}).encode()


def _ended(reason: str | None) -> Callable[[dict[str, Any]], bytes]:
    return lambda reply: json.dumps({**reply, "choices": [{**reply["choices"][0], "finish_reason": reason}]}).encode()


REFUSALS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "too many": (429, {}, b'{"error": {"message": "slow down", "code": 429}}'),
    "too many, wait": (429, {"Retry-After": "0.2"}, b'{"error": {"message": "slow down", "code": 429}}'),
    "too many, wait until": (429, {"Retry-After": "Thu, 01 Jan 2026 00:00:00 GMT"}, b'{"detail": "slow down"}'),
    "broken": (500, {}, b'{"error": "worn out"}'),
    "unavailable": (503, {"Content-Type": "text/plain"}, b"no server is available"),
    "bad gateway": (502, {"Content-Type": "text/html"}, b"<html><h1>502 Bad Gateway</h1></html>"),
    "page": (200, {"Content-Type": "text/html"}, b"<!doctype html><html><body>Please log in</body></html>"),
    "nothing": (200, {}, b""),
    "no JSON": (200, {}, b'{"choices": [{"message": {"content": "half a'),
    "no text": (200, {}, b"\xff\xfe\x00 \x80 choices"),
    "another shape": (200, {}, b'{"result": {"output": ["yes"]}, "ok": true}'),
    "a list": (200, {}, b'["choices", null, 7]'),
    "error as success": (200, {}, b'{"error": {"message": "upstream failed"}}'),
    "packed wrongly": (200, {"Content-Encoding": "gzip"}, b"this is not gzip"),
}
"""Said instead of asking the real server."""
CHANGES: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "no choices": lambda reply: json.dumps({**reply, "choices": []}).encode(),
    "negative count": _usage(completion_tokens=-7),
    "absurd count": _usage(prompt_tokens=10**15),
    "count in words": _usage(completion_tokens="seven"),
    "no end": _ended(None),
    "broken off": _ended("abort"),
    "uncounted": lambda reply: json.dumps({name: value for name, value in reply.items() if name != "usage"}).encode(),
}
"""Done to what the real server said."""
CUTS = ("hung up early", "hung up late", "shorter than said", "cut in pieces", "no HTTP", "hangs", "delayed")
"""Done to the connection."""
KINDS = (*REFUSALS, *CHANGES, *CUTS)
REASONS = {
    **{name: f"HTTP {status}" if status != 200 else NOT for name, (status, _, _) in REFUSALS.items()},
    **dict.fromkeys(("hung up early", "hung up late", "shorter than said", "cut in pieces", "packed wrongly"), BROKE),
    **dict.fromkeys(("negative count", "absurd count", "count in words"), COUNT),
    **dict.fromkeys(("no end", "broken off"), ENDED),
    "no choices": NOT,
    "no HTTP": BROKE,
    "hangs": "no answer in time",
    "gone": "HTTP 502",
}
"""What the completion of a request must say whose last attempt met this."""


def deal(seed: int, number: int, attempt: int) -> str:
    """Every other request passes at its first attempt, the others meet each fault in turn; later attempts are drawn."""
    if attempt == 1:
        return KINDS[number // 2 % len(KINDS)] if number % 2 else CLEAN
    rng = random.Random(f"{seed}/{number}/{attempt}")
    return rng.choice(KINDS) if rng.random() < 0.5 else CLEAN
