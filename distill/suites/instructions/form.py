"""an answer -> is it in the form that was asked for: JSON, a title, two answers, how it begins and ends. Each in linear time."""

from __future__ import annotations

import json
import re

CONSTRAINED = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
RESPONSES = "******"
"""Between two responses."""
_FENCE = re.compile(r"```(?:json)?(.*)```", re.S | re.I)


def json_format(answer: str) -> bool:
    """All of it is one JSON value, in a code block or without."""
    text = answer.strip()
    if fenced := _FENCE.fullmatch(text):
        text = fenced[1].strip()
    try:
        json.loads(text, parse_constant=_no_json)
    except (ValueError, RecursionError):
        return False
    return True


def _no_json(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def title(answer: str) -> bool:
    """A line that has something <<between double angles>>."""
    for line in answer.splitlines():
        start, end = line.find("<<"), line.rfind(">>")
        if 0 <= start < end and line[start:end].strip("<> \t"):
            return True
    return False


def constrained_response(answer: str) -> bool:
    return any(one in answer for one in CONSTRAINED)


def two_responses(answer: str) -> bool:
    """Two that differ, with six asterisks between them."""
    parts = [part.strip() for part in answer.split(RESPONSES)]
    there = list(filter(None, parts))
    return all(parts[1:-1]) and len(there) == 2 and there[0] != there[1]


def repeat_prompt(answer: str, prompt_to_repeat: str) -> bool:
    return answer.strip().casefold().startswith(prompt_to_repeat.strip().casefold())


def end_checker(answer: str, end_phrase: str) -> bool:
    return answer.strip().strip('"').casefold().endswith(end_phrase.strip().casefold())


def quotation(answer: str) -> bool:
    """All of it stands between double quotation marks."""
    text = answer.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'


def postscript(answer: str, postscript_marker: str) -> bool:
    """`P.S.` or `P.P.S`, in any case and with spaces in it, or another mark as it is written."""
    letters = re.findall(r"\w", postscript_marker.casefold())
    if letters in (["p", "s"], ["p", "p", "s"]):
        pattern = r"\.\s?".join(letters) + (r"\." if len(letters) == 2 else "")
        return re.search(rf"(?<!\w){pattern}", answer.casefold()) is not None
    return postscript_marker.strip().casefold() in answer.casefold()
